"""How a call ends, and how it goes on over another stream."""

import msgspec
import pytest

from scriza.modules.telephony.call import commands as do
from scriza.modules.telephony.call import events as on
from scriza.modules.telephony.call.tables import Line
from scriza.modules.telephony.turns.limits import Limits
from scriza.ports.telephony import TurnRecord
from tests.unit.call_rig import LINES, OPENING, Rig, conversation, journal, plan


class TestEnd:
    def test_a_caller_who_hangs_up_ends_the_call_with_what_was_heard(self) -> None:
        rig = Rig().begin()
        rig.hear(rig.played[0], until_ms=400)
        rig.tell(on.StreamStopped())
        assert rig.transcript[-1] == (0, "heard", "Hello, this")
        assert rig.ended == do.End("caller-hung-up")

    @pytest.mark.parametrize("status", ["busy", "failed", "no-answer", "canceled"])
    def test_the_carrier_s_last_word_ends_it(self, status: str) -> None:
        rig = Rig().after_opening()
        rig.tell(on.CarrierStatus(status))  # type: ignore[arg-type]  # one of the five
        assert rig.ended == do.End(status)

    def test_a_lost_socket_lets_go_without_ending_the_call(self) -> None:
        rig = Rig().after_opening()
        rig.tell(on.StreamLost())
        assert rig.ended is None
        assert do.Detach() in rig.commands
        assert rig.call.states.line is Line.ENDED

    def test_nothing_is_wanted_after_the_end(self) -> None:
        rig = Rig().after_opening()
        rig.tell(on.StreamStopped())
        assert rig.tell(on.SpeechStarted(-20.0)) == []
        assert rig.tell(on.StreamStopped()) == []

    def test_what_was_pressed_or_said_just_before_the_last_words_does_not_hold_up_the_end(self) -> None:
        pressed = Rig().after_opening()
        pressed.tell(on.Digit("1"))
        said = Rig().after_opening()
        said.say("what does it cost")
        said.pass_ms(100)
        said.start_speaking()
        said.stop_speaking(100)
        said.pass_ms(800)
        for rig in (pressed, said):
            rig.tell(on.StopAsked())
            rig.pass_ms(5_000)
            rig.hear(rig.played[-1])
            assert rig.ended == do.End("stopped")

    def test_of_the_last_words_too_what_was_heard_is_kept_also_where_there_was_no_plan(self) -> None:
        rig = Rig()
        rig.tell(on.StreamStarted(journal()))
        rig.tell(on.PlanFailed())
        rig.hear(rig.played[0], until_ms=400)
        rig.tell(on.StreamStopped())
        assert rig.transcript[-1] == (0, "heard", "Sorry, we")
        assert rig.ended == do.End("no-plan")


class TestResumption:
    def test_a_call_taken_up_again_says_so_and_keeps_its_conversation(self) -> None:
        kept = msgspec.structs.replace(conversation("pricing"), opening=OPENING)
        rig = Rig().begin(attached=2, next_turn=3, conversation=kept)
        assert rig.said == [LINES.resumed]
        assert rig.transcript == [(3, "reply", LINES.resumed)]
        rig.hear_all()
        assert rig.turn("what does it cost").reply.conversation.stage == "pricing"

    def test_a_call_whose_line_was_lost_before_a_word_of_the_opening_was_heard_opens_again(self) -> None:
        rig = Rig().begin()
        rig.tell(on.StreamLost())
        kept = [line.conversation for line in rig.commands if isinstance(line, do.Journal)][-1]
        assert Rig().begin(attached=2, next_turn=1, conversation=kept).said == [OPENING]

    def test_its_metrics_go_on_from_those_of_the_streams_before(self) -> None:
        rig = Rig(speculate=False).after_opening()
        rig.tell(on.ClauseThought(rig.turn("what does it cost").thought, "Ten dollars."))
        rig.tell(on.ClipStarted(rig.played[-1]))
        again = Rig().begin(attached=2, next_turn=2, conversation=conversation(), metrics=rig.call.metrics)
        assert again.call.metrics.latencies == rig.call.metrics.latencies
        assert again.call.metrics.reattached == 1

    def test_a_turn_without_an_answer_counts_as_one_however_soon_it_ends_again(self) -> None:
        turns = [TurnRecord("", OPENING, "", 1.0), TurnRecord("what does it cost", "", "", 0.9)]
        rig = Rig()
        rig.tell(on.StreamStarted(journal(attached=2, next_turn=1, turns=turns, unanswered="what does it cost")))
        rig.tell(on.StreamStopped())
        assert rig.call.metrics.turns == 2

    def test_the_longest_call_counts_from_its_beginning_not_from_the_stream_s(self) -> None:
        rig = Rig(limits=Limits(longest_call=60_000))
        rig.tell(on.StreamStarted(journal(attached=2, conversation=conversation()), elapsed_ms=45_000))
        rig.tell(on.Planned(plan()))
        rig.tell(on.ClipStarted(rig.played[0]))
        rig.pass_ms(15_000)
        assert rig.said[-1] == LINES.farewell

    def test_an_utterance_without_an_answer_is_answered(self) -> None:
        rig = Rig().begin(attached=2, next_turn=1, conversation=conversation(), unanswered="what does it cost")
        assert [(reply.turn, reply.utterance) for reply in rig.replies] == [(1, "what does it cost")]
        assert not any(kind == "user" for _, kind, _ in rig.transcript)
