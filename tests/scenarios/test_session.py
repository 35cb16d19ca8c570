"""Whole calls on virtual time, from the opening to what the record tells of them; see `world.py`."""

import asyncio
import base64
import json
from datetime import timedelta
from itertools import pairwise

import pytest

from scriza.kernel.events import Topic
from scriza.modules.telephony.call.machine import Call
from scriza.modules.telephony.call.replay import read, replay
from scriza.modules.telephony.live.session import SessionOptions
from scriza.modules.telephony.turns.barge_in import BargeInOptions
from scriza.modules.telephony.turns.fixed_silence import FixedSilence
from scriza.modules.telephony.turns.limits import Limits
from scriza.ports.agent import Held
from scriza.simulator.keypad import Keypad
from tests.scenarios.engines import LineAsr
from tests.scenarios.memory_phone import MemoryPhone
from tests.scenarios.world import START, World, call
from tests.unit.call_rig import LINES, OPENING, plan
from tests.virtual_time import run_virtual


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


def test_a_callback_is_kept_once_however_often_the_call_is_taken_up() -> None:
    world = World(asr=LineAsr("call me tomorrow", "call me tomorrow"))

    async def caller(phone: MemoryPhone) -> None:
        await phone.heard_all()
        await phone.say(1000)
        await phone.heard_all()
        phone.drop()

    call(world, caller, caller)
    (kept,) = world.placing.callbacks.callbacks.values()
    assert (kept.to, kept.sender, kept.due_at) == ("+14155550100", "+14155550199", START + timedelta(days=1))
    assert (kept.reason, kept.variables) == ("a demo", {"name": "Ada"})


def test_what_is_thought_ahead_is_done_only_when_the_turn_is_sure_and_said_once() -> None:
    world = World(asr=LineAsr("book me in", "goodbye"))

    async def caller(phone: MemoryPhone) -> None:
        await phone.heard_all()
        await phone.say(1000)
        await phone.heard_all()
        await phone.say(1000)
        await phone.heard_all()

    record = call(world, caller)
    ahead, sure, *_ = world.agent.asked
    assert (ahead.speculative, sure.speculative, sure.held) == (True, False, Held(["Let me book that."]))
    assert record.turns[1].agent == "Let me book that. You are booked."


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
