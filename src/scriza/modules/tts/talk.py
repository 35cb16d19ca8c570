"""A talk: texts come in pieces as they are written, and are spoken sentence by sentence."""

import asyncio
import re
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Literal

import msgspec

from scriza.kernel.errors import ScrizaError, TooLarge
from scriza.ports.tts import (
    Speak,
    SpokenAudio,
    SpokenDone,
    SpokenWord,
    SpokenWords,
    TalkAudio,
    TalkCancel,
    TalkDone,
    TalkFailed,
    TalkFlush,
    TalkStop,
    TalkText,
    TalkWords,
)

Block = TalkText | TalkFlush | TalkCancel | TalkStop
Item = TalkAudio | TalkWords | TalkDone | TalkFailed
Part = SpokenAudio | SpokenWords | SpokenDone
SpeakOne = Callable[[Speak], AsyncIterator[Part]]

_MOST_WAITING = 50_000
"""Characters that were sent and not spoken yet."""
_MOST_UTTERANCES = 100
"""Utterances that have begun and are not over."""
_SHORTEST = 20
"""Characters of a sentence that is spoken on its own: "Dr. Smith is in." is one."""
_LONGEST = 1000
"""Characters that are spoken at once where no sentence ends."""
_SENTENCE = re.compile(rf".{{{_SHORTEST},}}?[.!?…।。！？][\"'”’)\]]*\s", re.DOTALL)  # noqa: RUF001


class _Utterance:
    """One text that is still coming or being spoken."""

    def __init__(self, context: str) -> None:
        self.context = context
        self.text = ""
        self.begun = 0
        """Characters whose speaking has begun."""
        self.said = 0
        """Characters of the words that were handed on."""
        self.ms = 0.0
        self.complete = False
        self.cancelled = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Characters that are still to be spoken."""
        return len(self.text) - self.begun

    def next_sentence(self) -> str | None:
        """What can be spoken now: a sentence, or the rest once it is complete; none when there is nothing yet."""
        end = self.begun + _LONGEST
        if found := _SENTENCE.match(self.text, self.begun, end):
            return found.group()
        if self.waiting > _LONGEST:
            space = self.text.rfind(" ", self.begun, end)
            return self.text[self.begun : space + 1 if space > self.begun else end]
        return self.text[self.begun :] if self.complete and self.waiting else None


class Talk:
    """One talk. `request` has its voice; `speak` speaks one sentence."""

    def __init__(self, request: Speak, speak: SpeakOne) -> None:
        self._request, self._speak = request, speak
        self._utterances: deque[_Utterance] = deque()
        self._news = asyncio.Event()
        self._stopped = False

    async def run(self, blocks: AsyncIterator[Block]) -> AsyncGenerator[Item, None]:
        """What is spoken, until `TalkStop` or until `blocks` have ended and all is said."""
        reading = asyncio.create_task(self._read(blocks), name="tts talk")
        reading.add_done_callback(lambda _: self._news.set())
        try:
            while not self._stopped:
                self._news.clear()
                if self._utterances and (item := self._over(self._utterances[0])):
                    self._utterances.popleft()
                    yield item
                elif self._utterances and (sentence := self._utterances[0].next_sentence()):
                    async with aclosing(self._sentence(self._utterances[0], sentence)) as items:
                        async for item in items:
                            yield item
                elif reading.done() and not self._utterances:
                    break
                else:
                    await self._news.wait()
            if reading.done():
                reading.result()
        finally:
            reading.cancel()
            await asyncio.wait([reading])

    def _over(self, utterance: _Utterance) -> Item | None:
        cancelled = utterance.cancelled.is_set()
        if not cancelled and (utterance.waiting or not utterance.complete):
            return None
        characters = utterance.said if cancelled else len(utterance.text)
        return TalkDone(round(utterance.ms / 1000, 3), characters, utterance.context, cancelled)

    async def _read(self, blocks: AsyncIterator[Block]) -> None:
        try:
            async for block in blocks:
                match block:
                    case TalkText(text, context):
                        self._written(text, context)
                    case TalkFlush(context):
                        if utterance := self._open(context):
                            utterance.complete = True
                    case TalkCancel(context):
                        for utterance in self._utterances:
                            if utterance.context == context:
                                utterance.complete = True
                                utterance.cancelled.set()
                    case TalkStop():
                        self._stop()
                        return
                self._news.set()
            for utterance in self._utterances:
                utterance.complete = True
        except BaseException:
            self._stop()
            raise

    def _stop(self) -> None:
        self._stopped = True
        for utterance in self._utterances:
            utterance.cancelled.set()
        self._news.set()

    def _open(self, context: str) -> _Utterance | None:
        return next((each for each in self._utterances if each.context == context and not each.complete), None)

    def _written(self, text: str, context: str) -> None:
        utterance = self._open(context)
        if utterance is None:
            if len(self._utterances) >= _MOST_UTTERANCES:
                raise TooLarge(f"more than {_MOST_UTTERANCES} utterances wait to be spoken")
            utterance = _Utterance(context)
            self._utterances.append(utterance)
        utterance.text += text
        if sum(each.waiting for each in self._utterances) > _MOST_WAITING:
            raise TooLarge(f"more than {_MOST_WAITING} characters wait to be spoken")

    async def _sentence(self, utterance: _Utterance, sentence: str) -> AsyncGenerator[Item, None]:
        began = utterance.begun + len(sentence) - len(sentence.lstrip())
        utterance.begun += len(sentence)
        text = sentence.strip()
        if not any(map(str.isalnum, text)):
            return
        before = utterance.text[:began].rstrip()
        parts = self._speak(msgspec.structs.replace(self._request, text=text, previous_text=before))
        began_ms, told = utterance.ms, utterance.said
        cancelled = asyncio.create_task(utterance.cancelled.wait())
        try:
            while (part := await _unless(cancelled, parts)) is not None:
                match part:
                    case SpokenAudio(payload):
                        utterance.ms += len(payload) / 8
                        utterance.said = told
                        yield TalkAudio(payload, utterance.context)
                    case SpokenWords(words):
                        told = began + words[-1].chars
                        yield TalkWords([_later(word, round(began_ms), began) for word in words], utterance.context)
        except ScrizaError as error:
            self._utterances.popleft()
            problem = error.problem()
            yield TalkFailed(problem.title, problem.status, problem.detail, utterance.context)
        finally:
            cancelled.cancel()
            await _close(parts)


async def _unless(cancelled: "asyncio.Task[Literal[True]]", parts: AsyncIterator[Part]) -> Part | None:
    """The next part; none when there is no other, or nobody wants it any more."""
    coming = asyncio.create_task(_next(parts))
    try:
        await asyncio.wait({coming, cancelled}, return_when=asyncio.FIRST_COMPLETED)
        return coming.result() if coming.done() and not cancelled.done() else None
    finally:
        if not coming.done():
            coming.cancel()
            await asyncio.wait([coming])


async def _next(parts: AsyncIterator[Part]) -> Part | None:
    return await anext(parts, None)


async def _close(parts: AsyncIterator[Part]) -> None:
    if isinstance(parts, AsyncGenerator):
        await parts.aclose()


def _later(word: SpokenWord, ms: int, chars: int) -> SpokenWord:
    return SpokenWord(word.start_ms + ms, word.end_ms + ms, word.chars + chars)
