"""Clips of fixed lines: spoken before any call, and there for every call after that."""

import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from scriza.kernel.errors import BadInput, Forbidden, Unavailable, UpstreamFailed
from scriza.kernel.principal import Principal, acting
from scriza.kernel.scopes import ALL
from scriza.modules.tts.service import TtsService
from scriza.ports.tts import FixedTexts, KeptClip, Speak, SpokenAudio, SpokenDone, SpokenWords, Tts
from scriza_adapters.objects_directory import DirectoryObjects
from tests.contract.doors import Doors
from tests.memory_objects import MemoryObjects
from tests.standins.speech_engine import ToneEngine
from tests.standins.teller import Told

LINE = "hello this is a fixed line"
NOW = datetime(2026, 11, 30, tzinfo=UTC)
FIXED = Speak(LINE, tone="calm", format="mulaw", keep=True)


OURS = Principal(workspace="ours", scopes=frozenset({ALL}))


@pytest.fixture(autouse=True)
def as_one_of_our_processes() -> Iterator[None]:
    with acting(OURS):
        yield


@asynccontextmanager
async def speech(folder: Path, *engines: ToneEngine, now: datetime = NOW) -> AsyncIterator[TtsService]:
    """What a process of its own knows of the clips in a folder."""
    service = TtsService(
        engines or [ToneEngine()],
        DirectoryObjects(folder, url="http://here.local", key="secret"),
        Told(),
        oldest_clip=timedelta(days=30),
        prices={"tone": 50_000},
        clock=lambda: now,
    )
    yield service
    await service.close()


async def heard(tts: Tts, text: str = LINE) -> tuple[bytes, int, bool]:
    """How a call asks for a line: its audio, how many words were told, whether it was there already."""
    audio, words = b"", 0
    async for part in tts.stream_speak(Speak(text, tone="calm", format="mulaw", call_id="CA1")):
        match part:
            case SpokenAudio(payload):
                audio += payload
            case SpokenWords(told):
                words += len(told)
            case SpokenDone():
                return audio, words, part.cache_hit
    raise AssertionError("a stream of speech ends with `done`")


async def test_what_is_kept_is_a_hit_for_a_call_in_another_process(doors: Doors, tmp_path: Path) -> None:
    async with speech(tmp_path) as before, doors(Tts, before) as tts:
        kept = await tts.speak(FIXED)
    shutil.rmtree(tmp_path / "tts-cache")
    engine = ToneEngine()
    async with speech(tmp_path, engine) as after, doors(Tts, after) as tts:
        assert await heard(tts) == (kept.audio_base64, len(LINE.split()), True)
    assert engine.asked == []


async def test_it_is_told_which_lines_are_kept_and_what_the_others_cost(doors: Doors, tmp_path: Path) -> None:
    asked = FixedTexts([LINE, "another one"], tone="calm")
    async with speech(tmp_path) as service, doors(Tts, service) as tts:
        before = await tts.kept_clips(asked)
        await tts.speak(FIXED)
        after = await tts.kept_clips(asked)
    assert [clip.kept for clip in before.clips] == [False, False]
    assert before.clips[0].cost_micro_usd == len(LINE) * 50
    assert after.clips == [KeptClip(True, bytes=4800, duration=0.6), before.clips[1]]


async def test_a_clip_that_calls_have_had_made_is_kept_without_being_made_again(doors: Doors, tmp_path: Path) -> None:
    engine = ToneEngine()
    async with speech(tmp_path, engine) as service, doors(Tts, service) as tts:
        await heard(tts)
        assert not (await tts.kept_clips(FixedTexts([LINE], tone="calm"))).clips[0].kept
        assert (await tts.speak(FIXED)).cache_hit
        assert (await tts.kept_clips(FixedTexts([LINE], tone="calm"))).clips[0].kept
    assert len(engine.asked) == 1


class HearsNeighbours(ToneEngine):
    """Sounds otherwise behind other words, as a vendor's voice does that is told of them."""

    def sound(self, request: Speak) -> str:
        return f"{super().sound(request)}/{request.previous_text}"


async def test_a_line_that_is_kept_is_taken_whatever_was_said_before_it(doors: Doors, tmp_path: Path) -> None:
    engine = HearsNeighbours()
    async with speech(tmp_path, engine) as service, doors(Tts, service) as tts:
        kept = await tts.speak(FIXED)
        behind = Speak(LINE, tone="calm", format="mulaw", previous_text="I see.")
        again = await tts.speak(behind)
        assert (again.audio_base64, again.cache_hit) == (kept.audio_base64, True)
        other = Speak("words of a model", tone="calm", format="mulaw")
        await tts.speak(other)
        assert not (await tts.speak(Speak(other.text, tone="calm", format="mulaw", previous_text="I see."))).cache_hit
    assert len(engine.asked) == 3


async def test_what_is_kept_does_not_grow_old(doors: Doors, tmp_path: Path) -> None:
    async with speech(tmp_path) as before:
        await before.speak(FIXED)
        await heard(before, "a line of the day")
    async with speech(tmp_path, now=NOW + timedelta(days=365)) as after, doors(Tts, after) as tts:
        assert (await heard(tts))[2]
        assert not (await heard(tts, "a line of the day"))[2]


async def test_a_stand_in_speaks_to_callers_and_keeps_nothing(doors: Doors, tmp_path: Path) -> None:
    broken, stand_in = ToneEngine("vendor", fail_after=0), ToneEngine("ours")
    async with speech(tmp_path, broken, stand_in) as service, doors(Tts, service) as tts:
        with pytest.raises(UpstreamFailed):
            await tts.speak(FIXED)
        assert (await heard(tts))[0]
        assert not (await tts.kept_clips(FixedTexts([LINE], tone="calm"))).clips[0].kept
    assert len(stand_in.asked) == 1


async def test_what_cannot_be_stored_is_not_said_to_be_kept(doors: Doors) -> None:
    objects = MemoryObjects()
    service = TtsService([ToneEngine()], objects, Told())
    async with doors(Tts, service) as tts:
        objects.failure = Unavailable("the disk is full")
        with pytest.raises(Unavailable, match="it cannot be kept"):
            await tts.speak(FIXED)
    await service.close()


async def test_workspaces_do_not_share_clips(tmp_path: Path) -> None:
    async with speech(tmp_path) as service:
        with acting(Principal(workspace="theirs", scopes=OURS.scopes)):
            await service.speak(FIXED)
        with acting(OURS):
            assert not (await service.kept_clips(FixedTexts([LINE], tone="calm"))).clips[0].kept


async def test_nobody_but_scriza_itself_keeps_clips_for_good(tmp_path: Path) -> None:
    engine = ToneEngine()
    async with speech(tmp_path, engine) as service:
        with acting(Principal(scopes=frozenset({"engines"}))), pytest.raises(Forbidden):
            await service.speak(FIXED)
    assert engine.asked == []


async def test_a_text_with_nothing_to_say_is_refused(doors: Doors, tmp_path: Path) -> None:
    async with speech(tmp_path) as service, doors(Tts, service) as tts:
        with pytest.raises(BadInput, match="nothing to say"):
            await tts.kept_clips(FixedTexts(["..."]))
