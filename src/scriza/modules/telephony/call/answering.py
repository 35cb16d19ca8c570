"""The agent's side of a call: it thinks, speaks, and keeps account of what was heard."""

import msgspec

from scriza.modules.telephony.call import commands as do
from scriza.modules.telephony.call import events as on
from scriza.modules.telephony.call.commands import Timer
from scriza.modules.telephony.call.core import Core
from scriza.modules.telephony.call.memory import Answer, CallerTurn, Thought, Timing
from scriza.modules.telephony.call.tables import Line, Mind, Signal, Voice
from scriza.ports.agent import (
    DO_NOT_CALL,
    Act,
    Exchange,
    HangUp,
    Held,
    PressKeys,
    Reply,
    ScheduleCallback,
    SendSms,
    SetOutcome,
    TransferTo,
    with_keys,
)
from scriza.ports.telephony import AudioSynthesized, CallUpdated, ReplyGenerated, UtteranceTranscribed


class Answering(Core):
    """From the caller's turn to the words that were heard of the answer."""

    # ---- thinking ---------------------------------------------------------------------------------------------

    def _answer_turn(self, turn: CallerTurn, *, again: bool = False) -> None:
        """Journal the utterance and have it answered; `again` when the journal knows it already."""
        self._afterwards = None
        self._caller_has_spoken = True
        number = self._next_turn
        self._next_turn = self.metrics.turns = number + 1
        said, stage = with_keys(turn.text, turn.digits), self._stage
        if not again:
            self._tell_utterance(number, turn)
        timing = Timing(turn.ended_at or self._now, turn.over_at, turn.words_at)
        self._answer = Answer(number, self._asked(turn) or said, stage, stage, timing)
        if self._credit_is_used_up:
            self._part()
            return
        speculated = self._thought
        if self.states.mind is Mind.SPECULATING and speculated and self._is_about(speculated, turn):
            self._signal(Signal.COMMIT)
            for clip, text in speculated.clips:
                self._play(clip, text)
            self._count_tokens()
            for act in speculated.acts:
                self._do(act)
            if speculated.held:
                self._resume(speculated, speculated.held)
            self._thought_may_be_complete()
            return
        if self.states.mind is Mind.SPECULATING:
            self._signal(Signal.ABANDON)
        self._think(turn, Signal.THINK)

    def _tell_utterance(self, number: int, turn: CallerTurn) -> None:
        """Journal what the caller said, and tell of it."""
        said, stage = with_keys(turn.text, turn.digits), self._stage
        self._out.append(do.Journal(number, "user", said, stage, turn.confidence))
        self._publish(
            UtteranceTranscribed(
                call_id=self._call_id,
                turn=number,
                text=said,
                confidence=turn.confidence,
                stage=stage,
                began_ms=self._since_start(turn.began_at),
                ended_ms=self._since_start(turn.ended_at or None),
            )
        )

    def _asked(self, turn: CallerTurn) -> str:
        return f"{self._unheard} {turn.text}".strip()

    def _is_about(self, thought: Thought, turn: CallerTurn) -> bool:
        return (thought.asked.utterance, thought.asked.digits) == (self._asked(turn), turn.digits)

    def _think(self, turn: CallerTurn, signal: Signal) -> None:
        assert self._conversation is not None, "there is a plan before there are words"
        speculative = signal is Signal.SPECULATE
        reply = Reply(
            call_id=self._call_id,
            turn=self._next_turn if speculative else self._next_turn - 1,
            utterance=self._asked(turn),
            conversation=self._conversation,
            confidence=turn.confidence,
            digits=turn.digits,
            speculative=speculative,
            caller=self._other_side,
        )
        self._signal(signal)
        self._ask(reply)

    def _ask(self, reply: Reply) -> None:
        self._thought = Thought(self._next_thought, reply)
        self._next_thought += 1
        self._out.append(do.Think(self._thought.number, reply))

    def _held(self, held: Held) -> None:
        """The answer stopped before something that is done only when the turn is sure."""
        assert self._thought is not None
        if self.states.mind is Mind.SPECULATING:
            self._thought.held = held
        elif self._thought.asked.speculative:
            self._resume(self._thought, held)
        else:
            self._thought_failed()  # nothing was to be waited for

    def _resume(self, thought: Thought, held: Held) -> None:
        """Have the rest of an answer, whose beginning is said already, thought and done."""
        self._signal(Signal.RESUME)
        self._ask(msgspec.structs.replace(thought.asked, speculative=False, held=held))

    def _is_current(self, thought: int) -> bool:
        return self._thought is not None and self._thought.number == thought

    def _clause(self, text: str, tokens: int) -> None:
        assert self._thought is not None
        self._thought.tokens = tokens
        speculative = self.states.mind is Mind.SPECULATING
        before = [said for _, said in self._thought.clips] if speculative or not self._answer else self._answer.clauses
        clip = self._synthesise(text, before[-1] if before else "")
        if speculative:
            self._thought.clips.append((clip, text))
        else:
            self._play(clip, text)
            self._count_tokens()

    def _count_tokens(self) -> None:
        """What has been used until now counts, also if the caller lets the answer go no further."""
        if self._answer and self._thought and not self._answer.journalled:
            self._answer.tokens = self._thought.tokens

    def _act(self, act: Act) -> None:
        assert self._thought is not None
        if self.states.mind is Mind.SPECULATING:
            self._thought.acts.append(act)
        else:
            self._do(act)

    def _do(self, act: Act) -> None:
        match act:
            case HangUp():
                self._afterwards = do.End(act.reason)
            case TransferTo():
                self._afterwards = do.HandOver(act.to, act.whisper)
            case SendSms():
                self._out.append(do.SendText(act.text))
            case ScheduleCallback():
                self._out.append(do.CallBack(act))
            case PressKeys():
                self._press(act.keys)
            case SetOutcome():
                self._outcome = act.outcome
                if act.outcome == DO_NOT_CALL:
                    self._out.append(do.Bar())

    def _thought_may_be_complete(self) -> None:
        thought, answer = self._thought, self._answer
        if self.states.mind is not Mind.THINKING or thought is None or thought.done is None or answer is None:
            return
        self._signal(Signal.THOUGHT)
        self._thought = None
        self._failures = 0
        self._unheard = ""
        done = thought.done
        answer.conversation, answer.model, answer.tokens = done.conversation, done.model, done.usage.total_tokens
        answer.cached, answer.notes = done.cached, done.notes
        if done.conversation.stage != answer.stage:
            answer.stage = done.conversation.stage
            self._publish(CallUpdated(self._call_id, "in-progress", answer.stage, done.conversation.playbook))
        self._conversation = done.conversation
        self._expected_keys = done.expects_keys
        if not answer.clauses and self._afterwards is None and self._plan:
            self._speak(self._plan.lines.repair)
        self._journal_reply(answer)

    def _thought_failed(self, *, no_credit: bool = False) -> None:
        speculative = self.states.mind is Mind.SPECULATING
        self._signal(Signal.ABANDON)
        if speculative or self._plan is None or self._answer is None:
            return
        if no_credit:
            self._credit_is_used_up = True
            if not self._answer.clauses:
                self._part()
            return
        self._failures += 1
        if self._failures >= self._limits.failures:
            self._close(self._plan.lines.farewell, "agent-failed")
        elif not self._answer.clauses:
            self._speak(self._plan.lines.trouble)

    # ---- speaking ---------------------------------------------------------------------------------------------

    def _say(self, line: str, clip: int = 0) -> None:
        """Say a line that answers nothing: it is a turn of its own, without a user. `clip` is it, if it is made yet."""
        self._account_for_answer()
        self._answer = Answer(self._next_turn, "", self._stage, self._stage)
        self._next_turn += 1
        self.metrics.turns = self._next_turn
        if self._conversation and not self._conversation.opening and self._awaited is None:
            self._conversation = msgspec.structs.replace(self._conversation, opening=line)
        self._play(clip or self._synthesise(line), line)
        self._journal_reply(self._answer)

    def _press(self, keys: str) -> None:
        """Sound keys behind what is being said; the transcript tells of them as it does of the caller's."""
        clip, self._next_clip = self._next_clip, self._next_clip + 1
        self._out.append(do.Dial(clip, keys))
        self._play(clip, with_keys("", "".join(key for key in keys if key.lower() != "w")))

    def _speak(self, text: str) -> None:
        self._play(self._synthesise(text), text)

    def _synthesise(self, text: str, previous_text: str = "") -> int:
        clip, self._next_clip = self._next_clip, self._next_clip + 1
        self._out.append(do.Synthesise(clip, text, previous_text))
        timing = self._answer.timing if self._answer else None
        if timing and not timing.clause_at and self.states.mind is Mind.THINKING:
            timing.clause_at = self._now
        return clip

    def _play(self, clip: int, text: str) -> None:
        assert self._answer is not None
        self._answer.clauses.append(text)
        self._answer.first_clip = self._answer.first_clip or clip
        self._ledger.play(clip, self._answer.turn, text)
        if early := self._told_early.pop(clip, None):
            self._clip_complete(early) if isinstance(early, on.ClipComplete) else self._clip_failed(early)
        if self.states.voice is Voice.SILENT:
            self._signal(Signal.SPEAK if self._contested_since is None else Signal.HOLD)
        self._out.append(do.Play(clip))

    def _timing_of(self, clip: int) -> Timing | None:
        """The times of the answer whose first clip this is."""
        answer = self._answer
        return answer.timing if answer and answer.first_clip == clip else None

    def _clip_started(self, clip: int) -> None:
        self._cancel(Timer.OPENING)
        answer = self._answer
        if answer is None or answer.first_clip != clip:
            return
        answer.began_at = self._now
        if answer.timing:
            answer.latency = answer.timing.latency(answer.turn, self._now)
            self.metrics.latencies.append(answer.latency)

    def _clip_complete(self, made: on.ClipComplete) -> None:
        """Tell of the clip, once it is clear that it is part of an answer."""
        turn = self._ledger.turn_of(made.clip)
        if turn is None:
            self._told_early[made.clip] = made
        else:
            if self._answer and self._answer.turn == turn:
                self._answer.clips += 1
                self._answer.clips_cached += made.cache_hit
            self._publish(AudioSynthesized(self._call_id, turn, made.clip, made.duration_ms, made.cache_hit))

    def _clip_failed(self, failed: on.ClipFailed) -> None:
        if self._ledger.turn_of(failed.clip) is None:
            self._told_early[failed.clip] = failed
            return
        self._ledger.failed(failed.clip)
        if self.states.line is not Line.OPEN or self._plan is None:
            return
        self._failures += 1
        lines = self._plan.lines
        if self._answer and self._answer.turn == 0:
            self._close(lines.intro_timeout, "opening-failed")
        elif self._failures >= self._limits.failures:
            self._close(lines.farewell, "voice-failed")
        elif self._answer:
            self._speak(lines.trouble)

    def _part(self) -> None:
        """The credit is used up, and nothing is being said: take leave."""
        assert self._plan is not None, "nothing is paid for before there is a plan"
        self._close(self._plan.lines.ends_early, do.NO_CREDIT)

    def _close(self, line: str, reason: str) -> None:
        """Say the last words, which nobody interrupts; then the call ends."""
        if self.states.line is not Line.OPEN:
            return
        unanswered = self._answer is not None and not self._answer.clauses
        if not unanswered:
            self._account_for_answer()
        if self.states.voice is not Voice.SILENT:
            self._signal(Signal.INTERRUPT)
        self._decided()
        self._owed = 0  # what is still to be told of the caller's words is not waited for
        self._afterwards = do.End(reason)
        self._signal(Signal.FINISH_CALL)
        self._signal(Signal.CLOSE)
        if unanswered:
            self._speak(line)
        else:
            self._say(line)
        self._set(Timer.PLAYOUT, self._now + self._limits.opening_on_wire)

    def _end(self, ending: do.End | do.HandOver, signal: Signal) -> None:
        if isinstance(ending, do.HandOver):
            self.metrics.transfers += 1
        self._signal(signal)
        for timer in sorted(self._timers):
            self._cancel(timer)
        self._out.append(msgspec.structs.replace(ending, outcome=self._outcome))

    # ---- keeping account --------------------------------------------------------------------------------------

    def _account_for_answer(self) -> None:
        """The answer has been heard, or as much of it as ever will be: journal that, and correct the history."""
        answer, self._answer = self._answer, None
        if answer is None:
            return
        heard = self._ledger.heard(answer.turn)
        self._ledger.forget(answer.turn)
        if answer.utterance:
            self._correct_history(answer, heard)
        elif self._conversation and answer.text == self._conversation.opening:
            self._conversation = msgspec.structs.replace(self._conversation, opening=heard)
        self._journal_reply(answer)
        self._out.append(do.Journal(answer.turn, "heard", heard, answer.stage, conversation=self._conversation))
        self._publish(self._told_of(answer, heard, ended_at=self._now))

    def _correct_history(self, answer: Answer, heard: str) -> None:
        """What the caller did not hear was not said; an answer that nobody heard was not given."""
        assert self._conversation is not None
        exchanges = list(self._conversation.exchanges)
        told = answer.conversation is not None and exchanges
        last = exchanges.pop() if told else Exchange(answer.utterance)
        if heard:
            exchanges.append(msgspec.structs.replace(last, agent=heard))
            self._unheard = ""
        else:
            self._unheard = answer.utterance
        self._conversation = msgspec.structs.replace(self._conversation, exchanges=exchanges)

    def _journal_reply(self, answer: Answer) -> None:
        if not answer.journalled:
            answer.journalled = True
            self._out.append(
                do.Journal(
                    answer.turn,
                    "reply",
                    answer.text,
                    answer.stage,
                    tokens=answer.tokens,
                    conversation=self._conversation,
                    told=self._told_of(answer, heard=""),
                )
            )

    def _told_of(self, answer: Answer, heard: str, *, ended_at: int | None = None) -> ReplyGenerated:
        return ReplyGenerated(
            call_id=self._call_id,
            turn=answer.turn,
            text=answer.text,
            heard=heard,
            stage=answer.stage,
            model=answer.model,
            tokens=answer.tokens,
            stage_before=answer.stage_before,
            notes=answer.notes,
            latency=answer.latency,
            cached=answer.cached,
            clips=answer.clips,
            clips_cached=answer.clips_cached,
            interrupted=answer.interrupted,
            began_ms=self._since_start(answer.began_at),
            ended_ms=None if answer.began_at is None else self._since_start(ended_at),
        )
