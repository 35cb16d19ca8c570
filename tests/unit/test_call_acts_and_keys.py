"""What the agent does besides speaking, and the keys that either side presses."""

from scriza.modules.telephony.call import commands as do
from scriza.modules.telephony.call import events as on
from scriza.ports.agent import Conversation, HangUp, PressKeys, SetOutcome, TransferTo
from scriza.ports.telephony import CallMetrics
from tests.unit.call_rig import LINES, OPENING, Rig


class TestActs:
    def test_the_goodbye_is_heard_before_the_line_is_cut(self) -> None:
        rig = Rig().after_opening()
        thought = rig.turn("thank you goodbye")
        rig.tell(on.ActThought(thought.thought, SetOutcome("demo booked")))
        rig.tell(on.ActThought(thought.thought, HangUp("agent-goodbye")))
        rig.answer(thought, "Goodbye.")
        assert rig.ended is None
        rig.hear_all()
        assert rig.ended == do.End("agent-goodbye", "demo booked")

    def test_a_caller_who_interrupts_the_goodbye_is_listened_to(self) -> None:
        rig = Rig().after_opening()
        thought = rig.turn("thank you goodbye")
        rig.tell(on.ActThought(thought.thought, HangUp()))
        rig.answer(thought, "Goodbye and have a nice day.")
        rig.hear(rig.played[-1], until_ms=200)
        rig.say("wait one more question")
        rig.pass_ms(700)
        assert rig.ended is None
        assert rig.replies[-1].utterance == "wait one more question"

    def test_a_transfer_is_made_when_the_announcement_has_been_heard(self) -> None:
        rig = Rig().after_opening()
        thought = rig.turn("can i talk to a person")
        rig.tell(on.ActThought(thought.thought, TransferTo("+14155550123", "Somebody asks for you.")))
        rig.answer(thought, "I will connect you.")
        assert rig.wanted(do.HandOver) == 0
        rig.hear_all()
        assert rig.commands[-1] == do.HandOver("+14155550123", "Somebody asks for you.")
        assert rig.ended is None
        assert rig.call.metrics.transfers == 1

    def test_a_caller_whom_nobody_could_be_found_for_is_told_so_and_the_call_goes_on(self) -> None:
        rig = Rig()
        told, before = CallMetrics(turns=3, transfers=1), Conversation("sample", "pitch", OPENING)
        rig.begin(
            attached=2, transfer="unreached", transfer_stream=1, conversation=before, next_turn=3,
            metrics=told, outcome="booked",
        )  # fmt: skip
        assert rig.said == [LINES.unreached]
        assert (rig.call.metrics.reattached, rig.call.metrics.transfers) == (0, 1)
        rig.hear_all()
        thought = rig.turn("call me tomorrow")
        assert thought.reply.conversation == before
        rig.tell(on.StreamStopped())
        assert rig.ended == do.End("caller-hung-up", outcome="booked")


class TestKeys:
    def test_digits_are_collected_and_answered_as_a_turn(self) -> None:
        rig = Rig().after_opening()
        rig.tell(on.Digit("1"))
        rig.pass_ms(500)
        rig.tell(on.Digit("2"))
        rig.pass_ms(2_000)
        assert rig.replies[-1].digits == "12"
        assert rig.transcript[-1] == (1, "user", "pressed 1 2")

    def test_the_hash_key_ends_the_input_at_once(self) -> None:
        rig = Rig().after_opening()
        rig.tell(on.Digit("1"))
        rig.tell(on.Digit("#"))
        assert rig.replies[-1].digits == "1"

    def test_what_was_said_and_pressed_together_is_one_turn_with_both(self) -> None:
        rig = Rig().after_opening()
        rig.tell(on.Digit("1"))
        rig.turn("tomorrow works")
        assert (rig.replies[-1].utterance, rig.replies[-1].digits) == ("tomorrow works", "1")
        assert rig.transcript[-1] == (1, "user", "tomorrow works pressed 1")

    def test_a_key_that_comes_after_thinking_has_begun_is_not_lost(self) -> None:
        rig = Rig().after_opening()
        rig.say("tomorrow works")
        assert rig.replies[-1].speculative
        rig.tell(on.Digit("1"))
        rig.pass_ms(2_000)
        assert (rig.replies[-1].digits, rig.replies[-1].speculative) == ("1", False)

    def test_keys_that_were_answered_with_words_are_over_without_a_trace(self) -> None:
        rig = Rig().after_opening()
        rig.tell(on.Digit("1"))
        thought = rig.turn("tomorrow works")
        rig.answer(thought, "Good.")
        asked = len(rig.replies)
        rig.pass_ms(2_000)
        assert len(rig.replies) == asked

    def test_an_answer_of_known_length_needs_no_hash_and_no_wait(self) -> None:
        rig = Rig().after_opening()
        thought = rig.turn("book it")
        rig.tell(on.ClauseThought(thought.thought, "What is your pin?"))
        rig.done(thought, "What is your pin?", expects_keys=4)
        rig.hear_all()
        for digit in "1234":
            rig.tell(on.Digit(digit))
        assert rig.replies[-1].digits == "1234"

    def test_a_hash_key_that_ends_nothing_does_not_take_the_answer_away(self) -> None:
        rig = Rig().after_opening()
        thought = rig.turn("book it")
        rig.tell(on.ClauseThought(thought.thought, "What is your pin?"))
        rig.done(thought, "What is your pin?", expects_keys=4)
        rig.hear_all()
        for digit in "1234#":
            rig.tell(on.Digit(digit))
        rig.answer(rig.thoughts[-1], "Thank you.")
        assert rig.said[-1] == "Thank you."

    def test_keys_are_sounded_behind_what_is_said_and_stand_in_the_transcript(self) -> None:
        rig = Rig().after_opening()
        thought = rig.turn("press one for sales")
        rig.tell(on.ClauseThought(thought.thought, "One moment."))
        rig.tell(on.ActThought(thought.thought, PressKeys("1w#")))
        rig.done(thought, "One moment.")
        assert [command.keys for command in rig.commands if isinstance(command, do.Dial)] == ["1w#"]
        rig.hear_all()
        assert rig.transcript[-1] == (1, "heard", "One moment. pressed 1 #")

    def test_keys_alone_are_an_answer(self) -> None:
        rig = Rig().after_opening()
        thought = rig.turn("press one for sales")
        rig.tell(on.ActThought(thought.thought, PressKeys("1")))
        rig.done(thought)
        rig.hear_all()
        assert rig.said[-1] == "pressed 1"
        assert rig.turn("and now").reply.conversation.exchanges[-1].agent == "pressed 1"

    def test_a_key_interrupts(self) -> None:
        rig = Rig().begin()
        rig.hear(rig.played[0], until_ms=400)
        rig.tell(on.Digit("1"))
        assert rig.wanted(do.Clear) == 1
