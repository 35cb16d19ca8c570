"""A call whose credit is used up: nothing is cut off, at most one more turn is answered, and the agent takes leave."""

from scriza.modules.telephony.call import commands as do
from scriza.modules.telephony.call import events as on
from scriza.modules.telephony.call.tables import Voice
from tests.unit.call_rig import LINES, OPENING, Rig

LEAVE = LINES.ends_early


def ended_politely(rig: Rig) -> bool:
    rig.hear_all()
    return rig.said[-1] == LEAVE and rig.ended == do.End("no-credit")


class TestWhenItIsUsedUp:
    def test_what_is_being_said_is_said_to_its_end(self) -> None:
        rig = Rig().after_opening()
        rig.answer(rig.turn("what does it cost"), "It is ten dollars.", "A month, that is.")
        rig.tell(on.CreditUsedUp())
        assert rig.said[-1] != LEAVE
        assert do.Clear() not in rig.commands
        rig.hear_all()
        assert rig.said[-3:] == ["It is ten dollars.", "A month, that is.", LEAVE]
        assert ended_politely(rig)

    def test_an_answer_that_is_being_thought_is_the_last(self) -> None:
        rig = Rig().after_opening()
        thought = rig.turn("what does it cost")
        rig.tell(on.CreditUsedUp())
        rig.answer(thought, "It is ten dollars.")
        rig.hear_all()
        assert rig.said[-2:] == ["It is ten dollars.", LEAVE]
        assert ended_politely(rig)

    def test_nothing_is_asked_of_the_agent_any_more(self) -> None:
        rig = Rig(speculate=False).after_opening()
        rig.start_speaking()
        rig.tell(on.CreditUsedUp())
        rig.pass_ms(900)
        assert rig.said == [OPENING]  # the caller is let finish
        rig.stop_speaking(1000)
        rig.tell(on.Words("what does it cost", 0.9, final=True))
        rig.pass_ms(700)
        assert rig.thoughts == []
        assert (1, "user", "what does it cost") in rig.transcript
        assert ended_politely(rig)

    def test_in_a_silence_leave_is_taken_at_once(self) -> None:
        rig = Rig().after_opening()
        rig.tell(on.CreditUsedUp())
        assert rig.said == [OPENING, LEAVE]
        assert ended_politely(rig)

    def test_keys_that_are_being_pressed_are_waited_for(self) -> None:
        rig = Rig().after_opening()
        rig.tell(on.Digit("1"))
        rig.tell(on.CreditUsedUp())
        assert rig.said == [OPENING]
        rig.pass_ms(2_000)
        assert ended_politely(rig)

    def test_who_interrupts_the_last_answer_is_heard_and_then_told(self) -> None:
        rig = Rig().after_opening()
        rig.answer(rig.turn("what does it cost"), "It is ten dollars a month for everybody in the team.")
        rig.tell(on.CreditUsedUp())
        rig.hear(rig.played[-1], until_ms=600)
        rig.turn("but what about the free trial that you have")
        assert rig.said[-1] == LEAVE
        assert ended_politely(rig)

    def test_leave_is_not_interrupted(self) -> None:
        rig = Rig().after_opening()
        rig.tell(on.CreditUsedUp())
        rig.say("wait a moment i have a question")
        rig.pass_ms(700)
        assert rig.call.states.voice is Voice.CLOSING
        assert do.Clear() not in rig.commands
        assert ended_politely(rig)

    def test_a_call_that_is_ending_already_ends_as_it_would(self) -> None:
        rig = Rig().begin()
        rig.pass_ms(10_000)
        rig.tell(on.CreditUsedUp())
        rig.hear_all()
        assert rig.said[-1] == LINES.intro_timeout
        assert rig.ended is not None
        assert rig.ended.reason == "opening-timeout"


class TestWhenATurnIsRefused:
    def test_leave_is_the_answer(self) -> None:
        rig = Rig().after_opening()
        rig.tell(on.ThoughtFailed(rig.turn("what does it cost").thought, no_credit=True))
        assert rig.said == [OPENING, LEAVE]
        assert ended_politely(rig)

    def test_what_was_said_of_the_answer_is_said_to_its_end(self) -> None:
        rig = Rig().after_opening()
        thought = rig.turn("book me in")
        rig.answer(thought, "Let me look.", done=False)
        rig.tell(on.ThoughtFailed(thought.thought, no_credit=True))
        assert rig.said[-1] == "Let me look."
        rig.hear_all()
        assert rig.said[-2:] == ["Let me look.", LEAVE]
        assert ended_politely(rig)

    def test_a_guess_that_is_refused_lets_the_caller_go_on(self) -> None:
        rig = Rig().after_opening()
        rig.say("what does it")
        rig.tell(on.ThoughtFailed(rig.thoughts[-1].thought, no_credit=True))
        assert rig.said == [OPENING]
        rig.say("cost")
        rig.pass_ms(700)
        assert len(rig.thoughts) == 2  # asked again, when the turn was over: there may be credit by then
        rig.answer(rig.thoughts[-1], "It is ten dollars.")
        rig.hear_all()
        assert rig.said[-1] == "It is ten dollars."
        assert rig.ended is None
