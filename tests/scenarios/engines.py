"""Engines that answer at once and predictably, so that a call on virtual time depends on telephony alone."""

import asyncio
from collections.abc import AsyncIterator, Callable

from scriza.audio import mulaw
from scriza.kernel.errors import UpstreamFailed
from scriza.ports.agent import (
    CallFacts,
    CallPlan,
    Clause,
    Conversation,
    Exchange,
    Held,
    Reply,
    ReplyDone,
    ReplyPart,
)
from scriza.ports.asr import Audio, Final, Finalize, Partial, Start, Stop, Transcribe, Transcript
from scriza.ports.llm import Usage
from scriza.ports.tts import Speak, Spoken, SpokenAudio, SpokenDone, SpokenWord, SpokenWords
from tests.unit.call_rig import plan, word_times

EVERY_CODE = bytes(range(256)) * 3 + bytes(32)
"""100 ms of mu-law in which each code occurs."""


class LineAsr:
    """Understands the next line of the caller's script at each finalize."""

    def __init__(self, *lines: str, delay_s: float = 0.1) -> None:
        self.lines = list(lines)
        self.delay_s = delay_s
        self.heard_ms: list[int] = []
        self.opening = Start()
        """How it was asked to listen, the last time."""
        self.failing = False

    async def transcribe(self, request: Transcribe) -> Transcript:
        raise NotImplementedError

    async def stream(
        self, opening: Start, blocks: AsyncIterator[Audio | Finalize | Stop]
    ) -> AsyncIterator[Partial | Final]:
        self.opening = opening
        ms = 0
        async for block in blocks:
            if self.failing:
                raise UpstreamFailed("scripted")
            if isinstance(block, Audio):
                ms += len(block.payload) // mulaw.BYTES_PER_MS
            elif isinstance(block, Finalize):
                self.heard_ms.append(ms)
                ms = 0
                await asyncio.sleep(self.delay_s)
                text = self.lines.pop(0) if self.lines else ""
                yield Final(text, 0.9 if text else 0.0, [], 0.0, 0.0)


class ToneTts:
    """Speaks 200 ms a word, in pieces of 100 ms, after `delay_s`."""

    def __init__(self, delay_s: float = 0.05) -> None:
        self.delay_s = delay_s
        self.spoken: list[str] = []
        self.broken: Callable[[str], bool] = lambda text: False

    async def speak(self, request: Speak) -> Spoken:
        raise NotImplementedError

    async def stream_speak(self, request: Speak) -> AsyncIterator[SpokenAudio | SpokenWords | SpokenDone]:
        await asyncio.sleep(self.delay_s)
        if self.broken(request.text):
            raise UpstreamFailed("scripted")
        self.spoken.append(request.text)
        words: list[SpokenWord] = word_times(request.text)
        yield SpokenWords(words)
        for _ in range(words[-1].end_ms // 100):
            yield SpokenAudio(EVERY_CODE)
        yield SpokenDone(words[-1].end_ms / 1000, len(request.text), cache_hit=False)


class ScriptedAgent:
    """Answers each utterance by the function it is given; remembers what it was asked."""

    def __init__(self, answer: Callable[[Reply], list[ReplyPart]], delay_s: float = 0.2) -> None:
        self.answer = answer
        self.delay_s = delay_s
        self.planning_s = 0.0
        """How long it takes to say how a call is to be led."""
        self.asked: list[Reply] = []
        self.cancelled = 0
        self.broken = False

    async def begin(self, call: CallFacts) -> CallPlan:
        if self.planning_s:
            await asyncio.sleep(self.planning_s)
        if self.broken:
            raise UpstreamFailed("scripted")
        return plan()

    async def reply(self, request: Reply) -> AsyncIterator[ReplyPart]:
        self.asked.append(request)
        try:
            await asyncio.sleep(self.delay_s)
            if self.broken:
                raise UpstreamFailed("scripted")
            said = []
            for part in self.answer(request):
                if isinstance(part, Clause):
                    said.append(part.text)
                yield part
                if isinstance(part, Held):
                    return
            before = request.conversation
            exchanges = [*before.exchanges, Exchange(request.utterance, " ".join(said))]
            after = Conversation(before.playbook, "pitch", before.opening, exchanges)
            yield ReplyDone(after, Usage(10, 5, 15), "scripted", cached=False)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


class SilentCarrier:
    """Remembers what it was asked to do."""

    def __init__(self) -> None:
        self.texts: list[tuple[str, str]] = []

    async def send_sms(self, *, sender: str, to: str, text: str) -> str:
        self.texts.append((to, text))
        return f"SM{len(self.texts)}"
