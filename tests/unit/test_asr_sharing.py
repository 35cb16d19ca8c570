"""Several calls share an engine, on virtual time: finals do not wait for partials, and each call has its share."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Literal

from scriza.audio import mulaw
from scriza.audio.mulaw import Samples
from scriza.modules.asr.service import AsrService
from scriza.ports.asr import Audio, Final, Finalize, Partial, Start, Stop, Transcript
from tests.standins.block_engine import BlockEngine, spoken
from tests.standins.teller import Told
from tests.virtual_time import run_virtual

PARTIAL_S, FINAL_S = 0.2, 0.4
WORDS = list(range(1, 16))
"""Three seconds of them."""


class TimedEngine(BlockEngine):
    """Takes its time; the first of a call's phrases tells whose recognition it is."""

    def __init__(self, places: int) -> None:
        super().__init__(places=places, partials=True)
        self.at_once = self.most_at_once = 0
        self.partials_of: Counter[str] = Counter()

    async def recognise(
        self,
        samples: Samples,
        sample_rate: int,
        *,
        language: str,
        phrases: Sequence[str],
        prompt: str = "",
        purpose: Literal["partial", "final", "recording"],
    ) -> Transcript:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(PARTIAL_S if purpose == "partial" else FINAL_S)
        finally:
            self.at_once -= 1
        self.partials_of[phrases[0]] += purpose == "partial"
        return await super().recognise(samples, sample_rate, language=language, phrases=phrases, purpose=purpose)


class Caller:
    """Speaks for 3 s and waits for the final, `turns` times; notes how long it waited, and the partials in between."""

    def __init__(self, name: str, late: float, turns: int) -> None:
        self.name, self.late, self.turns = name, late, turns
        self.waits: list[float] = []
        self.partials: list[Partial] = []

    async def call(self, service: AsrService) -> None:
        loop, answered = asyncio.get_running_loop(), asyncio.Event()
        asked = 0.0

        async def blocks() -> AsyncIterator[Audio | Finalize | Stop]:
            nonlocal asked
            await asyncio.sleep(self.late)
            for _ in range(self.turns):
                for word in WORDS:
                    await asyncio.sleep(0.2)
                    yield Audio(mulaw.encode(spoken(word)))
                asked = loop.time()
                answered.clear()
                yield Finalize()
                await answered.wait()
                await asyncio.sleep(3)

        async for item in service.stream(Start(phrases=[self.name]), blocks()):
            if isinstance(item, Final):
                assert len(item.words) == len(WORDS)
                self.waits.append(loop.time() - asked)
                answered.set()
            else:
                self.partials.append(item)


def shared(engine: TimedEngine, *callers: Caller) -> None:
    async def calls() -> None:
        service = AsrService(engine, Told())
        async with asyncio.TaskGroup() as tasks:
            for caller in callers:
                tasks.create_task(caller.call(service))

    run_virtual(calls())


def test_one_caller_has_partials_all_along_and_waits_for_nobody() -> None:
    engine, caller = TimedEngine(places=1), Caller("one", 0.0, turns=3)
    shared(engine, caller)
    assert max(caller.waits) <= FINAL_S + 0.001
    assert engine.partials_of["one"] >= 3 * 4
    assert len(caller.partials) >= 3 * 2


def test_a_final_that_comes_while_others_speak_goes_before_their_partials() -> None:
    engine = TimedEngine(places=1)
    callers = [Caller(str(number), 1.6 * number, turns=4) for number in range(3)]
    shared(engine, *callers)
    waits = sorted(wait for caller in callers for wait in caller.waits)
    assert len(waits) == 12
    assert waits[8] <= FINAL_S + 0.001  # most have nobody's final before them
    assert waits[-1] <= 2 * FINAL_S + 0.001
    assert engine.most_at_once == 1
    assert all(caller.partials for caller in callers)


def test_calls_that_speak_at_the_same_time_get_as_many_partials_as_each_other() -> None:
    engine = TimedEngine(places=2)
    callers = [Caller(str(number), 0.0, turns=4) for number in range(5)]
    shared(engine, *callers)
    counts = [engine.partials_of[caller.name] for caller in callers]
    assert min(counts) >= 4
    assert max(counts) - min(counts) <= 4, "one an utterance"
    assert engine.most_at_once <= 2


def test_under_load_partials_are_shed_and_every_final_comes() -> None:
    engine = TimedEngine(places=1)
    callers = [Caller(str(number), 0.4 * number, turns=6) for number in range(12)]
    shared(engine, *callers)
    assert all(len(caller.waits) == 6 for caller in callers)
    assert sum(engine.partials_of.values()) <= 12
    assert max(wait for caller in callers for wait in caller.waits) < 5
