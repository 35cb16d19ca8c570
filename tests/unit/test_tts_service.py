"""Speech as it shows at the door: the clips that are kept, how words of the table are said, and the usage told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from scriza.kernel.errors import BadInput, NotFound, TooLarge, Unavailable
from scriza.kernel.principal import Principal, acting
from scriza.modules.tts.cache import ClipCache
from scriza.modules.tts.clip import Clip
from scriza.modules.tts.pronunciation import Pronunciation
from scriza.modules.tts.service import TtsService
from scriza.ports.objects import StoredObject
from scriza.ports.tts import Speak, SpokenAudio, SpokenDone
from scriza.ports.usage import TtsUsed
from scriza_adapters.objects_directory import DirectoryObjects
from tests.standins.speech_engine import ToneEngine
from tests.standins.teller import Told
from tests.unit.tts_rig import CLIP, NOON, Make, Nowhere, busy_disk, services, streamed
from tests.virtual_time import run_virtual
from tests.waiting import eventually


@pytest.fixture
def objects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DirectoryObjects:
    return busy_disk(tmp_path, monkeypatch)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def service(objects: DirectoryObjects, told: Told) -> AsyncIterator[Make]:
    async with services(objects, told) as make:
        yield make


async def kept(tmp_path: Path) -> list[Path]:
    """The files of a clip; it is kept after it was served, by the task that made it."""

    def files() -> list[Path]:
        return sorted(path for path in tmp_path.rglob("*.*") if path.is_file())

    def landed() -> bool:
        return not any(task.get_name() == "tts flight" for task in asyncio.all_tasks())

    await eventually(lambda: len(files()) == 2 and landed())
    return files()


def used(told: Told) -> list[TtsUsed]:
    return [msgspec.json.decode(event.data, type=TtsUsed) for event in told.events]


async def test_a_clip_outlives_the_process_with_its_words(service: Make, tmp_path: Path) -> None:
    first = ToneEngine()
    before = [part async for part in service(first).stream_speak(CLIP)]
    await kept(tmp_path)
    second = ToneEngine()
    after = [part async for part in service(second).stream_speak(CLIP)]
    assert second.asked == []
    assert b"".join(part.payload for part in after if isinstance(part, SpokenAudio)) == b"".join(
        part.payload for part in before if isinstance(part, SpokenAudio)
    )
    assert after[-1] == SpokenDone(0.3, 13, cache_hit=True)


@pytest.mark.parametrize("damage", [b"", b"text/plain\nother", b"audio/basic\n" + b"\xff" * 2400, b"\x00"])
@pytest.mark.parametrize("which", [".json", ".ulaw"])
async def test_a_damaged_clip_is_noticed_and_made_again(
    service: Make, tmp_path: Path, which: str, damage: bytes
) -> None:
    await service(ToneEngine()).speak(CLIP)
    for path in await kept(tmp_path):
        if path.suffix == which:
            path.write_bytes(damage)
    repaired = service(engine := ToneEngine())
    assert not (await repaired.speak(CLIP)).cache_hit
    assert len(engine.asked) == 1
    assert (await repaired.speak(CLIP)).cache_hit


async def test_a_hot_clip_asks_the_store_nothing() -> None:
    store = Nowhere(NotFound)
    speech = TtsService([ToneEngine()], store, Told())
    await speech.speak(CLIP)
    asked = store.asked
    assert (await speech.speak(CLIP)).cache_hit
    assert store.asked == asked
    await speech.close()


async def test_memory_keeps_the_clips_that_were_asked_for_lately() -> None:
    cache = ClipCache(Nowhere(NotFound), memory=1000)
    clips = {key: Clip(bytes(200), [], 0.025) for key in "abcde"}
    for key in "abcd":
        cache.remember(key, clips[key])
    assert await cache.find("a") is clips["a"]
    cache.remember("e", clips["e"])
    cache.remember("f", Clip(bytes(250), [], 0.03))
    assert [key for key in "abcdef" if await cache.find(key)] == ["a", "d", "e", "f"]
    cache.remember("giant", Clip(bytes(900), [], 0.1))
    assert await cache.find("giant") is None


async def test_a_store_that_is_down_costs_the_cache_and_nothing_else() -> None:
    speech = TtsService([ToneEngine()], Nowhere(), Told())
    assert (await speech.speak(CLIP)).duration == 0.3
    with pytest.raises(Unavailable, match="inline"):
        await speech.speak(Speak("one two three", format="mulaw", delivery="url"))
    await speech.close()


def test_a_store_that_says_nothing_is_waited_for_a_quarter_of_a_second_and_then_left_alone() -> None:
    class Silent(Nowhere):
        async def get(self, key: str) -> StoredObject:
            await asyncio.Event().wait()
            raise AssertionError

    async def waits() -> list[float]:
        speech = TtsService([ToneEngine()], Silent(), Told())
        loop, waited = asyncio.get_running_loop(), list[float]()
        for number in range(5):
            began = loop.time()
            await streamed(speech, Speak(f"number {number}"))
            waited.append(loop.time() - began)
        await speech.close()
        return waited

    assert run_virtual(waits()) == [0.25, 0.25, 0, 0, 0]


async def test_a_url_is_given_even_when_the_clip_was_removed_from_the_store(
    service: Make, objects: DirectoryObjects, tmp_path: Path
) -> None:
    speech = service(ToneEngine())
    await speech.speak(CLIP)
    for path in await kept(tmp_path):
        path.unlink()
    clip = await speech.speak(Speak(CLIP.text, format="mulaw", delivery="url"))
    assert clip.cache_hit
    assert len(await kept(tmp_path)) == 2


async def test_workspaces_share_no_clips(service: Make) -> None:
    speech = service(engine := ToneEngine())
    for workspace in ("a", "b", "a"):
        with acting(Principal(workspace=workspace)):
            await speech.speak(CLIP)
    assert len(engine.asked) == 2


async def test_a_clip_from_the_cache_prepares_the_engine_for_the_next_one(service: Make) -> None:
    speech = service(engine := ToneEngine())
    await speech.speak(CLIP)
    assert engine.prepared == []
    await speech.speak(CLIP)
    assert [request.text for request in engine.prepared] == [CLIP.text]


@pytest.mark.parametrize("hot", [True, False], ids=["in memory", "in the store"])
async def test_an_old_clip_is_made_anew(objects: DirectoryObjects, tmp_path: Path, hot: bool) -> None:
    times = [NOON]

    def opened() -> TtsService:
        oldest = timedelta(days=90)
        return TtsService([ToneEngine()], objects, Told(), oldest_clip=oldest, clock=lambda: times[-1])

    speech = opened()
    await speech.speak(CLIP)
    await kept(tmp_path)
    for days, hit in ((89, True), (91, False)):
        times.append(NOON + timedelta(days=days))
        if not hot:
            await speech.close()
            speech = opened()
        assert (await speech.speak(CLIP)).cache_hit is hit
    await speech.close()


async def test_what_the_cache_saved_is_reported(service: Make) -> None:
    speech = service(ToneEngine("tone"))
    for text in ("one two", "one two", "one two", "three"):
        await speech.speak(Speak(text, format="mulaw"))
    told = await speech.speech_cache()
    assert (told.clips, told.hits, told.hit_rate) == (4, 2, 0.5)
    assert (told.characters_made, told.characters_saved) == (12, 14)
    assert (told.clips_in_memory, told.engines) == (2, {"tone": "closed"})
    assert told.bytes_in_memory > 300 * 8


async def test_words_of_the_table_are_said_as_it_says_and_timed_as_they_are_written(
    objects: DirectoryObjects,
) -> None:
    engine = ToneEngine()
    pronunciation = Pronunciation({"GTM": "go to market", "Scriza": "skreeza"})
    speech = TtsService([engine], objects, Told(), pronunciation=pronunciation)
    heard = await streamed(speech, Speak("Our gtm is Scriza."))
    await speech.close()
    assert [request.text for request in engine.asked] == ["Our go to market is skreeza."]
    assert [word.chars for word in heard.words] == [3, 4, 4, 7, 10, 18]


async def test_a_requests_own_table_goes_before_the_settings(objects: DirectoryObjects) -> None:
    engine = ToneEngine()
    speech = TtsService([engine], objects, Told(), pronunciation=Pronunciation({"GTM": "go to market", "ACV": "value"}))
    await streamed(speech, Speak("Our GTM and ACV", pronunciation={"gtm": "plan"}))
    with pytest.raises(BadInput, match="pronunciation"):
        await speech.speak(Speak("Our GTM", pronunciation={"": "plan"}))
    await speech.close()
    assert [request.text for request in engine.asked] == ["Our plan and value"]


async def test_a_text_that_would_sound_for_hours_is_broken_off(service: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scriza.modules.tts.flight.LONGEST_CLIP_S", 1)
    with pytest.raises(TooLarge, match="longer than 1 seconds"):
        await service(ToneEngine()).speak(Speak("word " * 11))


async def test_usage_is_told_once_a_clip_and_says_what_was_cached(service: Make, told: Told) -> None:
    speech = service(ToneEngine("tone"))
    for _ in range(2):
        with acting(Principal(workspace="w"), request_id="req_1"):
            await speech.speak(Speak("one two three", voice_id="v", call_id="CA1"))
    await speech.close()
    assert used(told) == [
        TtsUsed("CA1", "tone", "v", 13, cached=False),
        TtsUsed("CA1", "tone", "v", 13, cached=True, cost_micro_usd=0),
    ]
    assert {(event.workspace, event.subject, event.time) for event in told.events} == {("w", "CA1", NOON)}


async def test_a_clip_costs_what_its_provider_takes_for_characters(objects: DirectoryObjects, told: Told) -> None:
    speech = TtsService([ToneEngine("tone")], objects, told, prices={"tone": 300_000})
    for _ in range(2):
        await speech.speak(CLIP)
    await speech.close()
    assert [each.cost_micro_usd for each in used(told)] == [3900, 0]


async def test_a_repeated_request_is_counted_once_and_two_clips_of_one_request_twice(service: Make, told: Told) -> None:
    speech = service(ToneEngine())
    with acting(Principal(), request_id="req_1"):
        for text in ("one", "one", "two"):
            await speech.speak(Speak(text))
    await speech.close()
    assert len({event.id for event in told.events}) == 2


async def test_who_hangs_up_in_the_middle_has_used_the_clip_once(service: Make, told: Told) -> None:
    speech = service(ToneEngine(gate=asyncio.Semaphore(1)))
    async with aclosing(speech.stream_speak(CLIP)) as parts:
        await anext(parts)
    await speech.close()
    assert used(told) == [TtsUsed("", "tone", "", 13, cached=False)]


async def test_who_hangs_up_before_the_first_audio_has_used_it_too(service: Make, told: Told) -> None:
    speech = service(engine := ToneEngine(gate=asyncio.Semaphore(0)))
    asking = asyncio.create_task(speech.speak(CLIP))
    await eventually(lambda: engine.asked)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await speech.close()
    assert len(used(told)) == 1


async def test_what_failed_before_the_first_audio_was_not_used(service: Make, told: Told) -> None:
    speech = service(ToneEngine("broken", fail_after=0), ToneEngine("spare"))
    await speech.speak(CLIP)
    await speech.close()
    assert [each.engine for each in used(told)] == ["spare"]


async def test_a_service_that_closes_gives_up_what_it_makes_and_begins_nothing_more(service: Make) -> None:
    speech = service(first := ToneEngine("first", gate=asyncio.Semaphore(0)), spare := ToneEngine("spare"))
    asking = [asyncio.create_task(streamed(speech)), asyncio.create_task(speech.speak(Speak("another")))]
    await eventually(lambda: len(first.asked) == 2)
    await speech.close()
    asking.append(asyncio.create_task(speech.speak(Speak("too late"))))
    for failure in await asyncio.gather(*asking, return_exceptions=True):
        assert isinstance(failure, Unavailable)
    assert (first.closed, len(first.asked), spare.asked) == (2, 2, [])
