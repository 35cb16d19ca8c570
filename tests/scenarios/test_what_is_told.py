"""What other modules are told of whole calls, also of those whose process died in the middle of an answer."""

import asyncio
from datetime import timedelta
from typing import TypeVar

import msgspec

from scriza.kernel.events import Topic
from scriza.modules.telephony.call_log import JournaledCall
from scriza.modules.telephony.service import recover
from scriza.ports.telephony import CallCompleted, ReplyGenerated, UtteranceTranscribed
from tests.scenarios.engines import LineAsr
from tests.scenarios.memory_phone import MemoryPhone
from tests.scenarios.world import START, World, call
from tests.virtual_time import run_virtual

T = TypeVar("T")


def told(world: World, topic: Topic, kind: type[T]) -> list[T]:
    return [msgspec.json.decode(event.data, type=kind) for event in world.log.told if event.type == topic]


def completed(world: World) -> CallCompleted:
    (event,) = told(world, Topic.CALL_COMPLETED, CallCompleted)
    return event


async def asks_and_says_goodbye(phone: MemoryPhone) -> None:
    await phone.heard_all()
    await phone.say(1500)
    await phone.heard_all()
    await phone.say(800)
    await phone.heard_all()


def test_the_end_sums_up_the_call() -> None:
    world = World(asr=LineAsr("what does it cost", "goodbye"))
    record = call(world, asks_and_says_goodbye)
    end = completed(world)
    assert (end.direction, end.caller, end.playbook, end.started_at) == ("inbound", "who_ada", "sample", START)
    assert (end.turns, end.tokens, end.barge_ins, end.silence_prompts) == (3, 30, 0, 0)
    assert end.confidence == 0.9
    assert end.duration_seconds == record.duration_seconds


def test_interruptions_and_noises_that_were_none_are_summed_up() -> None:
    world = World(asr=LineAsr("count for me", "", "stop that please", "goodbye"))

    async def interrupts(phone: MemoryPhone) -> None:
        await phone.heard_all()
        await phone.say(1000)
        await phone.agent_begins()
        await asyncio.sleep(0.5)
        await phone.say(200)  # a noise
        await asyncio.sleep(1.5)
        await phone.say(1200)
        await phone.heard_all()
        await phone.say(800)
        await phone.heard_all()

    call(world, interrupts)
    end = completed(world)
    assert (end.barge_ins, end.false_barge_ins) == (1, 1)
    interrupted = [reply for reply in told(world, Topic.REPLY_GENERATED, ReplyGenerated) if reply.interrupted]
    assert [reply.turn for reply in interrupted] == [1]
    assert interrupted[0].heard != interrupted[0].text


def test_a_call_in_which_nobody_spoke_has_no_confidence() -> None:
    async def silent(phone: MemoryPhone) -> None:
        await asyncio.sleep(60)

    world = World()
    call(world, silent)
    assert completed(world).confidence is None


def test_turns_follow_each_other_in_time() -> None:
    world = World(asr=LineAsr("what does it cost", "goodbye"))
    call(world, asks_and_says_goodbye)
    opening, answer, farewell = told(world, Topic.REPLY_GENERATED, ReplyGenerated)
    question, goodbye = told(world, Topic.UTTERANCE_TRANSCRIBED, UtteranceTranscribed)
    moments = [
        moment
        for part in (opening, question, answer, goodbye, farewell)
        for moment in (part.began_ms, part.ended_ms)
        if moment is not None
    ]
    assert len(moments) == 10
    assert moments == sorted(moments)
    assert answer.latency is not None
    assert question.ended_ms is not None
    assert answer.began_ms == question.ended_ms + answer.latency.total_ms


def dies_while_answering(world: World) -> None:
    """The process is gone in the middle of an answer that the journal has already."""

    async def main() -> None:
        phone = MemoryPhone()
        session = await world.session(phone)
        leading = asyncio.create_task(session.run())
        await phone.heard_all()
        await phone.say(1500)
        await phone.agent_begins()
        leading.cancel()

    run_virtual(main())


def test_an_answer_in_which_a_process_died_is_told_when_the_call_ends_elsewhere() -> None:
    world = World(asr=LineAsr("what does it cost", "goodbye"))

    async def main() -> None:
        phone = MemoryPhone()
        session = await world.session(phone)
        leading = asyncio.create_task(session.run())
        await phone.heard_all()
        await phone.say(800)
        await leading

    dies_while_answering(world)
    run_virtual(main())
    replies = {reply.turn: reply for reply in told(world, Topic.REPLY_GENERATED, ReplyGenerated)}
    assert sorted(replies) == [0, 1, 2, 3]
    assert replies[1].heard == replies[1].text == "It is ten dollars. Anything else?"
    assert world.log.told[-1].type == Topic.CALL_COMPLETED


def test_it_is_told_once_more_at_most_and_as_the_same_event_when_nobody_takes_the_call_up() -> None:
    world = World(asr=LineAsr("what does it cost"))

    async def main() -> JournaledCall | None:
        await asyncio.sleep(3600)
        for _ in range(2):
            await recover(world.log, world.log, idle_for=timedelta(minutes=10), clock=world.clock)
        return await world.log.find("CA1")

    dies_while_answering(world)
    found = run_virtual(main())
    assert found is not None
    assert found.ended_reason == "lost"
    replies = [event for event in world.log.told if event.type == Topic.REPLY_GENERATED]
    assert [msgspec.json.decode(event.data, type=ReplyGenerated).turn for event in replies] == [0, 1]
    assert completed(world).turns == 2
