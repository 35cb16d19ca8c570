"""Which engine speaks when others fail, break off or stall, and how soon something is heard."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path

import msgspec
import numpy as np
import pytest

from scriza.kernel.errors import BadInput, DeadlineExceeded, NotFound, RateLimited, Unavailable, UpstreamFailed
from scriza.modules.tts.engine import Piece
from scriza.modules.tts.service import TtsService
from scriza.ports.tts import Speak, SpokenDone, SpokenWord
from tests.standins.speech_engine import ToneEngine
from tests.standins.teller import Told
from tests.unit.tts_rig import CLIP, Make, Nowhere, busy_disk, services, streamed
from tests.virtual_time import run_virtual


@pytest.fixture
async def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Make]:
    async with services(busy_disk(tmp_path, monkeypatch), Told()) as make:
        yield make


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


async def test_all_engines_are_warmed_up_and_one_that_cannot_work_is_no_harm(service: Make) -> None:
    class Cold(ToneEngine):
        async def warm_up(self) -> None:
            raise Unavailable("not installed")

    cold, warm = Cold("cold"), ToneEngine("warm")
    speech = service(cold, warm)
    await speech.warm_up()
    await speech.speak(CLIP)
    assert (warm.warm, cold.asked) == (True, [])
