"""Speech: cache, fallback and metering, as they show at the door."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import pytest

from scriza.kernel.errors import (
    BadInput,
    DeadlineExceeded,
    NotFound,
    RateLimited,
    TooLarge,
    Unavailable,
    UpstreamFailed,
)
from scriza.kernel.principal import Principal, acting
from scriza.modules.tts.cache import ClipCache
from scriza.modules.tts.clip import Clip
from scriza.modules.tts.engine import Piece
from scriza.modules.tts.pronunciation import Pronunciation
from scriza.modules.tts.service import TtsService
from scriza.ports.objects import StoredObject
from scriza.ports.tts import Speak, SpokenAudio, SpokenDone, SpokenWord, SpokenWords
from scriza.ports.usage import TtsUsed
from scriza_adapters.objects_directory import DirectoryObjects
from tests.standins.speech_engine import ToneEngine
from tests.standins.teller import Told
from tests.virtual_time import run_virtual
from tests.waiting import eventually

CLIP = Speak("one two three", format="mulaw")
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


class Nowhere:
    """Objects that cannot be kept or read; counts how often it is asked."""

    def __init__(self, failure: type[Exception] = Unavailable) -> None:
        self.failure = failure
        self.asked = 0

    async def put(self, key: str, body: bytes, content_type: str) -> None:
        raise self.failure

    async def get(self, key: str) -> StoredObject:
        self.asked += 1
        raise self.failure

    async def delete(self, key: str) -> None:
        raise self.failure

    async def signed_url(self, key: str, expires_in: timedelta) -> str:
        raise self.failure


@pytest.fixture
def objects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DirectoryObjects:
    """On a disk that may be busy: what is looked up is waited for."""
    monkeypatch.setattr("scriza.modules.tts.cache._LOOK_UP_S", 20)
    return DirectoryObjects(tmp_path, url="http://here", key="secret")


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def service(objects: DirectoryObjects, told: Told) -> AsyncIterator[Callable[..., TtsService]]:
    made: list[TtsService] = []

    def make(*engines: ToneEngine) -> TtsService:
        made.append(TtsService(engines, objects, told, clock=lambda: NOON))
        return made[-1]

    yield make
    for each in made:
        await each.close()


Make = Callable[..., TtsService]


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


async def test_when_the_first_engine_fails_the_next_one_speaks_in_a_voice_of_its_own(service: Make) -> None:
    broken, spare = ToneEngine("broken", fail_after=0), ToneEngine("spare")
    clip = await service(broken, spare).speak(Speak("one two", voice_id="the broken one's", format="mulaw"))
    assert clip.duration == 0.2
    assert [request.voice_id for request in (broken.asked + spare.asked)] == ["the broken one's", ""]


async def test_an_engine_that_failed_twice_is_left_alone_while_another_can_speak(service: Make) -> None:
    broken, spare = ToneEngine("broken", fail_after=0), ToneEngine("spare")
    speech = service(broken, spare)
    for number in range(4):
        await speech.speak(Speak(f"number {number}"))
    assert (len(broken.asked), len(spare.asked)) == (2, 4)


async def test_an_engine_that_is_left_alone_is_still_heard_from_the_cache(service: Make) -> None:
    first, spare = ToneEngine("first"), ToneEngine("spare")
    speech = service(first, spare)
    await speech.speak(CLIP)
    first.fail_after = 0
    await speech.speak(Speak("another text"))
    assert (await speech.speak(CLIP)).cache_hit
    assert len(spare.asked) == 1


async def test_an_engine_that_refuses_a_text_is_asked_for_the_next_one(service: Make) -> None:
    picky, spare = ToneEngine("picky", fail_after=0, failure=BadInput("no such voice")), ToneEngine("spare")
    speech = service(picky, spare)
    for number in range(2):
        await speech.speak(Speak(f"number {number}"))
    assert (len(picky.asked), len(spare.asked)) == (2, 2)


class Heard(NamedTuple):
    audio: bytes
    words: list[SpokenWord]
    done: SpokenDone


async def streamed(speech: TtsService, request: Speak = CLIP) -> Heard:
    parts = [part async for part in speech.stream_speak(request)]
    assert isinstance(parts[-1], SpokenDone)
    audio = b"".join(part.payload for part in parts if isinstance(part, SpokenAudio))
    words = [word for part in parts if isinstance(part, SpokenWords) for word in part.words]
    return Heard(audio, words, parts[-1])


@pytest.mark.parametrize("said", [1, 2])
async def test_what_breaks_off_is_said_to_its_end_by_the_next_engine(service: Make, said: int) -> None:
    broken, spare = ToneEngine("broken", fail_after=said), ToneEngine("spare")
    heard = await streamed(service(broken, spare))
    assert [request.text for request in spare.asked] == [" ".join(CLIP.text.split()[said:])]
    assert heard.words == [SpokenWord(0, 100, 3), SpokenWord(100, 200, 7), SpokenWord(200, 300, 13)]
    assert len(heard.audio) == 8 * 300
    assert heard.done == SpokenDone(0.3, 13, cache_hit=False)


async def test_a_word_that_was_cut_in_two_is_said_again(service: Make) -> None:
    class Halved(ToneEngine):
        async def synthesize(self, request: Speak, sample_rate: int) -> AsyncGenerator[Piece, None]:
            async with aclosing(super().synthesize(request, sample_rate)) as pieces:
                yield await anext(pieces)
                samples, words = await anext(pieces)
                yield samples[: len(samples) // 2], words
            raise UpstreamFailed("broken off")

    heard = await streamed(service(Halved("halved"), spare := ToneEngine("spare")))
    assert [request.text for request in spare.asked] == ["two three"]
    assert heard.words == [SpokenWord(0, 100, 3), SpokenWord(150, 250, 7), SpokenWord(250, 350, 13)]


async def test_words_told_ahead_of_audio_that_never_came_are_forgotten(service: Make) -> None:
    class Hasty(ToneEngine):
        async def synthesize(self, request: Speak, sample_rate: int) -> AsyncGenerator[Piece, None]:
            yield np.zeros(0, np.int16), [SpokenWord(0, 90, 3), SpokenWord(90, 180, 7)]
            raise UpstreamFailed("broken off")

    heard = await streamed(service(Hasty("hasty"), spare := ToneEngine("spare")))
    assert [request.text for request in spare.asked] == [CLIP.text]
    assert heard.words == [SpokenWord(0, 100, 3), SpokenWord(100, 200, 7), SpokenWord(200, 300, 13)]


async def test_a_clip_said_by_two_engines_is_not_kept(service: Make) -> None:
    broken = ToneEngine("broken", fail_after=2)
    speech = service(broken, ToneEngine("spare"))
    await streamed(speech)
    broken.fail_after = None
    assert not (await streamed(speech)).done.cache_hit


async def test_a_stream_that_broke_after_its_last_word_is_complete(service: Make) -> None:
    class Ragged(ToneEngine):
        async def synthesize(self, request: Speak, sample_rate: int) -> AsyncGenerator[Piece, None]:
            async for piece in super().synthesize(request, sample_rate):
                yield piece
            raise UpstreamFailed("broken off")

    heard = await streamed(service(Ragged("ragged"), spare := ToneEngine("spare")))
    assert (heard.done.duration, heard.words[-1].chars, spare.asked) == (0.3, 13, [])


async def test_a_file_is_made_whole_by_the_next_engine(service: Make) -> None:
    spare = ToneEngine("spare")
    clip = await service(ToneEngine("broken", fail_after=2), spare).speak(CLIP)
    assert (clip.duration, [request.text for request in spare.asked]) == (0.3, [CLIP.text])


async def test_when_even_the_last_engine_breaks_off_the_stream_breaks_off(service: Make) -> None:
    speech = service(ToneEngine("broken", fail_after=1), ToneEngine("spare", fail_after=1))
    with pytest.raises(UpstreamFailed):
        await streamed(speech)


async def test_a_clip_of_another_tone_goes_before_the_last_engine(service: Make) -> None:
    first, spare = ToneEngine("first"), ToneEngine("spare")
    speech = service(first, spare)
    await speech.speak(CLIP)
    first.fail_after = 0
    angry = msgspec.structs.replace(CLIP, tone="angry", voice_id="v", previous_text="Well.")
    assert (await speech.speak(angry)).cache_hit
    assert spare.asked == []


async def test_a_provider_that_is_down_is_not_asked_for_its_second_voice(service: Make) -> None:
    first, second, own = (ToneEngine(name, fail_after=0, failure=DeadlineExceeded()) for name in ("a", "b", "own"))
    second.provider, own.fail_after = first.provider, None
    speech = service(first, second, own)
    for number in range(3):
        await speech.speak(Speak(f"number {number}"))
    assert (len(first.asked), len(second.asked), len(own.asked)) == (1, 0, 3)


async def test_the_second_voice_of_a_provider_speaks_when_the_first_one_is_gone(service: Make) -> None:
    first, second = ToneEngine("a", fail_after=0, failure=NotFound()), ToneEngine("b")
    second.provider = first.provider
    await service(first, second, ToneEngine("own")).speak(Speak("number", voice_id="v"))
    assert [request.voice_id for request in second.asked] == ["v"]


def test_a_dead_engine_costs_its_time_out_once_and_is_tried_again_later() -> None:
    async def spoken() -> list[float]:
        engines = [ToneEngine("dead", stall_after=0), ToneEngine("spare")]
        speech = TtsService(engines, Nowhere(NotFound), Told())
        loop = asyncio.get_running_loop()
        waits = []
        for number in range(4):
            began = loop.time()
            await streamed(speech, Speak(f"number {number}"))
            waits.append(round(loop.time() - began, 1))
            if number == 2:
                engines[0].stall_after = None
                await asyncio.sleep(20)
        await speech.close()
        assert [request.text for request in engines[0].asked] == ["number 0", "number 3"]
        return waits

    assert run_virtual(spoken()) == [2.5, 0, 0, 0]


def test_an_engine_that_asks_for_more_patience_than_makes_sense_is_tried_again_all_the_same() -> None:
    async def asked() -> int:
        busy = ToneEngine("busy", fail_after=0, failure=RateLimited("429", retry_after=1_900_000_000))
        speech = TtsService([busy, ToneEngine("spare")], Nowhere(NotFound), Told())
        for number in range(3):
            await streamed(speech, Speak(f"number {number}"))
        await asyncio.sleep(121)
        await streamed(speech, Speak("number 3"))
        await speech.close()
        return len(busy.asked)

    assert run_virtual(asked()) == 3


def test_engines_that_fail_slowly_share_the_time_to_the_first_audio() -> None:
    class Slow(ToneEngine):
        async def synthesize(self, request: Speak, sample_rate: int) -> AsyncGenerator[Piece, None]:
            await asyncio.sleep(2)
            async for piece in super().synthesize(request, sample_rate):
                yield piece

    async def heard_at() -> float:
        slow = [Slow(name, fail_after=0) for name in ("a", "b", "c")]
        speech = TtsService([*slow, ToneEngine("own")], Nowhere(NotFound), Told())
        await streamed(speech)
        await speech.close()
        return asyncio.get_running_loop().time()

    assert run_virtual(heard_at()) <= 2.6


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


@pytest.mark.parametrize(
    ("failure", "told_as"),
    [(RateLimited("429", retry_after=7), UpstreamFailed), (BadInput("no such voice"), BadInput)],
)
async def test_the_last_engines_failure_is_told(service: Make, failure: Exception, told_as: type[Exception]) -> None:
    with pytest.raises(told_as, match=r"429|no such voice"):
        await service(ToneEngine(fail_after=0, failure=failure)).speak(CLIP)


@pytest.mark.parametrize("stall_after", [0, 2])
def test_an_engine_that_stalls_is_given_up(stall_after: int) -> None:
    async def stalled() -> float:
        speech = TtsService([engine := ToneEngine(stall_after=stall_after)], Nowhere(NotFound), Told())
        with pytest.raises(UpstreamFailed, match="too long"):
            await speech.speak(CLIP)
        assert engine.closed == 1
        await speech.close()
        return asyncio.get_running_loop().time()

    assert run_virtual(stalled()) <= 6


def test_a_stalled_engine_is_replaced_before_a_caller_would_hang_up() -> None:
    async def replaced() -> float:
        engines = [ToneEngine("stalled", stall_after=0), ToneEngine("spare")]
        speech = TtsService(engines, Nowhere(NotFound), Told())
        async with aclosing(speech.stream_speak(CLIP)) as parts:
            await anext(parts)
            heard_at = asyncio.get_running_loop().time()
        await speech.close()
        return heard_at

    assert run_virtual(replaced()) <= 6


async def test_a_text_that_would_sound_for_hours_is_broken_off(service: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scriza.modules.tts.flight.LONGEST_CLIP_S", 1)
    with pytest.raises(TooLarge, match="longer than 1 seconds"):
        await service(ToneEngine()).speak(Speak("word " * 11))


async def test_all_engines_are_warmed_up_and_one_that_cannot_work_is_no_harm(service: Make) -> None:
    class Cold(ToneEngine):
        async def warm_up(self) -> None:
            raise Unavailable("not installed")

    cold, warm = Cold("cold"), ToneEngine("warm")
    speech = service(cold, warm)
    await speech.warm_up()
    await speech.speak(CLIP)
    assert (warm.warm, cold.asked) == (True, [])


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
