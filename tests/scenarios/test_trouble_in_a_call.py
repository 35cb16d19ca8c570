"""Whatever fails while a call is led, on virtual time: the caller hears of it politely, and nothing is lost."""

import asyncio
from typing import Any

from scriza.kernel.errors import Unavailable
from tests.scenarios.engines import LineAsr, ScriptedAgent
from tests.scenarios.memory_phone import MemoryPhone
from tests.scenarios.world import World, by_the_book, call
from tests.unit.call_rig import LINES, OPENING


def test_an_agent_that_cannot_be_asked_is_a_polite_end() -> None:
    world = World()
    world.agent.broken = True
    record = call(world, MemoryPhone.heard_all)
    assert record.ended_reason == "no-plan"
    assert "cannot take your call" in record.turns[0].agent


def test_an_agent_that_fails_is_excused_and_then_says_goodbye() -> None:
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


def test_an_agent_that_hangs_is_given_up_in_time() -> None:
    world = World(asr=LineAsr("what does it cost"), agent=ScriptedAgent(by_the_book, delay_s=3600))

    async def caller(phone: MemoryPhone) -> None:
        await phone.heard_all()
        await phone.say(1000)
        await phone.heard_all()
        phone.hang_up()

    assert call(world, caller).turns[1].agent == LINES.trouble


def test_a_voice_that_fails_is_never_silence() -> None:
    world = World(asr=LineAsr("what does it cost"))
    world.tts.broken = lambda text: "dollars" in text

    async def caller(phone: MemoryPhone) -> None:
        await phone.heard_all()
        await phone.say(1000)
        await phone.heard_all()
        phone.hang_up()

    assert LINES.trouble in call(world, caller).turns[1].agent


def test_a_voice_that_is_gone_for_good_ends_the_call() -> None:
    world = World()
    world.tts.broken = lambda text: True

    async def caller(phone: MemoryPhone) -> None:
        await asyncio.sleep(3600)

    assert call(world, caller).ended_reason == "opening-failed"


def test_a_recogniser_that_fails_is_opened_again() -> None:
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


def test_a_store_that_is_away_when_the_call_ends_gets_everything_later() -> None:
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


def test_a_store_that_never_takes_the_event_log_holds_no_session_for_ever() -> None:
    world = World()
    refused: set[int] = set()

    async def refuse(call_id: str, part: int, log: bytes) -> None:
        assert log, "a part is kept only when there is something in it"
        refused.add(part)
        raise Unavailable("scripted")

    world.log.keep_event_log = refuse  # type: ignore[method-assign]

    async def caller(phone: MemoryPhone) -> None:
        await phone.heard_all()
        for _ in range(8_000):  # more than is gathered before a part of the log is kept
            phone.press("#")
        await asyncio.sleep(1)
        phone.hang_up()

    assert call(world, caller).ended_reason == "caller-hung-up"
    assert len(refused) == 2


def test_garbage_on_the_socket_is_refused_and_the_call_goes_on() -> None:
    world = World(asr=LineAsr("what does it cost"))

    async def caller(phone: MemoryPhone) -> None:
        await phone.heard_all()
        for garbage in ("", "{", "[]", '{"event":"media"}', '{"event":"media","media":{"payload":"###"}}'):
            phone.control.append(garbage)
        await phone.say(1000)
        await phone.heard_all()
        phone.hang_up()

    assert call(world, caller).turns[1].user == "what does it cost"


def test_a_socket_that_says_nothing_and_never_closes_is_closed_by_us_in_time() -> None:
    world = World()

    async def dumb(phone: MemoryPhone) -> None:
        phone.mute = True
        await asyncio.sleep(3600)

    record = call(world, dumb)
    assert record.ended_reason == "intro-timeout"
    assert [turn.agent for turn in record.turns] == [OPENING, LINES.intro_timeout]


def test_nothing_but_garbage_ends_the_stream_but_not_the_call() -> None:
    world = World()

    async def caller(phone: MemoryPhone) -> None:
        await phone.heard_all()
        phone.control.extend(["{"] * 60)
        await asyncio.sleep(3600)

    assert call(world, caller).ended_reason == ""
