"""A call on virtual time: the session with a phone in memory, in-process engines and the journal in memory."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from scriza.modules.telephony.call_log import NewCall
from scriza.modules.telephony.live.session import Doors, Session, SessionOptions
from scriza.modules.telephony.live.spare_lines import SpareLines
from scriza.modules.telephony.turns.fixed_silence import FixedSilence
from scriza.modules.telephony.vad import EnergyVad
from scriza.ports.agent import Clause, HangUp, Held, PressKeys, Reply, ReplyPart, ScheduleCallback, SendSms, TransferTo
from scriza.ports.telephony import CallRecord
from tests.memory_log import MemoryCallLog
from tests.memory_placing import MemoryPlacing
from tests.scenarios.engines import LineAsr, ScriptedAgent, SilentCarrier, ToneTts
from tests.scenarios.memory_phone import MemoryPhone
from tests.virtual_time import run_virtual

START = datetime(2026, 1, 1, tzinfo=UTC)


def by_the_book(request: Reply) -> list[ReplyPart]:
    match request.utterance:
        case "goodbye":
            return [Clause("Goodbye then."), HangUp()]
        case "count for me":
            return [Clause("one two three four five six seven eight nine ten eleven twelve.")]
        case "text me":
            return [Clause("Done."), SendSms("Hello from Acme")]
        case "call me tomorrow":
            return [Clause("I will."), ScheduleCallback(START + timedelta(days=1), "a demo", {"name": "Ada"})]
        case "book me in" if request.speculative:
            return [Clause("Let me book that."), Held(["Let me book that."])]
        case "book me in":
            return [Clause("You are booked.")]
        case "press one two for sales":
            return [Clause("Sure."), PressKeys("1w2#")]
        case "a person please":
            return [Clause("I will connect you."), TransferTo("+14155550123", "Somebody asks.")]
        case _:
            return [Clause("It is ten dollars."), Clause("Anything else?")]


async def in_california(number: str) -> str:
    return "America/Los_Angeles"


@dataclass
class World:
    """Everything a call needs, and what came of it."""

    asr: LineAsr = field(default_factory=LineAsr)
    tts: ToneTts = field(default_factory=ToneTts)
    agent: ScriptedAgent = field(default_factory=lambda: ScriptedAgent(by_the_book))
    carrier: SilentCarrier = field(default_factory=SilentCarrier)
    options: SessionOptions = field(default_factory=SessionOptions)
    direction: Literal["inbound", "outbound"] = "inbound"

    def __post_init__(self) -> None:
        self.log = MemoryCallLog(self.clock)
        self.placing = MemoryPlacing(self.carrier, self.clock)

    def clock(self) -> datetime:
        return START + timedelta(seconds=asyncio.get_running_loop().time())

    async def record(self) -> CallRecord:
        record = await self.log.record("default", "CA1")
        assert record is not None
        return record

    async def session(self, phone: MemoryPhone) -> Session:
        numbers = ("+14155550100", "+14155550199")
        new = NewCall("CA1", "default", self.direction, *numbers, "in-progress", START, who="who_ada")
        await self.log.open(new)
        return Session(self.doors(), self.options, phone, "MZ1", await self.log.attach("CA1"))

    def doors(self) -> Doors:
        return Doors(
            agent=self.agent,
            asr=self.asr,
            tts=self.tts,
            log=self.log,
            texts=self.placing.texts,
            barred=self.placing.barred,
            callbacks=self.placing.callbacks,
            credit=self.placing.purse.for_calls(),
            vad=EnergyVad,
            endpointer=lambda: FixedSilence(600),
            clock=self.clock,
            spare_lines=SpareLines(self.tts, 4_000),
            zone_of=in_california,
        )


Script = Callable[[MemoryPhone], Awaitable[None]]


def call(world: World, *scripts: Script) -> CallRecord:
    """Lead a call, one media stream a script; a call that does not end within two hours of virtual time fails."""

    async def main() -> CallRecord:
        for script in scripts:
            phone = MemoryPhone()
            session = await world.session(phone)
            async with asyncio.timeout(7200), asyncio.TaskGroup() as tasks:
                calling = tasks.create_task(script(phone))  # type: ignore[arg-type]  # scripts are coroutine functions
                await session.run()
                calling.cancel()
        return await world.record()

    return run_virtual(main())
