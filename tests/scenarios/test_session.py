"""Whole calls on virtual time: the session with a phone in memory, in-process engines and the journal in memory."""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Literal

import pytest

from scriza.kernel.errors import Unavailable
from scriza.kernel.events import Topic
from scriza.modules.telephony.call.machine import Call
from scriza.modules.telephony.call.replay import read, replay
from scriza.modules.telephony.call_log import NewCall
from scriza.modules.telephony.live.session import Doors, Session, SessionOptions
from scriza.modules.telephony.live.spare_lines import SpareLines
from scriza.modules.telephony.turns.barge_in import BargeInOptions
from scriza.modules.telephony.turns.fixed_silence import FixedSilence
from scriza.modules.telephony.turns.limits import Limits
from scriza.modules.telephony.vad import EnergyVad
from scriza.ports.agent import Clause, HangUp, PressKeys, Reply, ReplyPart, SendSms, TransferTo
from scriza.ports.telephony import CallRecord
from scriza.simulator.keypad import Keypad
from tests.memory_log import MemoryCallLog
from tests.memory_placing import MemoryPlacing
from tests.scenarios.engines import LineAsr, ScriptedAgent, SilentCarrier, ToneTts
from tests.scenarios.memory_phone import MemoryPhone
from tests.unit.call_rig import LINES, OPENING, plan
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
        case "press one two for sales":
            return [Clause("Sure."), PressKeys("1w2#")]
        case "a person please":
            return [Clause("I will connect you."), TransferTo("+14155550123", "Somebody asks.")]
        case _:
            return [Clause("It is ten dollars."), Clause("Anything else?")]


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
        new = NewCall("CA1", "default", self.direction, "+14155550100", "+14155550199", "in-progress", START)
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
            vad=EnergyVad,
            endpointer=lambda: FixedSilence(600),
            clock=self.clock,
            spare_lines=SpareLines(self.tts, 4_000),
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


def topics(world: World) -> list[Topic]:
    return [event.type for event in world.log.told]


def test_a_greeting_a_question_and_a_goodbye() -> None:
    world = World(asr=LineAsr("what does it cost", "goodbye"))

    async def caller(phone: MemoryPhone) -> None:
        await phone.heard_all()
        await phone.say(1500)
        await phone.heard_all()
        await phone.say(800)
        await phone.heard_all()

    record = call(world, caller)
    assert [(turn.user, turn.agent) for turn in record.turns] == [
        ("", OPENING),
        ("what does it cost", "It is ten dollars. Anything else?"),
        ("goodbye", "Goodbye then."),
    ]
    assert record.ended_reason == "agent-goodbye"
    assert record.tokens_used == 30
    assert record.duration_seconds is not None
    assert 5 < record.duration_seconds < 15
    told = topics(world)
    assert told.count(Topic.CALL_COMPLETED) == 1
    assert told.count(Topic.UTTERANCE_TRANSCRIBED) == 2
    assert told.count(Topic.REPLY_GENERATED) == 3
    assert told.count(Topic.AUDIO_SYNTHESIZED) == 4
    assert Topic.CALL_UPDATED in told


def test_the_recogniser_is_told_what_the_plan_says_callers_may_say() -> None:
    world = World()

    async def caller(phone: MemoryPhone) -> None:
        await phone.heard_all()
        phone.hang_up()

    call(world, caller)
    opening = world.asr.opening
    assert (opening.call_id, opening.language, opening.prompt) == ("CA1", "en", plan().prompt)
    assert opening.phrases[: len(plan().phrases)] == plan().phrases


def test_the_waterfall_is_true_to_the_clock() -> None:
    world = World(asr=LineAsr("what does it cost"))

    async def caller(phone: MemoryPhone) -> None:
        await phone.heard_all()
        await phone.say(1500)
        stopped = phone.elapsed
        await phone.heard_all()
        gaps.append(phone.played[-1][0] - stopped)
        phone.hang_up()

    gaps: list[float] = []
    record = call(world, caller)
    [latency] = record.metrics.latencies
    assert latency.total_ms == pytest.approx(gaps[0] * 1000, abs=40)
    assert latency.total_ms == pytest.approx(600, abs=40), "the agent thought and spoke while the silence was counted"


def test_without_speculation_thinking_begins_when_the_turn_is_over() -> None:
    world = World(asr=LineAsr("what does it cost"), options=SessionOptions(speculate=False))

    async def caller(phone: MemoryPhone) -> None:
        await phone.heard_all()
        await phone.say(1500)
        await phone.heard_all()
        phone.hang_up()

    [latency] = call(world, caller).metrics.latencies
    assert (latency.llm_ms, latency.tts_ms) == (200, 50)
    assert latency.total_ms == pytest.approx(850, abs=40)


def test_a_caller_who_goes_on_gets_one_answer_to_all_of_it() -> None:
    world = World(asr=LineAsr("what does it", "what does it cost"))

    async def caller(phone: MemoryPhone) -> None:
        await phone.heard_all()
        await phone.say(800)
        await asyncio.sleep(0.4)
        await phone.say(600)
        await phone.heard_all()
        phone.hang_up()

    record = call(world, caller)
    assert [turn.user for turn in record.turns] == ["", "what does it cost"]
    assert world.agent.cancelled == 1
    first, second = world.asr.heard_ms
    assert second > first + 600, "the turn was sent again from its beginning"


def test_an_interruption_silences_the_phone_and_history_keeps_what_was_heard() -> None:
    world = World(asr=LineAsr("count for me", "stop please"))

    async def caller(phone: MemoryPhone) -> None:
        await phone.heard_all()
        await phone.say(1000)
        await phone.agent_begins()
        await asyncio.sleep(1.0)
        onset = phone.elapsed
        await phone.say(800)
        silences.append(phone.played[-1][1] - onset)
        await phone.heard_all()
        phone.hang_up()

    silences: list[float] = []
    record = call(world, caller)
    assert silences[0] < 0.3
    assert record.turns[1].agent == "one two three four five"
    assert record.metrics.barge_ins == 1
    assert world.agent.asked[-1].conversation.exchanges[0].agent == "one two three four five"


def test_after_a_cough_the_agent_goes_on_where_it_stopped() -> None:
    world = World(asr=LineAsr("count for me", ""))

    async def caller(phone: MemoryPhone) -> None:
        await phone.heard_all()
        await phone.say(1000)
        await phone.agent_begins()
        await asyncio.sleep(1.0)
        await phone.say(150)
        await phone.heard_all()
        answer = [part for part in phone.played if part[0] > 2]
        played.append(sum(end - start for start, end in answer))
        gaps.append(max(late[0] - early[1] for early, late in pairwise(answer)))
        phone.hang_up()

    played: list[float] = []
    gaps: list[float] = []
    record = call(world, caller)
    assert played[0] == pytest.approx(12 * 0.2, abs=0.01), "every millisecond of the answer was played, once"
    assert gaps[0] < 0.9
    assert record.turns[1].agent == "one two three four five six seven eight nine ten eleven twelve."
    assert (record.metrics.barge_ins, record.metrics.false_barge_ins) == (0, 1)


def test_a_caller_who_never_speaks_is_told_goodbye_ten_seconds_after_the_opening() -> None:
    world = World()

    async def caller(phone: MemoryPhone) -> None:
        phones.append(phone)

    phones: list[MemoryPhone] = []
    record = call(world, caller)
    (_, opening_heard), (fallback, _) = phones[0].played
    assert fallback - opening_heard == pytest.approx(10, abs=0.15)
    assert record.ended_reason == "intro-timeout"
    assert [turn.agent for turn in record.turns] == [OPENING, LINES.intro_timeout]


def test_silence_later_means_two_prompts_one_text_message_and_the_end() -> None:
    world = World(asr=LineAsr("what does it cost"))

    async def caller(phone: MemoryPhone) -> None:
        await phone.heard_all()
        await phone.say(1000)
        await asyncio.sleep(3600)

    record = call(world, caller)
    assert [turn.agent for turn in record.turns[2:]] == LINES.silence_prompts
    assert world.carrier.texts == [("+14155550100", LINES.silence_sms)]
    assert record.ended_reason == "silence"


def test_a_text_message_is_sent_once_however_often_the_call_is_taken_up() -> None:
    world = World(asr=LineAsr("text me", "text me"))

    async def caller(phone: MemoryPhone) -> None:
        await phone.heard_all()
        await phone.say(1000)
        await phone.heard_all()
        phone.drop()

    call(world, caller, caller)
    assert len(world.carrier.texts) == 1


def test_a_lost_socket_does_not_end_the_call_and_the_next_stream_goes_on() -> None:
    world = World(asr=LineAsr("what does it cost", "goodbye"))

    async def loses_the_line(phone: MemoryPhone) -> None:
        await phone.heard_all()
        await phone.say(1000)
        await phone.heard_all()
        phone.drop()

    async def comes_back(phone: MemoryPhone) -> None:
        await phone.heard_all()
        await phone.say(1000)
        await phone.heard_all()

    record = call(world, loses_the_line, comes_back)
    assert [turn.agent for turn in record.turns] == [
        OPENING,
        "It is ten dollars. Anything else?",
        LINES.resumed,
        "Goodbye then.",
    ]
    assert world.agent.asked[-1].conversation.exchanges[0].user == "what does it cost"
    assert topics(world).count(Topic.CALL_COMPLETED) == 1


def test_a_question_whose_answer_was_lost_with_the_socket_is_answered_on_the_next_stream() -> None:
    world = World(asr=LineAsr("what does it cost"))

    async def loses_the_line(phone: MemoryPhone) -> None:
        await phone.heard_all()
        await phone.say(1000)
        await asyncio.sleep(0.8)
        assert world.agent.asked
        assert not phone.agent_speaks
        phone.drop()

    async def comes_back(phone: MemoryPhone) -> None:
        await phone.heard_all()
        phone.hang_up()

    world.agent.delay_s = 0.6
    record = call(world, loses_the_line, comes_back)
    assert [turn.user for turn in record.turns if turn.user] == ["what does it cost"]
    assert record.turns[-1].agent == "It is ten dollars. Anything else?"
    assert [request.utterance for request in world.agent.asked] == ["what does it cost"] * 2


def test_a_caller_who_hangs_up_ends_the_call() -> None:
    world = World()

    async def caller(phone: MemoryPhone) -> None:
        await asyncio.sleep(0.6)
        phone.hang_up()

    record = call(world, caller)
    assert record.ended_reason == "caller-hung-up"
    assert OPENING.startswith(record.turns[0].agent)


def test_a_caller_who_hangs_up_before_the_agent_has_a_plan_leaves_nothing_running() -> None:
    async def caller(phone: MemoryPhone) -> None:
        await asyncio.sleep(0.5)
        phone.hang_up()

    world = World()
    world.agent.planning_s = 3.0
    assert call(world, caller).ended_reason == "caller-hung-up"


def test_digits_are_answered() -> None:
    world = World()

    async def caller(phone: MemoryPhone) -> None:
        await phone.heard_all()
        phone.press("1")
        phone.press("#")
        await phone.heard_all()
        phone.hang_up()

    record = call(world, caller)
    assert record.turns[1].user == "pressed 1"
    assert world.agent.asked[0].digits == "1"


def test_a_transfer_is_left_to_the_carrier_when_the_announcement_was_heard() -> None:
    world = World(asr=LineAsr("a person please"))

    async def caller(phone: MemoryPhone) -> None:
        await phone.heard_all()
        await phone.say(1000)
        await phone.heard_all()

    record = call(world, caller)
    journal = run_virtual(world.log.find("CA1"))
    assert (record.ended_reason, record.metrics.transfers) == ("", 1)
    assert journal is not None
    assert (journal.transfer, journal.transfer_to, journal.whisper) == ("wanted", "+14155550123", "Somebody asks.")
    assert Topic.CALL_COMPLETED not in topics(world)


def test_keys_are_heard_as_tones_when_the_words_before_them_have_been() -> None:
    world = World(asr=LineAsr("press one two for sales"))
    keypad = Keypad()

    async def machine(phone: MemoryPhone) -> None:
        await phone.heard_all()
        await phone.say(1000)
        await phone.heard_all()
        media = [json.loads(text)["media"] for text in phone.sent if '"media"' in text]
        audio = b"".join(base64.b64decode(part["payload"]) for part in media)
        for start in range(0, len(audio) - 159, 160):
            keypad.hear(audio[start : start + 160])
        phone.hang_up()

    record = call(world, machine)
    assert keypad.heard == "12#"
    assert record.turns[-1].agent == "Sure. pressed 1 2 #"


class TestTrouble:
    def test_an_agent_that_cannot_be_asked_is_a_polite_end(self) -> None:
        world = World()
        world.agent.broken = True
        record = call(world, MemoryPhone.heard_all)
        assert record.ended_reason == "no-plan"
        assert "cannot take your call" in record.turns[0].agent

    def test_an_agent_that_fails_is_excused_and_then_says_goodbye(self) -> None:
        world = World(asr=LineAsr("what does it cost", "are you there you"))

        async def caller(phone: MemoryPhone) -> None:
            await phone.heard_all()
            world.agent.broken = True
            await phone.say(1000)
            await phone.heard_all()
            await phone.say(1000)
            await phone.heard_all()

        record = call(world, caller)
        assert [turn.agent for turn in record.turns] == [OPENING, LINES.trouble, LINES.farewell]
        assert record.ended_reason == "agent-failed"

    def test_an_agent_that_hangs_is_given_up_in_time(self) -> None:
        world = World(asr=LineAsr("what does it cost"), agent=ScriptedAgent(by_the_book, delay_s=3600))

        async def caller(phone: MemoryPhone) -> None:
            await phone.heard_all()
            await phone.say(1000)
            await phone.heard_all()
            phone.hang_up()

        assert call(world, caller).turns[1].agent == LINES.trouble

    def test_a_voice_that_fails_is_never_silence(self) -> None:
        world = World(asr=LineAsr("what does it cost"))
        world.tts.broken = lambda text: "dollars" in text

        async def caller(phone: MemoryPhone) -> None:
            await phone.heard_all()
            await phone.say(1000)
            await phone.heard_all()
            phone.hang_up()

        assert LINES.trouble in call(world, caller).turns[1].agent

    def test_a_voice_that_is_gone_for_good_ends_the_call(self) -> None:
        world = World()
        world.tts.broken = lambda text: True

        async def caller(phone: MemoryPhone) -> None:
            await asyncio.sleep(3600)

        assert call(world, caller).ended_reason == "opening-failed"

    def test_a_recogniser_that_fails_is_opened_again(self) -> None:
        world = World(asr=LineAsr("what does it cost"))
        world.asr.failing = True

        async def caller(phone: MemoryPhone) -> None:
            await phone.heard_all()
            await phone.say(1000)
            await phone.heard_all()
            world.asr.failing = False
            await phone.say(1000)
            await phone.heard_all()
            phone.hang_up()

        record = call(world, caller)
        assert [turn.agent for turn in record.turns][:3] == [
            OPENING,
            LINES.repair,
            "It is ten dollars. Anything else?",
        ]

    def test_a_store_that_is_away_when_the_call_ends_gets_everything_later(self) -> None:
        world = World(asr=LineAsr("what does it cost", "goodbye"))
        append, end = world.log.append, world.log.end

        async def away_for_a_minute(*anything: object) -> None:
            if asyncio.get_running_loop().time() < 60:
                raise Unavailable("scripted")

        async def append_later(*entries: Any) -> None:
            await away_for_a_minute()
            await append(*entries)

        async def end_later(*ending: Any) -> bool:
            await away_for_a_minute()
            return await end(*ending)

        world.log.append, world.log.end = append_later, end_later  # type: ignore[method-assign]

        async def caller(phone: MemoryPhone) -> None:
            phones.append(phone)
            await phone.heard_all()
            await phone.say(1000)
            await phone.heard_all()
            await phone.say(800)

        phones: list[MemoryPhone] = []
        record = call(world, caller)
        assert [turn.user for turn in record.turns] == ["", "what does it cost", "goodbye"]
        assert record.ended_reason == "agent-goodbye"
        assert phones[0].closed_at < 25, "nobody was kept on the line for it"

    def test_garbage_on_the_socket_is_refused_and_the_call_goes_on(self) -> None:
        world = World(asr=LineAsr("what does it cost"))

        async def caller(phone: MemoryPhone) -> None:
            await phone.heard_all()
            for garbage in ("", "{", "[]", '{"event":"media"}', '{"event":"media","media":{"payload":"###"}}'):
                phone.control.append(garbage)
            await phone.say(1000)
            await phone.heard_all()
            phone.hang_up()

        assert call(world, caller).turns[1].user == "what does it cost"

    def test_a_socket_that_says_nothing_and_never_closes_is_closed_by_us_in_time(self) -> None:
        world = World()

        async def dumb(phone: MemoryPhone) -> None:
            phone.mute = True
            await asyncio.sleep(3600)

        record = call(world, dumb)
        assert record.ended_reason == "intro-timeout"
        assert [turn.agent for turn in record.turns] == [OPENING, LINES.intro_timeout]

    def test_nothing_but_garbage_ends_the_stream_but_not_the_call(self) -> None:
        world = World()

        async def caller(phone: MemoryPhone) -> None:
            await phone.heard_all()
            phone.control.extend(["{"] * 60)
            await asyncio.sleep(3600)

        assert call(world, caller).ended_reason == ""


def test_the_kept_event_log_replays_the_call() -> None:
    world = World(asr=LineAsr("what does it cost", "goodbye"))

    async def caller(phone: MemoryPhone) -> None:
        await phone.heard_all()
        await phone.say(1500)
        await phone.heard_all()
        await phone.say(800)
        await phone.heard_all()

    record = call(world, caller)
    log = b"".join(part for _, part in sorted(world.log.event_logs["CA1"].items()))
    again = Call(Limits(), BargeInOptions(), FixedSilence(600))
    for _ in replay(again, read(log)):
        pass
    assert again.metrics == record.metrics
    assert record.metrics.turns == len(record.turns)


class TestACallThatWePlaced:
    def test_the_callees_hello_is_heard_before_the_opening(self) -> None:
        world = World(asr=LineAsr("hello", "goodbye"), direction="outbound")

        async def callee(phone: MemoryPhone) -> None:
            await asyncio.sleep(0.5)
            await phone.say(600)
            await phone.heard_all()
            await phone.say(1000)

        record = call(world, callee)
        assert [turn.user for turn in record.turns] == ["hello", "goodbye"]
        assert record.ended_reason == "agent-goodbye"

    def test_who_answered_is_learned_from_the_log_when_another_process_was_told(self) -> None:
        world = World(direction="outbound")

        async def callee(phone: MemoryPhone) -> None:
            for _ in range(4):
                await phone.say(900)
                await asyncio.sleep(0.25)
            await world.log.answered("CA1", "machine_end_beep", world.clock())
            await asyncio.sleep(60)

        record = call(world, callee)
        assert record.ended_reason == "voicemail-left"
        assert [turn.agent for turn in record.turns] == [LINES.voicemail]
