"""A call's limits are those that it was given."""

import pytest
from msgspec.structs import replace

from scriza.modules.telephony.call import commands as do
from scriza.modules.telephony.call import events as on
from scriza.modules.telephony.turns.limits import Limits
from tests.unit.call_rig import LINES, OPENING, Rig, plan


class TestTheLongestTurn:
    def test_speech_without_a_pause_for_half_a_minute_is_taken_as_a_turn(self) -> None:
        rig = Rig(speculate=False).after_opening()
        rig.start_speaking()
        rig.pass_ms(29_990)
        rig.tell(on.SpeechGoesOn(29_990, -22.0))
        assert do.Transcribe() not in rig.commands
        rig.pass_ms(10)
        assert do.Transcribe() in rig.tell(on.SpeechGoesOn(30_000, -22.0))
        rig.tell(on.Words("and then another thing", 0.9, final=True))
        assert [reply.utterance for reply in rig.replies] == ["and then another thing"]
        assert rig.transcript[-1] == (1, "user", "and then another thing")

    def test_it_is_as_long_as_it_was_set(self) -> None:
        rig = Rig(speculate=False, limits=Limits(longest_turn=5_000)).after_opening()
        rig.start_speaking()
        rig.pass_ms(5_000)
        assert do.Transcribe() in rig.tell(on.SpeechGoesOn(5_000, -22.0))

    def test_a_pause_in_time_begins_the_count_anew(self) -> None:
        rig = Rig(speculate=False, limits=Limits(longest_turn=5_000)).after_opening()
        rig.say("i would like to", ms=4_000)
        rig.pass_ms(100)
        rig.start_speaking()
        rig.pass_ms(4_000)
        assert do.Transcribe() not in rig.tell(on.SpeechGoesOn(4_000, -22.0))
        assert not rig.thoughts

    def test_what_is_said_after_a_turn_that_was_cut_is_not_lost(self) -> None:
        rig = Rig(speculate=False, limits=Limits(longest_turn=5_000)).after_opening()
        rig.start_speaking()
        rig.pass_ms(5_000)
        rig.tell(on.SpeechGoesOn(5_000, -22.0))
        rig.tell(on.Words("the first half", 0.9, final=True))
        rig.say("the second half")
        rig.pass_ms(2_000)
        assert "the second half" in rig.replies[-1].utterance


class TestTheOpening:
    def test_it_must_be_on_the_wire_as_soon_as_was_set(self) -> None:
        rig = Rig(limits=Limits(opening_on_wire=3_000)).begin()
        rig.pass_ms(2_990)
        assert rig.said == [OPENING]
        rig.pass_ms(10)
        assert rig.said[-1] == LINES.intro_timeout
        rig.hear_all()
        assert rig.ended == do.End("opening-timeout")

    def test_one_that_is_on_the_wire_in_time_may_take_longer_than_that(self) -> None:
        rig = Rig(limits=Limits(opening_on_wire=300)).begin()
        rig.pass_ms(290)
        rig.hear(rig.played[0])
        rig.pass_ms(1_000)
        assert rig.said == [OPENING]

    @pytest.mark.parametrize("first_words", [2_000, 15_000])
    def test_the_caller_has_as_long_for_the_first_words_as_was_set(self, first_words: int) -> None:
        rig = Rig(limits=Limits(first_words=first_words)).after_opening()
        rig.pass_ms(first_words - 10)
        assert rig.said == [OPENING]
        rig.pass_ms(10)
        assert rig.said[-1] == LINES.intro_timeout
        rig.hear_all()
        assert rig.ended == do.End("intro-timeout")

    def test_the_playbook_says_how_long_the_first_words_may_take(self) -> None:
        rig = Rig(limits=Limits(first_words=15_000)).begin(planned=replace(plan(), first_words_ms=3_000))
        rig.hear_all()
        rig.pass_ms(2_990)
        assert rig.said == [OPENING]
        rig.pass_ms(10)
        assert rig.said[-1] == LINES.intro_timeout

    def test_the_first_words_limit_is_over_with_the_first_words(self) -> None:
        rig = Rig(limits=Limits(first_words=2_000)).after_opening()
        rig.answer(rig.turn("what does it cost"), "It is ten dollars.")
        rig.hear_all()
        rig.pass_ms(7_990)
        assert rig.said == [OPENING, "It is ten dollars."]
        rig.pass_ms(10)
        assert rig.said[-1] == LINES.silence_prompts[0]
