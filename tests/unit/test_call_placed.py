"""Calls that we placed: who takes them, and what is said to whom."""

import pytest
from msgspec.structs import replace

from scriza.modules.telephony.call import commands as do
from scriza.modules.telephony.call import events as on
from scriza.modules.telephony.call.tables import Line, Voice
from scriza.ports.agent import CallPlan
from scriza.ports.agent import Voice as VoiceOf
from scriza.ports.carrier import Answerer
from tests.unit.call_rig import LINES, OPENING, Rig, conversation, journal, plan

GREETING = "You have reached Ann. Please leave a message after the tone."
SCREENING = "Please say your name and why you are calling."


def placed(**changes: object) -> Rig:
    return Rig().begin(direction="outbound", **changes)


def answered_by(rig: Rig, who: Answerer) -> None:
    rig.tell(on.AnsweredBy(who))


class TestAPersonAnswers:
    def test_the_opening_waits_for_the_first_words_and_begins_half_a_second_after_them(self) -> None:
        rig = placed()
        rig.pass_ms(500)
        rig.say("hello?", ms=600)
        rig.pass_ms(399)
        assert rig.said == []
        rig.pass_ms(1)
        assert rig.said == [OPENING]
        assert rig.transcript[:2] == [(0, "user", "hello?"), (0, "reply", OPENING)]
        assert rig.thoughts == []

    def test_the_opening_is_made_while_it_is_waited_for(self) -> None:
        rig = placed()
        assert rig.wanted(do.Synthesise) == 1
        rig.say("hello?")
        rig.pass_ms(500)
        assert rig.wanted(do.Synthesise) == 1
        assert rig.said == [OPENING]

    def test_somebody_who_says_nothing_hears_the_opening_after_two_seconds(self) -> None:
        rig = placed()
        rig.pass_ms(1_999)
        assert rig.said == []
        rig.pass_ms(1)
        assert rig.said == [OPENING]

    def test_a_long_greeting_is_heard_to_its_end(self) -> None:
        rig = placed()
        rig.say("Smith and sons, this is Ann speaking, how may I help you today?", ms=4_000)
        rig.pass_ms(1_800)
        assert rig.said == []
        rig.pass_ms(100)
        assert rig.said == [OPENING]

    def test_first_words_that_were_not_understood_are_words(self) -> None:
        rig = placed()
        rig.start_speaking()
        rig.pass_ms(400)
        rig.stop_speaking(400)
        rig.tell(on.RecogniserFailed())
        rig.pass_ms(500)
        assert rig.said == [OPENING]

    @pytest.mark.parametrize("who", ["human", "unknown"])
    def test_the_carriers_word_for_a_person_changes_nothing(self, who: Answerer) -> None:
        rig = placed()
        rig.say("hello?")
        rig.pass_ms(500)
        rig.hear_all()
        before = len(rig.commands)
        answered_by(rig, who)
        assert rig.commands[before:] == []
        rig.turn("who is this")
        assert rig.thoughts

    def test_a_call_that_came_in_is_opened_at_once(self) -> None:
        assert Rig().begin().said == [OPENING]

    def test_a_call_that_is_taken_up_again_waits_for_nobody(self) -> None:
        rig = placed(attached=2, conversation=replace(conversation(), opening=OPENING))
        assert rig.said == [LINES.resumed]


class TestAMachineAnswers:
    def test_the_message_is_left_when_the_greeting_is_over_and_the_call_ends_when_it_has_been_heard(self) -> None:
        rig = placed()
        rig.say("You have reached Ann", ms=6_000)
        answered_by(rig, "machine_end_beep")
        assert rig.said == [LINES.voicemail]
        assert rig.ended is None
        rig.hear_all()
        assert rig.ended == do.End("voicemail-left")

    def test_without_a_message_we_hang_up(self) -> None:
        rig = Rig()
        rig.tell(on.StreamStarted(journal(direction="outbound")))
        rig.tell(on.Planned(CallPlan(conversation(), replace(LINES, voicemail=""), VoiceOf(), [])))
        answered_by(rig, "machine_end_silence")
        assert rig.ended == do.End("voicemail")
        assert rig.said == []

    def test_an_opening_that_was_begun_is_broken_off(self) -> None:
        rig = placed()
        rig.pass_ms(2_000)
        rig.hear(rig.played[-1], until_ms=400)
        answered_by(rig, "machine_end_other")
        assert rig.wanted(do.Clear) == 1
        assert rig.said == [OPENING, LINES.voicemail]
        assert (0, "heard", "Hello, this") in rig.transcript

    def test_a_machine_that_begins_to_talk_is_listened_to_in_silence(self) -> None:
        rig = placed()
        rig.pass_ms(2_000)
        answered_by(rig, "machine_start")
        assert rig.call.states.voice is Voice.SILENT
        rig.say("you have reached Ann", ms=3_000)
        rig.pass_ms(20_000)
        assert rig.said == [OPENING]
        assert rig.thoughts == []
        answered_by(rig, "machine_end_beep")
        assert rig.said == [OPENING, LINES.voicemail]

    def test_a_greeting_whose_end_nobody_tells_is_not_waited_for_for_ever(self) -> None:
        rig = placed()
        answered_by(rig, "machine_start")
        rig.pass_ms(60_000)
        assert rig.ended == do.End("voicemail")

    def test_words_give_a_machine_away_when_the_carrier_does_not(self) -> None:
        rig = placed()
        rig.say(GREETING, ms=5_000)
        rig.pass_ms(2_000)
        assert rig.said == []
        rig.pass_ms(3_500)
        assert rig.said == [LINES.voicemail]

    def test_a_fax_is_hung_up_on(self) -> None:
        rig = placed()
        answered_by(rig, "fax")
        assert rig.ended == do.End("fax")

    def test_a_verdict_that_comes_before_the_plan_counts_when_it_is_there(self) -> None:
        rig = Rig()
        rig.tell(on.StreamStarted(journal(direction="outbound")))
        answered_by(rig, "machine_end_beep")
        rig.tell(on.Planned(plan()))
        assert rig.said == [LINES.voicemail]

    def test_a_verdict_that_the_log_knew_counts_too(self) -> None:
        assert placed(answered_by="machine_end_beep").said == [LINES.voicemail]

    def test_the_first_verdict_stands(self) -> None:
        rig = placed()
        answered_by(rig, "human")
        answered_by(rig, "machine_end_beep")
        rig.pass_ms(2_000)
        assert rig.said == [OPENING]


class TestAScreening:
    def test_it_is_told_who_calls_and_why_and_the_person_then_hears_the_opening(self) -> None:
        rig = placed()
        rig.say(SCREENING, ms=3_000)
        rig.pass_ms(500)
        assert rig.said == [LINES.introduction]
        rig.hear_all()
        rig.say("Thanks, please stay on the line.", ms=1_500)
        rig.pass_ms(10_000)
        assert rig.said == [LINES.introduction]
        rig.say("Hello?", ms=400)
        rig.pass_ms(500)
        assert rig.said == [LINES.introduction, OPENING]
        assert [(turn, text) for turn, kind, text in rig.transcript if kind == "user"] == [
            (0, SCREENING),
            (1, "Hello?"),
        ]
        rig.hear_all()
        assert rig.turn("yes").reply.conversation.opening == OPENING

    @pytest.mark.parametrize("after_ms", [100, 3_000])
    def test_it_is_no_answering_machine_whatever_the_carrier_takes_it_for(self, after_ms: int) -> None:
        rig = placed()
        rig.say(SCREENING, ms=3_000)
        rig.pass_ms(after_ms)
        answered_by(rig, "machine_end_silence")
        rig.pass_ms(500)
        assert rig.said == [LINES.introduction]
        rig.hear_all()
        rig.say(GREETING, ms=5_000)
        rig.pass_ms(2_000 + 3_500)
        assert rig.said == [LINES.introduction, LINES.voicemail]

    def test_a_service_that_speaks_over_the_introduction_does_not_cost_the_opening(self) -> None:
        rig = placed()
        rig.say(SCREENING, ms=3_000)
        rig.pass_ms(500)
        rig.hear(rig.played[-1], until_ms=400)
        rig.say("please stay on the line", ms=1_500)
        rig.pass_ms(500)
        rig.say("hello", ms=400)
        rig.pass_ms(500)
        assert rig.said == [LINES.introduction, OPENING]
        made_anew = [command for command in rig.commands if isinstance(command, do.Synthesise)][-1]
        cleared = max(index for index, command in enumerate(rig.commands) if isinstance(command, do.Clear))
        assert rig.commands.index(made_anew) > cleared
        assert made_anew.clip == rig.played[-1]

    def test_what_is_not_understood_may_have_been_a_word_to_wait(self) -> None:
        rig = placed()
        rig.say(SCREENING, ms=3_000)
        rig.pass_ms(500)
        rig.hear_all()
        rig.say("", ms=1_000)
        rig.pass_ms(2_000)
        assert rig.said == [LINES.introduction]
        rig.pass_ms(500)
        assert rig.said == [LINES.introduction, OPENING]

    def test_a_person_who_is_connected_without_a_word_hears_the_opening_too(self) -> None:
        rig = placed()
        rig.say(SCREENING, ms=3_000)
        rig.pass_ms(2_000)
        rig.hear_all()
        rig.pass_ms(25_000)
        assert rig.said == [LINES.introduction, OPENING]


class TestTheStop:
    def test_a_live_call_says_goodbye_and_ends(self) -> None:
        rig = Rig().after_opening()
        rig.start_speaking()
        rig.tell(on.StopAsked())
        rig.tell(on.StopAsked())
        assert rig.said == [OPENING, LINES.farewell]
        rig.hear_all()
        assert rig.ended == do.End("stopped")

    def test_words_that_are_still_to_come_hold_nothing_up(self) -> None:
        rig = Rig().after_opening()
        rig.start_speaking()
        rig.pass_ms(1_000)
        rig.stop_speaking(1_000)
        rig.tell(on.StopAsked())
        rig.hear_all()
        assert rig.ended == do.End("stopped")

    def test_a_call_whose_farewell_is_never_confirmed_ends_all_the_same(self) -> None:
        rig = Rig().after_opening()
        rig.tell(on.StopAsked())
        rig.pass_ms(15_000)
        assert rig.ended == do.End("stopped")
        assert rig.call.states.line is Line.ENDED

    def test_a_call_that_waits_for_its_callee_ends_too(self) -> None:
        rig = placed()
        rig.tell(on.StopAsked())
        rig.hear_all()
        assert rig.ended == do.End("stopped")

    def test_a_call_without_a_plan_yet_ends_with_a_sentence(self) -> None:
        rig = Rig()
        rig.tell(on.StreamStarted(journal(direction="outbound")))
        rig.tell(on.StopAsked())
        assert len(rig.said) == 1
        rig.hear_all()
        assert rig.ended == do.End("stopped")
