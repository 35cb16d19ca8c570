"""When a turn is over, and what is no interruption."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriza.modules.telephony.turns.adaptive_silence import AdaptiveOptions, AdaptiveSilence
from scriza.modules.telephony.turns.barge_in import BargeInOptions, Evidence, Verdict, decide
from scriza.modules.telephony.turns.endpointing import Pause
from scriza.modules.telephony.turns.fixed_silence import FixedSilence


def pause(
    text: str, *, understood: bool = True, speech_ms: int = 1200, inner: tuple[int, ...] = (), cuts: int = 0
) -> Pause:
    return Pause(text, understood, speech_ms, inner, cuts)


class TestAdaptiveSilence:
    def needed(self, *args: object, **kwargs: object) -> int:
        return AdaptiveSilence().silence_needed(pause(*args, **kwargs))  # type: ignore[arg-type]

    @pytest.mark.parametrize("text", ["How much is it?", "yes please", "no thank you", "That is fine."])
    def test_a_finished_sentence_or_a_closed_answer_needs_little(self, text: str) -> None:
        assert self.needed(text) == 300

    @pytest.mark.parametrize(
        "text", ["how much does it cost and", "i would like to", "well um", "my number is four two"]
    )
    def test_words_that_cannot_end_a_sentence_need_much(self, text: str) -> None:
        assert self.needed(text) == 1000

    def test_anything_else_is_in_between(self) -> None:
        assert self.needed("how much does it cost per month") == 550

    def test_while_the_words_are_not_there_it_waits_a_little_longer(self) -> None:
        assert self.needed("", understood=False) == 700

    def test_a_very_short_sound_that_is_no_answer_is_given_time(self) -> None:
        assert self.needed("so", speech_ms=200) > self.needed("so", speech_ms=800)
        assert self.needed("yes", speech_ms=200) == 300

    def test_callers_who_pause_long_inside_their_turns_are_given_longer(self) -> None:
        assert self.needed("how much does it cost", inner=(600, 650, 700)) == 550 + 700 - 250

    def test_each_time_a_caller_was_cut_off_makes_it_more_patient(self) -> None:
        assert [self.needed("how much does it cost", cuts=cuts) for cuts in (0, 1, 3)] == [550, 650, 850]

    @given(
        st.text(max_size=40),
        st.booleans(),
        st.integers(0, 30_000),
        st.lists(st.integers(0, 5_000), max_size=20).map(tuple),
        st.integers(0, 40),
    )
    def test_it_is_always_between_its_bounds(
        self, text: str, understood: bool, speech_ms: int, inner: tuple[int, ...], cuts: int
    ) -> None:
        options = AdaptiveOptions()
        needed = self.needed(text, understood=understood, speech_ms=speech_ms, inner=inner, cuts=cuts)
        assert options.least <= needed <= options.most


def test_a_fixed_silence_looks_at_nothing() -> None:
    assert FixedSilence(640).silence_needed(pause("and")) == 640


class TestBargeIn:
    def verdict(self, text: str = "", **known: object) -> Verdict:
        evidence = {
            "text": text,
            "final": False,
            "speech_ms": 200,
            "level_dbfs": -22.0,
            "usual_level_dbfs": -22.0,
            "asked": False,
            "overdue": False,
        } | known
        return decide(Evidence(**evidence), BargeInOptions())  # type: ignore[arg-type]

    def test_a_word_that_is_no_backchannel_interrupts(self) -> None:
        assert self.verdict("wait") is Verdict.INTERRUPT

    @pytest.mark.parametrize("text", ["10", "42 50", "मुझे अभी समय नहीं है", "подождите пожалуйста", "एक मिनट"])
    def test_words_are_words_in_any_script(self, text: str) -> None:
        assert self.verdict(text, final=True) is Verdict.INTERRUPT

    @pytest.mark.parametrize("text", ["mm hm", "okay", "uh huh", "I see", "right", "Yeah, okay."])
    def test_a_backchannel_does_not(self, text: str) -> None:
        assert self.verdict(text) is Verdict.WAIT
        assert self.verdict(text, final=True) is Verdict.GO_ON

    def test_a_short_sound_without_words_is_waited_for_and_then_forgotten(self) -> None:
        assert self.verdict() is Verdict.WAIT
        assert self.verdict(final=True) is Verdict.GO_ON
        assert self.verdict(overdue=True) is Verdict.GO_ON

    def test_long_loud_speech_interrupts_without_words(self) -> None:
        assert self.verdict(speech_ms=800) is Verdict.INTERRUPT

    def test_quiet_speech_never_does(self) -> None:
        assert self.verdict("wait stop", level_dbfs=-40.0) is Verdict.GO_ON
        assert self.verdict(speech_ms=5_000, level_dbfs=-40.0, overdue=True) is Verdict.GO_ON

    def test_an_answer_to_a_question_is_no_backchannel(self) -> None:
        assert self.verdict("yes", asked=True) is Verdict.INTERRUPT
