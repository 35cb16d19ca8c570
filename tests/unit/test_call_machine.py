"""What a call does, event by event."""

import pytest

from scriza.modules.telephony.call import commands as do
from scriza.modules.telephony.call import events as on
from scriza.modules.telephony.call.machine import Call
from scriza.modules.telephony.call.replay import replay
from scriza.modules.telephony.call.tables import Caller, Mind, Voice
from scriza.modules.telephony.turns.barge_in import BargeInOptions
from scriza.modules.telephony.turns.fixed_silence import FixedSilence
from scriza.modules.telephony.turns.limits import Limits
from scriza.ports.agent import DO_NOT_CALL, SendSms, SetOutcome
from tests.unit.call_rig import LINES, OPENING, Rig, journal, plan


class TestOpening:
    def test_the_call_begins_by_asking_the_agent_and_then_says_the_opening(self) -> None:
        rig = Rig()
        assert do.Begin() in rig.tell(on.StreamStarted(journal()))
        rig.tell(on.Planned(plan()))
        assert rig.said == [OPENING]
        assert rig.transcript == [(0, "reply", OPENING)]

    def test_spare_lines_are_fetched_so_that_a_failing_provider_is_not_silence(self) -> None:
        rig = Rig().begin()
        fetched = next(command for command in rig.commands if isinstance(command, do.Prefetch))
        assert {LINES.intro_timeout, LINES.trouble, LINES.farewell} <= set(fetched.lines)

    def test_without_a_plan_the_caller_is_told_so_and_the_call_ends(self) -> None:
        rig = Rig()
        rig.tell(on.StreamStarted(journal()))
        rig.tell(on.PlanFailed())
        assert rig.said == ["Sorry, we cannot take your call right now. Please try again later. Goodbye."]
        rig.hear_all()
        assert rig.ended == do.End("no-plan")

    def test_an_opening_that_is_not_on_the_wire_in_time_gives_way_to_the_fallback(self) -> None:
        rig = Rig().begin()
        rig.pass_ms(10_000)
        assert rig.said[-1] == LINES.intro_timeout
        rig.hear_all()
        assert rig.ended is not None
        assert rig.ended.reason == "opening-timeout"

    def test_the_caller_s_silence_counts_from_the_end_of_the_heard_opening(self) -> None:
        rig = Rig().begin()
        rig.pass_ms(9_000)
        rig.hear(rig.played[0])
        rig.pass_ms(9_990)
        assert rig.said == [OPENING]
        rig.pass_ms(10)
        assert rig.said[-1] == LINES.intro_timeout
        rig.hear(rig.played[-1])
        assert rig.ended == do.End("intro-timeout")

    def test_a_noise_without_words_gives_the_caller_no_more_time(self) -> None:
        rig = Rig().after_opening()
        for _ in range(2):
            rig.pass_ms(4_000)
            rig.say("", ms=200)
        rig.pass_ms(10_000 - 2 * 4_300 - 10)
        assert rig.said == [OPENING]
        rig.pass_ms(10)
        assert rig.said[-1] == LINES.intro_timeout

    def test_a_noise_that_lasts_over_the_time_is_waited_for_as_it_may_yet_be_words(self) -> None:
        rig = Rig(speculate=False).after_opening()
        rig.pass_ms(9_900)
        rig.start_speaking()
        rig.pass_ms(400)
        rig.stop_speaking(400)
        assert rig.said == [OPENING]
        rig.tell(on.Words("", 0.0, final=True))
        rig.pass_ms(600)
        assert rig.said[-1] == LINES.intro_timeout

    def test_even_when_the_last_words_cannot_be_spoken_the_call_ends(self) -> None:
        rig = Rig().after_opening()
        rig.pass_ms(10_000)
        rig.tell(on.ClipFailed(rig.played[-1]))
        assert rig.ended == do.End("intro-timeout")


class TestTurn:
    def test_an_utterance_is_journalled_and_answered_when_the_silence_is_long_enough(self) -> None:
        rig = Rig(speculate=False).after_opening()
        rig.say("what does it cost")
        rig.pass_ms(590)
        assert not rig.thoughts
        rig.pass_ms(10)
        assert [reply.utterance for reply in rig.replies] == ["what does it cost"]
        assert rig.transcript[-1] == (1, "user", "what does it cost")

    def test_clauses_are_spoken_as_they_come_and_heard_ones_make_the_history(self) -> None:
        rig = Rig().after_opening()
        thought = rig.turn("what does it cost")
        rig.answer(thought, "It is ten dollars.", "Shall we begin?")
        assert rig.said[1:] == ["It is ten dollars.", "Shall we begin?"]
        rig.hear_all()
        assert rig.transcript[-1] == (1, "heard", "It is ten dollars. Shall we begin?")
        follow_up = rig.turn("yes please")
        assert [(e.user, e.agent) for e in follow_up.reply.conversation.exchanges] == [
            ("what does it cost", "It is ten dollars. Shall we begin?")
        ]

    def test_words_that_come_after_the_turn_is_over_are_waited_for(self) -> None:
        rig = Rig().after_opening()
        rig.start_speaking()
        rig.pass_ms(800)
        rig.stop_speaking(800)
        rig.pass_ms(900)
        assert not rig.thoughts
        rig.tell(on.Words("what does it cost", 0.9, final=True))
        assert [reply.utterance for reply in rig.replies] == ["what does it cost"]

    def test_a_recogniser_that_never_answers_is_not_waited_for_forever(self) -> None:
        rig = Rig().after_opening()
        rig.start_speaking()
        rig.pass_ms(800)
        rig.stop_speaking(800)
        rig.pass_ms(600 + 4_000)
        assert rig.said[-1] == LINES.repair

    def test_a_short_noise_without_words_is_no_turn(self) -> None:
        rig = Rig().after_opening()
        rig.say("", ms=200)
        rig.pass_ms(1_000)
        assert not rig.thoughts
        assert rig.said == [OPENING]

    def test_a_pause_inside_a_turn_does_not_end_it(self) -> None:
        rig = Rig(speculate=False).after_opening()
        rig.say("i would like to")
        rig.pass_ms(300)
        rig.say("i would like to book a demo")
        rig.pass_ms(700)
        assert [reply.utterance for reply in rig.replies] == ["i would like to book a demo"]

    @pytest.mark.parametrize("speculate", [True, False])
    def test_a_clause_is_spoken_knowing_the_one_before_it_in_its_answer(self, speculate: bool) -> None:
        rig = Rig(speculate=speculate).after_opening()
        for question in ("what does it cost", "and a year"):
            rig.say(question)
            rig.pass_ms(300 if speculate else 700)
            rig.answer(rig.thoughts[-1], "Ten dollars.", "A month.")
            rig.pass_ms(400)
            rig.hear_all()
        told = [(c.text, c.previous_text) for c in rig.commands if isinstance(c, do.Synthesise)]
        assert told[1:] == 2 * [("Ten dollars.", ""), ("A month.", "Ten dollars.")]

    def test_a_change_of_stage_is_told(self) -> None:
        rig = Rig().after_opening()
        rig.answer(rig.turn("what does it cost"), "Ten.", stage="pricing")
        stages = [c.data.stage for c in rig.commands if isinstance(c, do.Publish) and hasattr(c.data, "status")]
        assert stages == ["greeting", "pricing"]

    def test_an_answer_without_words_becomes_the_repair_line(self) -> None:
        rig = Rig().after_opening()
        rig.answer(rig.turn("what does it cost"))
        assert rig.said[-1] == LINES.repair

    def test_the_waterfall_s_parts_sum_to_the_total(self) -> None:
        rig = Rig(speculate=False).after_opening()
        rig.say("what does it cost")
        rig.pass_ms(600)
        [thought] = rig.thoughts
        rig.pass_ms(120)
        rig.tell(on.ClauseThought(thought.thought, "Ten dollars."))
        clip = rig.played[-1]
        rig.pass_ms(80)
        rig.tell(on.ClipReady(clip))
        rig.pass_ms(7)
        rig.tell(on.ClipStarted(clip))
        [latency] = rig.call.metrics.latencies
        assert (latency.endpoint_ms, latency.llm_ms, latency.tts_ms, latency.send_ms) == (700, 120, 80, 7)
        assert latency.total_ms == 907
        assert latency.total_ms == sum((700, latency.asr_ms, 120, 80, 7))


class TestSpeculation:
    def test_thinking_starts_at_the_pause_and_is_heard_only_when_the_turn_is_over(self) -> None:
        rig = Rig().after_opening()
        rig.say("what does it cost")
        [thought] = rig.thoughts
        assert thought.reply.speculative
        rig.answer(thought, "Ten dollars.")
        assert rig.said == [OPENING]
        assert rig.wanted(do.Synthesise) == 2
        rig.pass_ms(700)
        assert rig.said[-1] == "Ten dollars."
        assert len(rig.thoughts) == 1

    def test_a_caller_who_goes_on_cancels_it_and_nothing_of_it_remains(self) -> None:
        rig = Rig().after_opening()
        rig.say("what does it cost")
        rig.answer(rig.thoughts[0], "Ten dollars.")
        rig.start_speaking()
        assert do.CancelThinking(rig.thoughts[0].thought) in rig.commands
        assert rig.wanted(do.Forget) == 1
        rig.pass_ms(500)
        rig.stop_speaking(500)
        rig.tell(on.Words("what does it cost for ten people", 0.9, final=True))
        rig.pass_ms(700)
        assert rig.replies[-1].utterance == "what does it cost for ten people"
        assert all(exchange.user != "what does it cost" for exchange in rig.replies[-1].conversation.exchanges)

    def test_acts_of_a_speculative_answer_wait_for_the_end_of_the_turn(self) -> None:
        rig = Rig().after_opening()
        rig.say("send me a message")
        rig.tell(on.ActThought(rig.thoughts[0].thought, SendSms("Hello")))
        assert rig.wanted(do.SendText) == 0
        rig.pass_ms(700)
        assert do.SendText("Hello") in rig.commands

    def test_who_wants_no_calls_is_put_on_the_list_when_their_turn_is_sure_and_nobody_else_is(self) -> None:
        rig = Rig().after_opening()
        rig.say("take me off your list")
        for outcome in ("demo_booked", DO_NOT_CALL):
            rig.tell(on.ActThought(rig.thoughts[0].thought, SetOutcome(outcome)))
        assert rig.wanted(do.Bar) == 0
        rig.pass_ms(700)
        assert rig.wanted(do.Bar) == 1

    def test_the_switch_turns_it_off(self) -> None:
        rig = Rig(speculate=False).after_opening()
        rig.say("what does it cost")
        assert not rig.thoughts

    def test_a_failed_speculation_is_thought_again(self) -> None:
        rig = Rig().after_opening()
        rig.say("what does it cost")
        rig.tell(on.ThoughtFailed(rig.thoughts[0].thought))
        rig.pass_ms(700)
        assert [reply.speculative for reply in rig.replies] == [True, False]
        assert rig.said == [OPENING]


class TestBargeIn:
    def speaking(self) -> Rig:
        """The agent is in the middle of "one two three four five", two words of which have been heard."""
        rig = Rig().after_opening()
        rig.answer(rig.turn("count for me"), "one two three four five")
        rig.hear(rig.played[-1], until_ms=400)
        return rig

    def test_speech_stops_the_sending_at_once(self) -> None:
        rig = self.speaking()
        rig.start_speaking()
        assert rig.commands.count(do.Hold()) == 1
        assert rig.wanted(do.Clear) == 0

    def test_words_make_it_an_interruption_and_history_keeps_what_was_heard(self) -> None:
        rig = self.speaking()
        rig.start_speaking()
        rig.pass_ms(300)
        rig.tell(on.Words("wait stop", 0.8, final=False))
        assert rig.wanted(do.Clear) == 1
        assert rig.transcript[-1] == (1, "heard", "one two")
        rig.stop_speaking(500)
        rig.tell(on.Words("wait stop", 0.9, final=True))
        rig.pass_ms(700)
        assert [(e.user, e.agent) for e in rig.replies[-1].conversation.exchanges] == [("count for me", "one two")]
        assert rig.call.metrics.barge_ins == 1

    def test_history_keeps_of_an_interrupted_opening_what_was_heard(self) -> None:
        rig = Rig().begin()
        rig.hear(rig.played[0], until_ms=400)
        rig.turn("i have a question")
        assert rig.replies[-1].conversation.opening == "Hello, this"

    @pytest.mark.parametrize("sound", ["", "mm hm", "okay", "yeah right"])
    def test_a_cough_or_a_backchannel_is_none_and_the_agent_goes_on(self, sound: str) -> None:
        rig = self.speaking()
        rig.say(sound, ms=300)
        assert rig.wanted(do.GoOn) == 1
        assert rig.wanted(do.Clear) == 0
        assert rig.call.metrics.false_barge_ins == 1
        rig.pass_ms(2_000)
        assert len(rig.thoughts) == 1

    def test_yes_after_a_question_is_an_answer(self) -> None:
        rig = Rig().after_opening()
        rig.answer(rig.turn("hm what now"), "Shall we?", "Take your time.")
        rig.hear(rig.played[-2])
        rig.hear(rig.played[-1], until_ms=200)
        rig.say("yes", ms=300)
        assert rig.wanted(do.Clear) == 0, "what was heard last was no question"
        other = Rig().after_opening()
        other.answer(other.turn("hm what now"), "Shall we?", "Take your time.")
        other.hear(other.played[-2])
        other.say("yes", ms=300)
        assert other.wanted(do.Clear) == 1

    def test_long_loud_speech_interrupts_before_a_word_is_understood(self) -> None:
        rig = self.speaking()
        rig.start_speaking()
        rig.pass_ms(800)
        rig.tell(on.SpeechGoesOn(800, -22.0))
        assert rig.wanted(do.Clear) == 1

    def test_speech_far_below_the_caller_s_level_is_an_echo_or_somebody_else(self) -> None:
        rig = self.speaking()
        rig.start_speaking(level=-45.0)
        rig.pass_ms(800)
        rig.tell(on.SpeechGoesOn(800, -45.0))
        rig.pass_ms(300)
        assert rig.wanted(do.Clear) == 0
        assert rig.wanted(do.GoOn) == 1

    def test_undecided_for_too_long_means_go_on(self) -> None:
        rig = self.speaking()
        rig.start_speaking()
        rig.pass_ms(900)
        assert rig.wanted(do.GoOn) == 1

    def test_words_of_a_noise_that_never_come_do_not_keep_the_call_open(self) -> None:
        rig = self.speaking()
        rig.start_speaking()
        rig.pass_ms(300)
        rig.stop_speaking(300)
        rig.pass_ms(900)
        assert rig.wanted(do.GoOn) == 1
        rig.hear_all()
        rig.pass_ms(4_000 + 8_000)
        assert rig.said[-1] == LINES.silence_prompts[0]

    def test_an_answer_nobody_heard_is_asked_again_with_what_follows(self) -> None:
        rig = Rig(speculate=False).after_opening()
        rig.turn("i would like")
        rig.say("a demo please")
        rig.pass_ms(700)
        assert rig.replies[-1].utterance == "i would like a demo please"
        assert rig.replies[-1].conversation.exchanges == []
        assert do.CancelThinking(rig.thoughts[0].thought) in rig.commands

    def test_an_answer_that_comes_while_the_caller_speaks_is_held_back(self) -> None:
        rig = Rig().after_opening()
        thought = rig.turn("what does it cost")
        rig.start_speaking()
        rig.answer(thought, "Ten dollars.")
        assert rig.call.states.voice is Voice.HOLDING
        rig.pass_ms(200)
        rig.stop_speaking(200)
        rig.tell(on.Words("mm", 0.4, final=True))
        assert rig.call.states.voice is Voice.SPEAKING

    def test_a_mark_that_echoes_after_our_clear_proves_nothing(self) -> None:
        rig = self.speaking()
        rig.tell(on.MarkSent("late", rig.played[-1], 1_000, True))
        rig.start_speaking()
        rig.tell(on.Words("no stop", 0.9, final=False))
        rig.tell(on.MarkEchoed("late"))
        heard = [text for _, kind, text in rig.transcript if kind == "heard"]
        assert heard[-1] == "one two"

    @pytest.mark.parametrize("speculate", [False, True])
    def test_what_an_interrupted_answer_has_used_until_then_is_counted(self, speculate: bool) -> None:
        rig = Rig(speculate=speculate).after_opening()
        rig.say("count for me")
        rig.pass_ms(0 if speculate else 700)
        rig.tell(on.ClauseThought(rig.thoughts[-1].thought, "one two three", 120))
        rig.tell(on.ClauseThought(rig.thoughts[-1].thought, "four five six", 140))
        rig.pass_ms(700)
        rig.hear(rig.played[-2], until_ms=400)
        rig.start_speaking()
        rig.tell(on.Words("stop it", 0.9, final=False))
        rig.tell(on.ClauseThought(rig.thoughts[-1].thought, "seven eight nine", 160))
        journalled = [line for line in rig.commands if isinstance(line, do.Journal) and line.kind == "reply"]
        assert (journalled[-1].text, journalled[-1].tokens) == ("one two three four five six", 140)

    def test_late_clauses_of_an_interrupted_answer_are_not_spoken(self) -> None:
        rig = Rig().after_opening()
        thought = rig.turn("count for me")
        rig.answer(thought, "one two three four five", done=False)
        rig.hear(rig.played[-1], until_ms=400)
        rig.start_speaking()
        rig.tell(on.Words("stop it", 0.9, final=False))
        rig.answer(thought, "six seven eight")
        assert rig.said[-1] == "one two three four five"

    def test_the_last_words_of_a_call_are_not_interrupted(self) -> None:
        rig = Rig().after_opening()
        rig.pass_ms(10_000)
        rig.start_speaking()
        rig.tell(on.Words("wait wait", 0.9, final=False))
        assert rig.wanted(do.Hold) == 0
        rig.hear_all()
        assert rig.ended == do.End("intro-timeout")


class TestSilence:
    def quiet(self) -> Rig:
        rig = Rig().after_opening()
        rig.answer(rig.turn("what does it cost"), "Ten dollars.")
        rig.hear_all()
        return rig

    def test_two_prompts_then_one_text_message_then_the_end(self) -> None:
        rig = self.quiet()
        for prompt in LINES.silence_prompts:
            rig.pass_ms(8_000)
            assert rig.said[-1] == prompt
            rig.hear_all()
        rig.pass_ms(8_000)
        assert rig.wanted(do.SendText) == 1
        assert rig.ended == do.End("silence")

    def test_the_timer_waits_while_the_phone_still_plays(self) -> None:
        rig = Rig().after_opening()
        rig.answer(rig.turn("what does it cost"), "Ten dollars.")
        rig.tell(on.ClipStarted(rig.played[-1]))
        rig.pass_ms(20_000)
        assert rig.said[-1] == "Ten dollars."

    def test_a_noise_in_the_background_does_not_keep_the_call_open(self) -> None:
        rig = self.quiet()
        for _ in range(60):
            rig.pass_ms(2_000)
            rig.say("", ms=200)
            rig.hear_all()
        assert rig.said[2:] == LINES.silence_prompts
        assert rig.ended == do.End("silence")

    def test_an_answer_starts_the_ladder_anew(self) -> None:
        rig = self.quiet()
        rig.pass_ms(8_000)
        rig.hear_all()
        rig.answer(rig.turn("i am here"), "Good.")
        rig.hear_all()
        rig.pass_ms(8_000)
        assert rig.said[-1] == LINES.silence_prompts[0]

    def test_a_mark_that_never_echoes_does_not_keep_the_call_open(self) -> None:
        rig = Rig().begin()
        rig.tell(on.ClipStarted(rig.played[0]))
        rig.tell(on.MarkSent("lost", rig.played[0], 3_000, True))
        rig.pass_ms(2_000 + 10_000)
        assert rig.said[-1] == LINES.intro_timeout

    def test_a_mark_sent_before_our_clear_and_told_after_it_shortens_nothing(self) -> None:
        rig = Rig().begin()
        rig.hear(rig.played[0], until_ms=400)
        rig.tell(on.StopAsked())
        rig.tell(on.MarkSent("late", rig.played[0], 600, False))
        rig.pass_ms(3_000)
        assert rig.ended is None
        rig.hear(rig.played[-1])
        assert rig.ended == do.End("stopped")


class TestTrouble:
    def test_a_failed_answer_is_excused_and_the_second_in_a_row_ends_the_call_politely(self) -> None:
        rig = Rig(speculate=False).after_opening()
        rig.tell(on.ThoughtFailed(rig.turn("what does it cost").thought))
        assert rig.said[-1] == LINES.trouble
        rig.hear_all()
        rig.tell(on.ThoughtFailed(rig.turn("hello hello you").thought))
        assert rig.said[-1] == LINES.farewell
        rig.hear_all()
        assert rig.ended == do.End("agent-failed")

    def test_a_clip_that_fails_is_excused(self) -> None:
        rig = Rig().after_opening()
        rig.answer(rig.turn("what does it cost"), "Ten dollars.")
        rig.tell(on.ClipFailed(rig.played[-1]))
        assert rig.said[-1] == LINES.trouble

    def test_an_opening_that_cannot_be_spoken_ends_the_call_politely(self) -> None:
        rig = Rig().begin()
        rig.tell(on.ClipFailed(rig.played[0]))
        assert rig.said[-1] == LINES.intro_timeout

    def test_the_longest_call_ends_politely(self) -> None:
        rig = Rig(limits=Limits(longest_call=20_000)).after_opening()
        rig.answer(rig.turn("tell me everything"), "It is a long story.")
        rig.pass_ms(20_000)
        assert rig.said[-1] == LINES.farewell
        rig.hear(rig.played[-1])
        assert rig.ended == do.End("longest-call")


def test_a_recorded_event_log_replays_the_call_exactly() -> None:
    rig = Rig().after_opening()
    rig.answer(rig.turn("count for me"), "one two three four five")
    rig.hear(rig.played[-1], until_ms=400)
    rig.say("stop please now")
    rig.pass_ms(3_000)
    rig.tell(on.StreamStopped())
    fresh = Call(Limits(), BargeInOptions(), FixedSilence(700))
    assert [command for _, commands in replay(fresh, rig.log) for command in commands] == rig.commands
    assert (fresh.states.caller, fresh.states.mind) == (Caller.SILENT, Mind.IDLE)
