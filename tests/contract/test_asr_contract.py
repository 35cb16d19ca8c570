"""What the door to the recogniser promises, in this process and over HTTP alike."""

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import NamedTuple

import msgspec
import numpy as np
import pytest

from scriza.audio import mulaw
from scriza.audio.mp3 import encode_mp3
from scriza.audio.mulaw import Samples
from scriza.audio.wav import encode_wav
from scriza.kernel.errors import BadInput, TooLarge, UpstreamFailed
from scriza.kernel.events import Topic
from scriza.kernel.principal import Principal, acting
from scriza.modules.asr.service import AsrService
from scriza.ports.asr import (
    Asr,
    Audio,
    Encoding,
    Final,
    Finalize,
    HeardWord,
    Partial,
    Start,
    Stop,
    Transcribe,
    Transcript,
)
from scriza.ports.usage import AsrUsed
from tests.contract.doors import Doors
from tests.standins.block_engine import BlockEngine, spoken, text
from tests.standins.teller import Told
from tests.waiting import eventually

Block = Audio | Finalize | Stop
NOTHING = Transcript("", 0.0, [])


class Rig(NamedTuple):
    asr: Asr
    engine: BlockEngine
    told: Told

    def used(self) -> list[AsrUsed]:
        return [msgspec.json.decode(event.data, type=AsrUsed) for event in self.told.events]


@asynccontextmanager
async def opened(doors: Doors, engine: BlockEngine) -> AsyncIterator[Rig]:
    told = Told()
    async with doors(Asr, AsrService(engine, told)) as asr:
        yield Rig(asr, engine, told)


@pytest.fixture
async def rig(doors: Doors) -> AsyncIterator[Rig]:
    async with opened(doors, BlockEngine()) as rig:
        yield rig


def mulaw_audio(*words: int) -> Audio:
    return Audio(mulaw.encode(spoken(*words)))


async def in_blocks(samples: Samples, block_ms: int = 100) -> AsyncIterator[Block]:
    encoded = mulaw.encode(samples)
    for start in range(0, len(encoded), block_ms * 8):
        yield Audio(encoded[start : start + block_ms * 8])


async def sent(*blocks: Block) -> AsyncIterator[Block]:
    for block in blocks:
        yield block


async def heard(asr: Asr, *blocks: Block, opening: Start | None = None) -> list[Partial | Final]:
    return [item async for item in asr.stream(opening or Start(), sent(*blocks))]


# --- whole recordings


async def test_a_recording_becomes_words_with_their_times(rig: Rig) -> None:
    transcript = await rig.asr.transcribe(Transcribe(mulaw.encode(spoken(1, 2, 3))))
    assert transcript == Transcript(
        "w1 w2 w3",
        0.9,
        [HeardWord("w1", 0.0, 0.1, 0.9), HeardWord("w2", 0.2, 0.3, 0.9), HeardWord("w3", 0.4, 0.5, 0.9)],
    )


@pytest.mark.parametrize(
    "request_",
    [
        Transcribe(mulaw.encode(spoken(4, 5))),
        Transcribe(spoken(4, 5).tobytes(), encoding="pcm16"),
        Transcribe(spoken(4, 5, sample_rate=48_000).tobytes(), encoding="pcm16", sample_rate=48_000),
        Transcribe(encode_wav(spoken(4, 5), 8000)),
        Transcribe(encode_wav(spoken(4, 5, sample_rate=16_000), 16_000), encoding="pcm16", sample_rate=48_000),
        Transcribe(encode_wav(np.stack([spoken(4, 5), spoken(4, 5)], axis=1), 8000)),
    ],
    ids=["mu-law", "pcm16", "pcm16 at 48 kHz", "WAV", "WAV goes by its header", "stereo WAV"],
)
async def test_audio_is_taken_in_every_form(rig: Rig, request_: Transcribe) -> None:
    assert (await rig.asr.transcribe(request_)).text == "w4 w5"


@pytest.mark.parametrize("encoding", ["mulaw", "pcm16"])
async def test_a_recording_without_audio_is_refused(rig: Rig, encoding: Encoding) -> None:
    for audio in (b"", encode_wav(spoken(), 8000)):
        with pytest.raises(BadInput, match="there is none"):
            await rig.asr.transcribe(Transcribe(audio, encoding=encoding))


async def test_silence_is_no_words_and_no_work(rig: Rig) -> None:
    assert await rig.asr.transcribe(Transcribe(mulaw.silence(60_000))) == NOTHING
    assert (rig.engine.asked, rig.told.events) == ([], [])


async def test_language_and_phrases_reach_the_engine(rig: Rig) -> None:
    await rig.asr.transcribe(Transcribe(mulaw.encode(spoken(1)), language="en-IN", phrases=["w1 please", "Scriza"]))
    assert rig.engine.asked[0][1:] == ("recording", "en-IN", ["w1 please", "Scriza"])


async def test_ten_minutes_are_recognised_in_pieces_and_no_word_is_cut_or_lost(rig: Rig) -> None:
    words = [1 + number % 16 for number in range(2990)]
    transcript = await rig.asr.transcribe(Transcribe(mulaw.encode(spoken(*words))))
    assert transcript.text == text(*words)
    assert transcript.words[-1] == HeardWord(f"w{words[-1]}", 597.8, 597.9, 0.9)
    assert max(asked.ms for asked in rig.engine.asked) <= 28_000
    assert sum(used.audio_ms for used in rig.used()) == pytest.approx(598_000, abs=len(rig.used()))


@pytest.mark.parametrize(
    "too_long",
    [
        Transcribe(mulaw.silence(600_100)),
        Transcribe(encode_wav(np.zeros(601 * 8000, np.int16), 8000)),
        Transcribe(bytes(601 * 16_000), encoding="pcm16"),
    ],
    ids=["mu-law", "WAV", "pcm16"],
)
async def test_more_than_ten_minutes_are_too_much(rig: Rig, too_long: Transcribe) -> None:
    with pytest.raises(TooLarge):
        await rig.asr.transcribe(too_long)


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("speech.txt", "hello")
    return buffer.getvalue()


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"audio": "aGVsbG8="}).encode(),
        b"<!doctype html><p>hello</p>",
        b"\x89PNG\r\n\x1a\n" + bytes(200),
        b"\xff\xd8\xff\xe0" + bytes(200),
        b"%PDF-1.7\n" + bytes(200),
        zipped(),
        encode_mp3(spoken(1, 2, sample_rate=22_050), 22_050),
        b"OggS" + bytes(200),
        b"fLaC" + bytes(200),
        b"\x1aE\xdf\xa3" + bytes(200),
        encode_wav(spoken(1), 8000)[:30],
        b"RIFF\x24\x00\x00\x00WAVEgarbage",
        encode_wav(spoken(1), 8000).replace(b"\x10\x00data", b"\x18\x00data"),
        encode_wav(np.zeros(4000, np.int16), 4000),
    ],
    ids=[
        *("JSON", "HTML", "PNG", "JPEG", "PDF", "ZIP", "MP3", "Ogg", "FLAC", "WebM"),
        *("cut-off WAV", "broken WAV", "24-bit WAV", "4 kHz WAV"),
    ],
)
async def test_what_is_no_audio_is_refused(rig: Rig, body: bytes) -> None:
    with pytest.raises(BadInput):
        await rig.asr.transcribe(Transcribe(body))
    assert rig.engine.asked == []


async def test_half_a_sample_is_refused(rig: Rig) -> None:
    with pytest.raises(BadInput):
        await rig.asr.transcribe(Transcribe(bytes(1601), encoding="pcm16"))


@pytest.mark.parametrize("phrases", [["w1"] * 2001, ["w" * 201]])
async def test_there_are_bounds_on_phrases(rig: Rig, phrases: list[str]) -> None:
    with pytest.raises(BadInput):
        await rig.asr.transcribe(Transcribe(mulaw.encode(spoken(1)), phrases=phrases))
    with pytest.raises(BadInput):
        await heard(rig.asr, Finalize(), opening=Start(phrases=phrases))


async def test_there_is_a_bound_on_the_prompt(rig: Rig) -> None:
    with pytest.raises(BadInput, match="prompt"):
        await rig.asr.transcribe(Transcribe(mulaw.encode(spoken(1)), prompt="w" * 2001))
    with pytest.raises(BadInput, match="prompt"):
        await heard(rig.asr, Finalize(), opening=Start(prompt="w" * 2001))


async def test_an_engine_that_fails_is_an_upstream_failure(rig: Rig) -> None:
    rig.engine.failure = UpstreamFailed("the engine is broken")
    with pytest.raises(UpstreamFailed, match="the engine is broken"):
        await rig.asr.transcribe(Transcribe(mulaw.encode(spoken(1))))
    with pytest.raises(UpstreamFailed, match="the engine is broken"):
        await heard(rig.asr, mulaw_audio(1), Finalize())


async def test_what_nobody_expected_of_an_engine_is_an_upstream_failure_that_tells_no_words(rig: Rig) -> None:
    rig.engine.failure = RuntimeError("heard w4")
    with pytest.raises(UpstreamFailed) as caught:
        await heard(rig.asr, mulaw_audio(4), Finalize())
    assert "w4" not in str(caught.value)


# --- live calls


async def test_a_finalize_is_answered_by_the_words_since_the_call_began(rig: Rig) -> None:
    assert await heard(rig.asr, mulaw_audio(1, 2), mulaw_audio(3), Finalize(), Stop()) == [
        Final(
            "w1 w2 w3",
            0.9,
            [HeardWord("w1", 0.0, 0.1, 0.9), HeardWord("w2", 0.2, 0.3, 0.9), HeardWord("w3", 0.4, 0.5, 0.9)],
            0.0,
            0.6,
        )
    ]


async def test_the_next_final_has_what_came_since_and_its_times_go_on(rig: Rig) -> None:
    first, second = await heard(rig.asr, mulaw_audio(1, 2), Finalize(), mulaw_audio(3), Finalize())
    assert (first.text, first.start, first.end) == ("w1 w2", 0.0, 0.4)
    assert (second.text, second.start, second.end) == ("w3", 0.4, 0.6)
    assert second.words == [HeardWord("w3", 0.4, 0.5, 0.9)]


async def test_a_turn_that_is_sent_again_is_understood_as_a_whole(rig: Rig) -> None:
    finals = await heard(rig.asr, mulaw_audio(1, 2), Finalize(), mulaw_audio(1, 2), mulaw_audio(3), Finalize())
    assert [final.text for final in finals] == ["w1 w2", "w1 w2 w3"]


async def test_a_finalize_after_nothing_is_answered_too(rig: Rig) -> None:
    finals = await heard(rig.asr, Finalize(), mulaw_audio(1), Finalize(), Finalize(), Audio(b""), Finalize())
    assert finals == [
        Final("", 0.0, [], 0.0, 0.0),
        Final("w1", 0.9, [HeardWord("w1", 0.0, 0.1, 0.9)], 0.0, 0.2),
        Final("", 0.0, [], 0.2, 0.2),
        Final("", 0.0, [], 0.2, 0.2),
    ]


async def test_silence_is_answered_by_an_empty_final_and_no_work(rig: Rig) -> None:
    assert await heard(rig.asr, Audio(mulaw.silence(3000)), Finalize()) == [Final("", 0.0, [], 0.0, 3.0)]
    assert rig.engine.asked == []


async def test_what_comes_after_stop_is_ignored_and_what_was_not_finalized_is_dropped(rig: Rig) -> None:
    blocks = (mulaw_audio(1), Finalize(), mulaw_audio(2), Stop(), mulaw_audio(3), Finalize())
    assert [item.text for item in await heard(rig.asr, *blocks)] == ["w1"]


async def test_the_engine_is_prepared_for_the_phrases_before_anything_is_said(rig: Rig) -> None:
    await heard(rig.asr, opening=Start(language="en", phrases=["w1 w2"]))
    assert rig.engine.prepared == [("en", ["w1 w2"])]


async def test_a_language_that_the_engine_does_not_know_is_refused_at_once(rig: Rig) -> None:
    with pytest.raises(BadInput, match="Klingon"):
        await heard(rig.asr, opening=Start(language="tlh"))


async def test_a_sample_rate_that_is_none_is_refused(rig: Rig) -> None:
    with pytest.raises(BadInput):
        await heard(rig.asr, Finalize(), opening=Start(sample_rate=7999))
    with pytest.raises(BadInput):
        await rig.asr.transcribe(Transcribe(b"", sample_rate=96_000))


async def test_samples_may_be_cut_in_two_by_the_blocks(rig: Rig) -> None:
    pcm = spoken(1, 2).tobytes()
    blocks = (Audio(pcm[:1601]), Audio(pcm[1601:4001]), Audio(pcm[4001:]), Finalize())
    [final] = await heard(rig.asr, *blocks, opening=Start(encoding="pcm16"))
    assert (final.text, final.end) == ("w1 w2", 0.4)


async def test_minutes_without_a_finalize_are_recognised_on_the_way(rig: Rig) -> None:
    words = [1 + number % 16 for number in range(475)]
    async with aclosing(_live(rig.asr, in_blocks(spoken(*words), 1000), Finalize())) as items:
        [final] = [item async for item in items]
    assert final.text == text(*words)
    assert (final.start, final.end) == (0.0, 95.0)
    assert final.words[-1].start == pytest.approx(94.8)
    assert [asked.ms <= 28_000 for asked in rig.engine.asked] == [True] * 4


async def _live(asr: Asr, blocks: AsyncIterator[Block], *then: Block) -> AsyncIterator[Partial | Final]:
    async def both() -> AsyncIterator[Block]:
        async for block in blocks:
            yield block
        for block in then:
            yield block

    async for item in asr.stream(Start(), both()):
        yield item


async def test_more_than_ten_minutes_without_a_finalize_are_too_much(rig: Rig) -> None:
    with pytest.raises(TooLarge):
        async with aclosing(_live(rig.asr, in_blocks(np.zeros(601 * 8000, np.int16), 20_000))) as items:
            [_ async for _ in items]


async def test_a_block_of_more_than_a_minute_is_too_much(rig: Rig) -> None:
    with pytest.raises(TooLarge):
        await heard(rig.asr, Audio(mulaw.silence(60_100)))


async def test_a_stream_that_is_no_audio_is_refused(rig: Rig) -> None:
    with pytest.raises(BadInput, match="MP3"):
        await heard(rig.asr, Audio(encode_mp3(spoken(1, sample_rate=22_050), 22_050)))


async def test_leaving_abandons_the_recognition_that_is_under_way(rig: Rig) -> None:
    rig.engine.gate = asyncio.Semaphore(0)
    listening = asyncio.create_task(heard(rig.asr, mulaw_audio(1), Finalize()))
    await eventually(lambda: rig.engine.asked)
    listening.cancel()
    await eventually(lambda: rig.engine.abandoned == 1)
    rig.engine.gate = None
    assert [item.text for item in await heard(rig.asr, mulaw_audio(2), Finalize())] == ["w2"]


async def test_calls_beyond_the_engines_places_wait_for_each_other_and_all_are_answered(rig: Rig) -> None:
    calls = [heard(rig.asr, mulaw_audio(number), Finalize()) for number in range(1, 13)]
    assert [final.text for [final] in await asyncio.gather(*calls)] == [f"w{number}" for number in range(1, 13)]


# --- partials


async def said_slowly(asr: Asr, words: list[int], *then: Block) -> list[Partial | Final]:
    """Each word is a block, and time for a partial after it."""
    items: list[Partial | Final] = []

    async def blocks() -> AsyncIterator[Block]:
        for word in words:
            yield mulaw_audio(word)
            await asyncio.sleep(0.02)
        for block in then:
            yield block

    items += [item async for item in asr.stream(Start(), blocks())]
    return items


async def test_partials_grow_and_lead_to_the_final(doors: Doors) -> None:
    async with opened(doors, BlockEngine(partials=True)) as rig:
        *partials, final = await said_slowly(rig.asr, list(range(1, 13)), Finalize())
    texts = [partial.text for partial in partials]
    assert len(texts) >= 2
    assert all(isinstance(partial, Partial) for partial in partials)
    assert isinstance(final, Final)
    assert final.text == text(*range(1, 13))
    assert all(later.startswith(earlier + " ") for earlier, later in zip(texts, [*texts[1:], final.text], strict=True))
    assert all(partial.start == 0.0 and partial.words[-1].end <= partial.end for partial in partials)
    assert {asked.purpose for asked in rig.engine.asked} == {"partial", "final"}


async def test_words_that_the_engine_is_not_sure_of_are_not_told(doors: Doors) -> None:
    guesses = ["hello word", "hello world", "hello world now", "yellow world no"]
    async with opened(doors, BlockEngine(partials=True, guesses=guesses)) as rig:
        *partials, _ = await said_slowly(rig.asr, list(range(1, 15)), Finalize())
    assert [partial.text for partial in partials[:2]] == ["hello", "hello world"]
    assert all(partial.text.startswith("hello world") for partial in partials[1:])


async def test_partials_of_the_next_utterance_know_nothing_of_the_last_one(doors: Doors) -> None:
    async with opened(doors, BlockEngine(partials=True)) as rig:
        asr = rig.asr
        items: list[Partial | Final] = []

        async def blocks() -> AsyncIterator[Block]:
            for words in ([1, 2, 3, 4, 5, 6, 7, 8], [9, 10, 11, 12, 13, 14, 15, 16]):
                for word in words:
                    yield mulaw_audio(word)
                    await asyncio.sleep(0.02)
                yield Finalize()

        items += [item async for item in asr.stream(Start(), blocks())]
    first = next(number for number, item in enumerate(items) if isinstance(item, Final))
    second = items[first + 1 :]
    assert len(second) >= 2
    assert all(item.text.startswith("w9") and item.start == 1.6 for item in second)
    assert second[0].words[0].start == pytest.approx(1.6)


async def test_a_partial_that_never_comes_does_not_hold_up_the_final(doors: Doors) -> None:
    class Slow(BlockEngine):
        async def recognise(self, samples: Samples, sample_rate: int, **told: object) -> Transcript:  # type: ignore[override]
            if told["purpose"] == "partial":
                self.asked.append(told)  # type: ignore[arg-type]
                await asyncio.Event().wait()
            return await super().recognise(samples, sample_rate, **told)  # type: ignore[arg-type]

    async with opened(doors, Slow(partials=True)) as rig:
        items = await said_slowly(rig.asr, [1, 2, 3, 4, 5, 6], Finalize())
    assert [item.text for item in items] == [text(1, 2, 3, 4, 5, 6)]


# --- the caller's language


async def test_a_language_that_was_named_is_not_asked_for(rig: Rig) -> None:
    await heard(rig.asr, mulaw_audio(*range(1, 8)), Finalize(), opening=Start(language="de"))
    assert (rig.engine.languages_asked, rig.engine.asked[0].language) == (0, "de")


async def test_the_language_is_found_out_once_and_kept_for_the_call(doors: Doors) -> None:
    async with opened(doors, BlockEngine(languages=["", "hi"])) as rig:
        turn = (mulaw_audio(*range(1, 8)), Finalize())
        await heard(rig.asr, *turn, *turn, *turn)
    assert [asked.language for asked in rig.engine.asked] == ["", "hi", "hi"]
    assert rig.engine.languages_asked == 2


async def test_a_yes_is_too_short_to_tell_a_language(doors: Doors) -> None:
    async with opened(doors, BlockEngine(languages=["hi"])) as rig:
        await heard(rig.asr, mulaw_audio(1), Finalize())
    assert (rig.engine.languages_asked, rig.engine.asked[0].language) == (0, "")


# --- silence around words


async def test_silence_before_and_after_is_not_recognised_and_the_times_count_it(rig: Rig) -> None:
    [final] = await heard(rig.asr, mulaw_audio(*[0] * 20, 1, 2, *[0] * 20), Finalize())
    assert isinstance(final, Final)
    assert [(word.word, word.start) for word in final.words] == [("w1", 4.0), ("w2", 4.2)]
    assert (final.start, final.end) == (0.0, 8.4)
    assert rig.engine.asked[0].ms <= 900
    assert [used.audio_ms for used in rig.used()] == [8400]


async def test_silence_makes_no_partials(doors: Doors) -> None:
    async with opened(doors, BlockEngine(partials=True)) as rig:
        await said_slowly(rig.asr, [*range(1, 9), *[0] * 12])
    assert max(asked.ms for asked in rig.engine.asked) <= 2000
    assert len(rig.engine.asked) <= 4


# --- counting


async def test_what_was_recognised_is_told_once_with_its_length(rig: Rig) -> None:
    with acting(Principal(workspace="acme"), request_id="req_1", call_id="CA1"):
        await heard(
            rig.asr, mulaw_audio(1, 2), Finalize(), Finalize(), mulaw_audio(3), Finalize(), opening=Start(call_id="CA1")
        )
    with acting(Principal(workspace="acme"), request_id="req_2"):
        await rig.asr.transcribe(Transcribe(mulaw.encode(spoken(4))))
    await eventually(lambda: len(rig.told.events) == 3)
    assert rig.used() == [AsrUsed("CA1", "blocks", 400), AsrUsed("CA1", "blocks", 200), AsrUsed("", "blocks", 200)]
    assert {event.type for event in rig.told.events} == {Topic.USAGE_ASR}
    assert [event.subject for event in rig.told.events] == ["CA1", "CA1", "req_2"]
    assert len({event.id for event in rig.told.events}) == 3


async def test_the_same_request_asked_again_is_counted_once(rig: Rig) -> None:
    for _ in range(2):
        with acting(Principal(), request_id="req_1"):
            await rig.asr.transcribe(Transcribe(mulaw.encode(spoken(4))))
    first, second = rig.told.events
    assert first.id == second.id
