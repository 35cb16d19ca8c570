"""What a talk promises, in this process and over its socket alike: texts in pieces, utterances out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from scriza.kernel.errors import TooLarge, UpstreamFailed
from scriza.modules.tts.service import TtsService
from scriza.ports.tts import (
    SpokenWord,
    StartTalk,
    TalkAudio,
    TalkCancel,
    TalkDone,
    TalkFailed,
    TalkFlush,
    TalkStop,
    TalkText,
    TalkWords,
    Tts,
)
from scriza_adapters.objects_directory import DirectoryObjects
from tests.contract.doors import Doors
from tests.standins.speech_engine import WORD_MS, ToneEngine
from tests.standins.teller import Told
from tests.waiting import eventually

Block = TalkText | TalkFlush | TalkCancel | TalkStop
Item = TalkAudio | TalkWords | TalkDone | TalkFailed


class Rig(NamedTuple):
    tts: Tts
    engine: ToneEngine


@pytest.fixture
async def rig(doors: Doors, tmp_path: Path) -> AsyncIterator[Rig]:
    engine = ToneEngine()
    service = TtsService([engine], DirectoryObjects(tmp_path, url="http://here", key="secret"), Told())
    async with doors(Tts, service) as tts:
        yield Rig(tts, engine)
    await service.close()


class Line:
    """A client that says something now and then, and keeps what it hears."""

    def __init__(self, tts: Tts, opening: StartTalk) -> None:
        self._blocks: asyncio.Queue[Block | None] = asyncio.Queue()
        self._items = tts.talk(opening, self._said())
        self.heard: list[Item] = []

    async def _said(self) -> AsyncIterator[Block]:
        while (block := await self._blocks.get()) is not None:
            yield block

    def say(self, *blocks: Block | None) -> None:
        for block in blocks:
            self._blocks.put_nowait(block)

    async def until(self, kind: type[Item]) -> Item:
        async with asyncio.timeout(20):
            async for item in self._items:
                self.heard.append(item)
                if isinstance(item, kind):
                    return item
        raise AssertionError(f"no {kind.__name__} came")

    async def rest(self) -> None:
        async with asyncio.timeout(20):
            async for item in self._items:
                self.heard.append(item)

    def audio(self, context: str = "") -> bytes:
        return b"".join(item.payload for item in self.heard if isinstance(item, TalkAudio) and item.context == context)

    def words(self, context: str = "") -> list[SpokenWord]:
        told = (item.words for item in self.heard if isinstance(item, TalkWords) and item.context == context)
        return [word for words in told for word in words]


@asynccontextmanager
async def talking(tts: Tts, opening: StartTalk | None = None) -> AsyncIterator[Line]:
    line = Line(tts, opening or StartTalk())
    async with aclosing(line._items):  # type: ignore[type-var]  # an async generator on both doors
        yield line


async def test_an_utterance_is_spoken_with_its_words_and_is_done(rig: Rig) -> None:
    async with talking(rig.tts, StartTalk("v", "calm", "en-GB", "CA1")) as line:
        line.say(TalkText("one t"), TalkText("wo thr"), TalkText("ee"), TalkFlush())
        assert await line.until(TalkDone) == TalkDone(0.3, 13)
    assert len(line.audio()) == 3 * WORD_MS * 8
    assert line.words() == [SpokenWord(0, 100, 3), SpokenWord(100, 200, 7), SpokenWord(200, 300, 13)]
    [asked] = rig.engine.asked
    assert (asked.voice_id, asked.tone, asked.locale, asked.call_id) == ("v", "calm", "en-GB", "CA1")


async def test_a_sentence_is_spoken_before_the_next_one_is_written(rig: Rig) -> None:
    async with talking(rig.tts) as line:
        line.say(TalkText("This is the first sentence. And this"))
        await line.until(TalkAudio)
        line.say(TalkText(" is the second."), TalkFlush())
        assert await line.until(TalkDone) == TalkDone(1.0, 51)
    text = "This is the first sentence. And this is the second."
    assert [text[: word.chars].split()[-1] for word in line.words()] == text.split()
    assert [word.end_ms for word in line.words()] == [100 * number for number in range(1, 11)]
    assert [(asked.text, asked.previous_text) for asked in rig.engine.asked] == [
        ("This is the first sentence.", ""),
        ("And this is the second.", "This is the first sentence."),
    ]


async def test_utterances_are_spoken_in_the_order_in_which_they_began(rig: Rig) -> None:
    async with talking(rig.tts) as line:
        line.say(
            TalkText("one", "a"), TalkText("two", "b"), TalkFlush("b"), TalkText(" more", "a"), TalkFlush("a"), None
        )
        await line.rest()
    assert [(item.context, item.characters) for item in line.heard if isinstance(item, TalkDone)] == [
        ("a", 8),
        ("b", 3),
    ]
    assert [asked.text for asked in rig.engine.asked] == ["one more", "two"]


async def test_a_cancelled_utterance_stops_being_made_and_the_talk_goes_on(rig: Rig) -> None:
    rig.engine.gate = asyncio.Semaphore(2)
    async with talking(rig.tts) as line:
        line.say(TalkText("one two three four", "a"), TalkFlush("a"))
        while len(line.audio("a")) < 2 * WORD_MS * 8:
            await line.until(TalkAudio)
        line.say(TalkCancel("a"), TalkText("five", "b"), TalkFlush("b"))
        assert await line.until(TalkDone) == TalkDone(0.2, 7, "a", cancelled=True)
        await eventually(lambda: rig.engine.closed == 1)
        rig.engine.gate.release()
        assert await line.until(TalkDone) == TalkDone(0.1, 4, "b")


async def test_an_utterance_that_waits_can_be_cancelled_too(rig: Rig) -> None:
    rig.engine.gate = asyncio.Semaphore(0)
    async with talking(rig.tts) as line:
        line.say(TalkText("one", "a"), TalkFlush("a"), TalkText("two", "b"), TalkCancel("b"), TalkCancel("c"), None)
        listening = asyncio.create_task(line.rest())
        await eventually(lambda: rig.engine.asked)
        rig.engine.gate.release()
        await listening
    assert [item for item in line.heard if isinstance(item, TalkDone)] == [
        TalkDone(0.1, 3, "a"),
        TalkDone(0.0, 0, "b", cancelled=True),
    ]


async def test_a_name_may_be_used_again_once_its_utterance_is_complete(rig: Rig) -> None:
    async with talking(rig.tts) as line:
        line.say(TalkText("one"), TalkFlush(), TalkText("two three"), TalkCancel(), TalkText("four"), TalkFlush(), None)
        await line.rest()
    done = [item for item in line.heard if isinstance(item, TalkDone)]
    assert [item.characters for item in done if not item.cancelled][-1] == 4
    assert [item.cancelled for item in done][-1] is False


async def test_stop_ends_the_talk_at_once(rig: Rig) -> None:
    rig.engine.gate = asyncio.Semaphore(1)
    async with talking(rig.tts) as line:
        line.say(TalkText("one two three"), TalkFlush())
        await line.until(TalkAudio)
        line.say(TalkStop())
        await line.rest()
    assert not any(isinstance(item, TalkDone) for item in line.heard)
    await eventually(lambda: rig.engine.closed == 1)


async def test_what_was_sent_is_spoken_to_its_end_when_no_more_comes(rig: Rig) -> None:
    async with talking(rig.tts) as line:
        line.say(TalkText("one two"), None)
        await line.rest()
    assert line.heard[-1] == TalkDone(0.2, 7)


async def test_who_leaves_stops_the_engine(rig: Rig) -> None:
    rig.engine.gate = asyncio.Semaphore(1)
    async with talking(rig.tts) as line:
        line.say(TalkText("one two three"), TalkFlush())
        await line.until(TalkAudio)
    await eventually(lambda: rig.engine.closed == 1)


async def test_an_utterance_that_fails_is_told_and_the_talk_goes_on(rig: Rig) -> None:
    rig.engine.fail_after = 0
    async with talking(rig.tts) as line:
        line.say(TalkText("one", "a"), TalkFlush("a"))
        failed = await line.until(TalkFailed)
        assert failed == TalkFailed(UpstreamFailed.title, 502, failed.detail, "a")  # type: ignore[union-attr]  # it is one
        rig.engine.fail_after = None
        line.say(TalkText("two", "b"), TalkFlush("b"))
        assert await line.until(TalkDone) == TalkDone(0.1, 3, "b")


async def test_what_cannot_be_said_is_passed_over(rig: Rig) -> None:
    async with talking(rig.tts) as line:
        line.say(TalkText("..."), TalkFlush(), TalkFlush("nothing"), None)
        await line.rest()
    assert line.heard == [TalkDone(0.0, 3)]


async def test_a_text_without_end_is_spoken_in_parts(rig: Rig) -> None:
    async with talking(rig.tts) as line:
        line.say(TalkText("word " * 500), TalkFlush(), None)
        await line.rest()
    assert {len(asked.text) for asked in rig.engine.asked} == {999, 499}
    assert [word.chars for word in line.words()] == [number * 5 + 4 for number in range(500)]


async def test_more_than_can_be_spoken_soon_is_refused(rig: Rig) -> None:
    rig.engine.gate = asyncio.Semaphore(0)
    async with talking(rig.tts) as line:
        line.say(*(TalkText("word " * 1000) for _ in range(12)))
        with pytest.raises(TooLarge):
            await line.rest()


async def test_more_utterances_than_can_be_spoken_soon_are_refused_however_short(rig: Rig) -> None:
    rig.engine.gate = asyncio.Semaphore(0)
    async with talking(rig.tts) as line:
        line.say(*(TalkText("", f"utterance {number}") for number in range(101)))
        with pytest.raises(TooLarge):
            await line.rest()


async def test_the_voice_is_prepared_before_the_first_text(rig: Rig) -> None:
    async with talking(rig.tts, StartTalk("v", "calm")) as line:
        line.say(None)
        await line.rest()
    assert [(asked.voice_id, asked.tone) for asked in rig.engine.prepared] == [("v", "calm")]
