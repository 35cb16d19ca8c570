"""An answer that was thought ahead and stopped before something that must not be done before the turn is sure."""

from datetime import UTC, datetime

from scriza.modules.telephony.call import commands as do
from scriza.modules.telephony.call import events as on
from scriza.modules.telephony.call.tables import Mind
from scriza.ports.agent import Held, ScheduleCallback
from tests.unit.call_rig import Rig

HELD = Held(said=["Let me book that."])


def speculated() -> tuple[Rig, do.Think]:
    """The caller has paused, and the agent thinks ahead."""
    rig = Rig().after_opening()
    rig.say("book me in please")
    (thought,) = rig.thoughts
    assert thought.reply.speculative
    return rig, thought


def test_nothing_more_is_asked_for_while_the_turn_is_not_sure() -> None:
    rig, thought = speculated()
    rig.answer(thought, "Let me book that.", done=False)
    rig.tell(on.ThoughtHeld(thought.thought, HELD))
    assert len(rig.thoughts) == 1
    assert rig.call.states.mind is Mind.SPECULATING


def test_when_the_turn_is_sure_its_beginning_is_spoken_and_the_rest_asked_for() -> None:
    rig, thought = speculated()
    rig.answer(thought, "Let me book that.", done=False)
    rig.tell(on.ThoughtHeld(thought.thought, HELD))
    rig.pass_ms(700)
    _, again = rig.thoughts
    assert rig.said[-1] == "Let me book that."
    assert (again.reply.held, again.reply.speculative) == (HELD, False)
    assert (again.reply.turn, again.reply.utterance) == (thought.reply.turn, thought.reply.utterance)
    rig.answer(again, "You are booked.")
    assert rig.said[-2:] == ["Let me book that.", "You are booked."]
    assert [text for _, kind, text in rig.transcript if kind == "reply"][-1] == "Let me book that. You are booked."
    assert rig.call.states.mind is Mind.IDLE


def test_what_is_held_after_the_turn_became_sure_is_asked_for_at_once() -> None:
    rig, thought = speculated()
    rig.answer(thought, "Let me book that.", done=False)
    rig.pass_ms(700)
    assert rig.call.states.mind is Mind.THINKING
    rig.tell(on.ThoughtHeld(thought.thought, HELD))
    _, again = rig.thoughts
    assert (again.reply.held, again.reply.speculative) == (HELD, False)
    assert rig.said.count("Let me book that.") == 1


def test_a_caller_who_goes_on_lets_it_go() -> None:
    rig, thought = speculated()
    rig.tell(on.ThoughtHeld(thought.thought, HELD))
    rig.start_speaking()
    rig.pass_ms(3_000)
    assert len(rig.thoughts) == 1
    assert rig.wanted(do.CancelThinking) == 1


def test_an_answer_that_had_nothing_to_wait_for_has_failed_when_it_is_held() -> None:
    rig = Rig(speculate=False).after_opening()
    thought = rig.turn("book me in please")
    rig.tell(on.ThoughtHeld(thought.thought, HELD))
    assert len(rig.thoughts) == 1
    assert rig.said[-1] == "One moment please."


def test_the_agent_is_told_who_is_on_the_line() -> None:
    rig = Rig().after_opening()
    assert rig.turn("hello").reply.caller == "+14155550100"
    called = Rig().begin(direction="outbound", caller="+14155550199", callee="+14155550100")
    called.tell(on.Words("hello", 0.9, final=True))
    assert called.call._other_side == "+14155550100"


def test_a_callback_is_wanted_once_the_turn_is_sure() -> None:
    act = ScheduleCallback(datetime(2026, 1, 2, 9, tzinfo=UTC), "wants a demo")
    rig, thought = speculated()
    rig.tell(on.ActThought(thought.thought, act))
    assert rig.wanted(do.CallBack) == 0
    rig.pass_ms(700)
    assert [each.wanted for each in rig.commands if isinstance(each, do.CallBack)] == [act]
