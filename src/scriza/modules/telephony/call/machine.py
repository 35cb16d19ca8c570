"""The call machine: `Call.receive(event, now) -> commands`. Pure: no I/O, no clock, no audio.

Each event is read in the light of the four states (`tables.py`), which move only by signals. What is owed by the
outside (finals from the recogniser, marks from the carrier, an answer from the agent) is remembered in three small
values (`memory.py`): the caller's turn being spoken, the thought being thought and the answer being heard.
"""

from typing import assert_never

import msgspec

from scriza.modules.telephony.call import commands as do
from scriza.modules.telephony.call import events as on
from scriza.modules.telephony.call.commands import Command, Timer
from scriza.modules.telephony.call.memory import Answer, CallerTurn, Thought, Timing
from scriza.modules.telephony.call.tables import (
    COUPLINGS,
    Caller,
    Line,
    Mind,
    Signal,
    States,
    Voice,
)
from scriza.modules.telephony.call_log import TERMINAL, JournaledCall
from scriza.modules.telephony.playout import Ledger
from scriza.modules.telephony.turns.barge_in import BargeInOptions, Evidence, Verdict, decide
from scriza.modules.telephony.turns.endpointing import Endpointer
from scriza.modules.telephony.turns.limits import Limits
from scriza.ports.agent import CallPlan, Conversation, Exchange, HangUp, Reply, SendSms, SetOutcome, TransferTo
from scriza.ports.telephony import AudioSynthesized, CallMetrics, CallUpdated, ReplyGenerated, UtteranceTranscribed

WITHOUT_A_PLAN = "Sorry, we cannot take your call right now. Please try again later. Goodbye."
_MUMBLE_MS = 500
"""Speech as long as this in which no word was understood is asked about."""


class Call:
    """One call, on one media stream. Times are milliseconds on any clock that never goes back."""

    def __init__(
        self, limits: Limits, barge_in: BargeInOptions, endpointer: Endpointer, *, speculate: bool = True
    ) -> None:
        self.states = States()
        self.metrics = CallMetrics()
        self._limits, self._barge_in, self._endpointer, self._speculate = limits, barge_in, endpointer, speculate
        self._now = 0
        self._out: list[Command] = []
        self._timers: set[Timer] = set()
        self._ledger = Ledger()

        self._journal: JournaledCall | None = None
        self._plan: CallPlan | None = None
        self._conversation: Conversation | None = None
        self._next_turn, self._next_clip, self._next_thought = 0, 1, 1

        self._turn = CallerTurn()
        self._thought: Thought | None = None
        self._answer: Answer | None = None
        self._owed = 0
        """Finals that the recogniser has still to tell."""
        self._contested_since: int | None = None
        """Since when the caller speaks while the agent has the floor; none when that is decided."""
        self._unheard = ""
        """An utterance whose answer nobody heard: it is asked again together with what follows."""
        self._afterwards: do.End | None = None
        """What ends the call when everything has been heard."""
        self._outcome = ""
        self._caller_has_spoken = False
        self._prompts = self._failures = self._mumbles = 0
        self._inner_pauses: list[int] = []
        self._levels: list[float] = []

    @property
    def turns(self) -> int:
        """How many turns the call has had, on all its streams."""
        return self._next_turn

    def receive(self, event: on.Event, now: int) -> list[Command]:
        """Take in what happened at `now`; returns what is to be done, in order."""
        self._now, self._out = now, []
        if self.states.line is not Line.ENDED:
            self._take_in(event)
            self._settle()
        return self._out

    def _take_in(self, event: on.Event) -> None:
        match event:
            case on.StreamStarted():
                self._stream_started(event.journal)
            case on.StreamStopped():
                self._ended_outside("caller-hung-up")
            case on.StreamLost():
                self._stream_lost()
            case on.CarrierStatus():
                if event.status in TERMINAL:
                    self._ended_outside("caller-hung-up" if event.status == "completed" else event.status)
            case on.Planned():
                self._planned(event.plan)
            case on.PlanFailed():
                self._close(WITHOUT_A_PLAN, "no-plan")
            case (
                on.SpeechStarted()
                | on.SpeechGoesOn()
                | on.SpeechEnded()
                | on.Words()
                | on.RecogniserFailed()
                | on.Digit()
            ):
                if self.states.line is Line.OPEN and self._plan is not None:
                    self._listen(event)
            case on.ClauseThought():
                if self._is_current(event.thought):
                    self._clause(event.text)
            case on.ActThought():
                if self._is_current(event.thought):
                    self._act(event.act)
            case on.ThoughtDone():
                if self._thought and self._is_current(event.thought):
                    self._thought.done = event.done
                    self._thought_may_be_complete()
            case on.ThoughtFailed():
                if self._is_current(event.thought):
                    self._thought_failed()
            case on.ClipReady():
                if timing := self._timing_of(event.clip):
                    timing.audio_at = self._now
            case on.ClipTimed():
                self._ledger.timed(event.clip, event.words)
            case on.ClipStarted():
                self._clip_started(event.clip)
            case on.MarkSent():
                self._ledger.sent(event.mark, event.clip, event.until_ms, last=event.last)
                self._set(Timer.PLAYOUT, self._now + self._limits.playout_slack)
            case on.MarkEchoed():
                self._ledger.echoed(event.mark)
            case on.ClipComplete():
                if (turn := self._ledger.turn_of(event.clip)) is not None:
                    self._publish(AudioSynthesized(self._call_id, turn, event.clip, event.duration_ms, event.cache_hit))
            case on.ClipFailed():
                self._clip_failed(event.clip)
            case on.TimerFired():
                self._timer_fired(Timer(event.timer))
            case _:
                assert_never(event)

    # ---- the line ---------------------------------------------------------------------------------------------

    def _stream_started(self, journal: JournaledCall) -> None:
        if self.states.line is not Line.CONNECTING:
            return
        self._journal = journal
        self._next_turn = journal.next_turn
        self._caller_has_spoken = any(turn.user for turn in journal.turns)
        self._signal(Signal.START)
        self._set(Timer.OPENING, self._now + self._limits.opening_on_wire)
        self._set(Timer.LONGEST, self._now + self._limits.longest_call)
        self._out.append(do.Begin())

    def _planned(self, plan: CallPlan) -> None:
        if self._plan is not None or self.states.line is not Line.OPEN:
            return
        self._plan = plan
        journal = self._journal
        resumed = journal.conversation if journal else None
        self._conversation = resumed or plan.conversation
        if resumed and journal and journal.unanswered:
            self._answer_turn(CallerTurn([journal.unanswered], over_at=self._now, words_at=self._now), again=True)
        else:
            self._say(plan.lines.resumed if resumed else plan.lines.opening)
        lines = plan.lines
        self._out.append(
            do.Prefetch((lines.intro_timeout, lines.trouble, lines.repair, lines.farewell, *lines.silence_prompts))
        )

    def _ended_outside(self, reason: str) -> None:
        self._account_for_answer()
        ending = self._afterwards if self.states.line is Line.ENDING and self._afterwards else do.End(reason)
        self._end(ending, Signal.STREAM_ENDED)

    def _stream_lost(self) -> None:
        self._account_for_answer()
        self._signal(Signal.STREAM_ENDED)
        self._out.append(do.Detach())

    def _close(self, line: str, reason: str) -> None:
        """Say the last words, which nobody interrupts; then the call ends."""
        if self.states.line is not Line.OPEN:
            return
        self._account_for_answer()
        if self.states.voice is not Voice.SILENT:
            self._signal(Signal.INTERRUPT)
        self._decided()
        self._afterwards = do.End(reason)
        self._signal(Signal.FINISH_CALL)
        self._signal(Signal.CLOSE)
        self._say(line)
        self._set(Timer.PLAYOUT, self._now + self._limits.opening_on_wire)

    def _end(self, ending: do.End, signal: Signal) -> None:
        self._signal(signal)
        for timer in sorted(self._timers):
            self._cancel(timer)
        self._out.append(msgspec.structs.replace(ending, outcome=self._outcome))

    # ---- the caller speaks ------------------------------------------------------------------------------------

    def _listen(self, event: on.FromTheCaller) -> None:
        match event:
            case on.SpeechStarted():
                self._speech_started(event.level_dbfs)
            case on.SpeechGoesOn():
                self._speech_goes_on(event)
            case on.SpeechEnded():
                self._speech_ended(event)
            case on.Words():
                self._words(event)
            case on.RecogniserFailed():
                self._recogniser_failed()
            case on.Digit():
                self._digit(event.digit)
            case _:
                assert_never(event)

    @property
    def _agent_has_the_floor(self) -> bool:
        return self.states.mind is Mind.THINKING or self.states.voice in (Voice.SPEAKING, Voice.HOLDING)

    def _speech_started(self, level_dbfs: float) -> None:
        if self.states.caller is Caller.SPEAKING:
            return
        if self.states.caller is Caller.PAUSED and not self._agent_has_the_floor:
            self._inner_pauses.append(self._now - self._turn.ended_at)
        self._cancel(Timer.END_OF_TURN)
        self._turn.running_ms = 0
        self._turn.level_dbfs = max(self._turn.level_dbfs, level_dbfs)
        if self._agent_has_the_floor:
            self._contest()
        self._signal(Signal.SPEECH)

    def _speech_goes_on(self, event: on.SpeechGoesOn) -> None:
        if self.states.caller is not Caller.SPEAKING:
            return
        self._turn.running_ms = event.speech_ms
        self._turn.level_dbfs = max(self._turn.level_dbfs, event.level_dbfs)
        if self._contested_since is not None:
            self._judge()
        elif event.speech_ms >= self._limits.longest_turn:
            self._transcribe(ended_at=self._now)
            self._turn_over()

    def _speech_ended(self, event: on.SpeechEnded) -> None:
        if self.states.caller is not Caller.SPEAKING:
            return
        self._signal(Signal.PAUSE)
        self._turn.speech_ms += event.speech_ms
        self._turn.running_ms = 0
        self._turn.level_dbfs = max(self._turn.level_dbfs, event.level_dbfs)
        self._transcribe(ended_at=self._now - event.silence_ms)
        self._await_end_of_turn()

    def _transcribe(self, *, ended_at: int) -> None:
        self._turn.ended_at = ended_at
        self._owed += 1
        self._out.append(do.Transcribe())

    def _await_end_of_turn(self) -> None:
        pause = self._turn.pause(understood=not self._owed, inner_pauses_ms=self._inner_pauses)
        over_at = self._turn.ended_at + self._endpointer.silence_needed(pause)
        self._set(Timer.END_OF_TURN, max(self._now, over_at))

    def _words(self, event: on.Words) -> None:
        if event.final:
            self._owed = max(0, self._owed - 1)
            self._turn.partial = ""
            if event.text:
                self._turn.segments.append(event.text)
                self._turn.confidence = min(self._turn.confidence, event.confidence)
        else:
            self._turn.partial = event.text
        if event.text and self._agent_has_the_floor:
            self._contest()
        if self._contested_since is not None:
            self._judge()
        elif event.final and not self._owed:
            self._all_words_there()

    def _recogniser_failed(self) -> None:
        self._owed = 0
        if self._contested_since is not None:
            self._judge()
        else:
            self._all_words_there()

    def _all_words_there(self) -> None:
        self._turn.words_at = self._now
        if self.states.caller is Caller.PAUSED:
            self._await_end_of_turn()
            if self._speculate and self.states.mind is Mind.IDLE and self._turn.text:
                self._think(self._turn, Signal.SPECULATE)
        elif self.states.caller is Caller.SILENT:
            self._take_turn()

    def _turn_over(self) -> None:
        self._turn.over_at = self._now
        self._cancel(Timer.END_OF_TURN)
        self._signal(Signal.TURN_OVER)
        if self._owed:
            self._set(Timer.WORDS, self._now + self._limits.words)
        elif self._contested_since is None:
            self._take_turn()

    def _digit(self, digit: str) -> None:
        if self._agent_has_the_floor:
            self._interrupt()
        if digit == "#":
            self._digits_over()
            return
        self._turn.digits += digit
        self._set(Timer.DIGITS, self._now + self._limits.digits)

    def _digits_over(self) -> None:
        self._cancel(Timer.DIGITS)
        self._turn.ended_at = self._turn.over_at = self._turn.words_at = self._now
        if self._turn.digits and self.states.caller is Caller.SILENT and not self._owed:
            self._take_turn()

    # ---- whose turn is it? ------------------------------------------------------------------------------------

    def _contest(self) -> None:
        if self._contested_since is None:
            self._contested_since = self._now
            self._set(Timer.BARGE_IN, self._now + self._barge_in.overdue_ms)

    def _decided(self) -> None:
        self._contested_since = None
        self._cancel(Timer.BARGE_IN)

    def _judge(self, *, overdue: bool = False) -> None:
        turn = self._turn
        over = self.states.caller is not Caller.SPEAKING and not self._owed
        evidence = Evidence(
            text=turn.evidence,
            final=over,
            speech_ms=turn.speech_ms + turn.running_ms,
            level_dbfs=turn.level_dbfs,
            usual_level_dbfs=sum(self._levels) / len(self._levels) if self._levels else None,
            asked=bool(self._answer and self._ledger.heard(self._answer.turn).endswith("?")),
            overdue=overdue,
        )
        match decide(evidence, self._barge_in):
            case Verdict.INTERRUPT:
                self._interrupt()
                if over:
                    self._all_words_there()
            case Verdict.GO_ON:
                self._false_alarm()
            case Verdict.WAIT:
                pass

    def _interrupt(self) -> None:
        """The turn is the caller's: stop producing, keep what was heard."""
        if self.states.voice is not Voice.SILENT:
            self.metrics.barge_ins += 1
        self._afterwards = None
        self._account_for_answer()
        self._decided()
        if self.states.mind is not Mind.IDLE:
            self._signal(Signal.ABANDON)
        if self.states.voice is not Voice.SILENT:
            self._signal(Signal.INTERRUPT)

    def _false_alarm(self) -> None:
        """Nothing was meant by it: the agent goes on where it stopped, and the sound is forgotten."""
        self._decided()
        self._cancel(Timer.END_OF_TURN)
        self._turn = CallerTurn()
        if self.states.caller is Caller.PAUSED:
            self._signal(Signal.TURN_OVER)
        if self.states.voice is Voice.HOLDING:
            self.metrics.false_barge_ins += 1
            self._signal(Signal.GO_ON)

    def _take_turn(self) -> None:
        """The caller's turn is over and understood, as far as it ever will be."""
        turn, self._turn = self._turn, CallerTurn()
        self._cancel(Timer.WORDS)
        if turn.text or turn.digits:
            self._mumbles = self._prompts = 0
            if turn.text:
                self._levels = [*self._levels[-4:], turn.level_dbfs]
            self._answer_turn(turn)
            return
        if self.states.mind is Mind.SPECULATING:
            self._signal(Signal.ABANDON)
        if turn.speech_ms >= _MUMBLE_MS and self._mumbles < 2 and self.states.voice is Voice.SILENT and self._plan:
            self._mumbles += 1
            self._say(self._plan.lines.repair)

    # ---- the agent thinks -------------------------------------------------------------------------------------

    def _answer_turn(self, turn: CallerTurn, *, again: bool = False) -> None:
        """Journal the utterance and have it answered; `again` when the journal knows it already."""
        self._afterwards = None
        self._caller_has_spoken = True
        number = self._next_turn - 1 if again else self._next_turn
        self._next_turn = number + 1
        said = turn.text or "pressed " + " ".join(turn.digits)
        stage = self._conversation.stage if self._conversation else ""
        if not again:
            self._out.append(do.Journal(number, "user", said, stage, turn.confidence))
            self._publish(UtteranceTranscribed(self._call_id, number, said, turn.confidence))
        timing = Timing(turn.ended_at or self._now, turn.over_at, turn.words_at)
        self._answer = Answer(number, self._asked(turn) or said, stage, timing)
        speculated = self._thought
        if self.states.mind is Mind.SPECULATING and speculated and speculated.utterance == self._asked(turn):
            self._signal(Signal.COMMIT)
            for clip, text in speculated.clips:
                self._play(clip, text)
            for act in speculated.acts:
                self._do(act)
            self._thought_may_be_complete()
            return
        if self.states.mind is Mind.SPECULATING:
            self._signal(Signal.ABANDON)
        self._think(turn, Signal.THINK)

    def _asked(self, turn: CallerTurn) -> str:
        return f"{self._unheard} {turn.text}".strip()

    def _think(self, turn: CallerTurn, signal: Signal) -> None:
        assert self._conversation is not None, "there is a plan before there are words"
        self._thought = Thought(self._next_thought, self._asked(turn))
        self._next_thought += 1
        reply = Reply(
            call_id=self._call_id,
            turn=self._next_turn if signal is Signal.SPECULATE else self._next_turn - 1,
            utterance=self._thought.utterance,
            conversation=self._conversation,
            confidence=turn.confidence,
            digits=turn.digits,
            speculative=signal is Signal.SPECULATE,
        )
        self._signal(signal)
        self._out.append(do.Think(self._thought.number, reply))

    def _is_current(self, thought: int) -> bool:
        return self._thought is not None and self._thought.number == thought

    def _clause(self, text: str) -> None:
        assert self._thought is not None
        clip = self._synthesise(text)
        if self.states.mind is Mind.SPECULATING:
            self._thought.clips.append((clip, text))
        else:
            self._play(clip, text)

    def _act(self, act: HangUp | TransferTo | SendSms | SetOutcome) -> None:
        assert self._thought is not None
        if self.states.mind is Mind.SPECULATING:
            self._thought.acts.append(act)
        else:
            self._do(act)

    def _do(self, act: HangUp | TransferTo | SendSms | SetOutcome) -> None:
        match act:
            case HangUp():
                self._afterwards = do.End(act.reason)
            case TransferTo():
                self._afterwards = do.End("transferred", then="transfer", transfer_to=act.to)
            case SendSms():
                self._out.append(do.SendText(act.text))
            case SetOutcome():
                self._outcome = act.outcome

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
        if done.conversation.stage != answer.stage:
            answer.stage = done.conversation.stage
            self._publish(CallUpdated(self._call_id, "in-progress", answer.stage))
        self._conversation = done.conversation
        if not answer.clauses and self._afterwards is None and self._plan:
            self._speak(self._plan.lines.repair)
        self._journal_reply(answer)

    def _thought_failed(self) -> None:
        speculative = self.states.mind is Mind.SPECULATING
        self._signal(Signal.ABANDON)
        if speculative or self._plan is None or self._answer is None:
            return
        self._failures += 1
        if self._failures >= self._limits.failures:
            self._close(self._plan.lines.farewell, "agent-failed")
        elif not self._answer.clauses:
            self._speak(self._plan.lines.trouble)

    # ---- the agent speaks -------------------------------------------------------------------------------------

    def _say(self, line: str) -> None:
        """Say a line that answers nothing: it is a turn of its own, without a user."""
        self._account_for_answer()
        self._answer = Answer(self._next_turn, "", self._conversation.stage if self._conversation else "")
        self._next_turn += 1
        if self._conversation and not self._conversation.opening:
            self._conversation = msgspec.structs.replace(self._conversation, opening=line)
        self._speak(line)
        self._journal_reply(self._answer)

    def _speak(self, text: str) -> None:
        self._play(self._synthesise(text), text)

    def _synthesise(self, text: str) -> int:
        clip, self._next_clip = self._next_clip, self._next_clip + 1
        self._out.append(do.Synthesise(clip, text))
        timing = self._answer.timing if self._answer else None
        if timing and not timing.clause_at and self.states.mind is Mind.THINKING:
            timing.clause_at = self._now
        return clip

    def _play(self, clip: int, text: str) -> None:
        assert self._answer is not None
        self._answer.clauses.append(text)
        self._answer.first_clip = self._answer.first_clip or clip
        self._ledger.play(clip, self._answer.turn, text)
        if self.states.voice is Voice.SILENT:
            self._signal(Signal.SPEAK if self._contested_since is None else Signal.HOLD)
        self._out.append(do.Play(clip))

    def _timing_of(self, clip: int) -> Timing | None:
        """The times of the answer whose first clip this is."""
        answer = self._answer
        return answer.timing if answer and answer.first_clip == clip else None

    def _clip_started(self, clip: int) -> None:
        self._cancel(Timer.OPENING)
        if (timing := self._timing_of(clip)) and self._answer:
            self.metrics.latencies.append(timing.latency(self._answer.turn, self._now))

    def _clip_failed(self, clip: int) -> None:
        self._ledger.failed(clip)
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

    def _settle(self) -> None:
        """Notice that everything has been heard, and that nothing happens any more."""
        states = self.states
        all_heard = states.mind is not Mind.THINKING and self._ledger.finished
        if states.voice is not Voice.SILENT and all_heard:
            self._account_for_answer()
            self._decided()
            self._cancel(Timer.PLAYOUT)
            self._signal(Signal.HEARD)
        silent = states.voice is Voice.SILENT and states.caller is Caller.SILENT and not self._owed
        if self._afterwards and all_heard and silent and states.line is not Line.ENDED:
            self._end(self._afterwards, Signal.HANG_UP)
        idle = states.line is Line.OPEN and states.mind is Mind.IDLE and states.voice is Voice.SILENT
        if idle and states.caller is Caller.SILENT and self._plan and not self._owed and not self._turn.digits:
            if Timer.SILENCE not in self._timers:
                patience = self._limits.silence if self._caller_has_spoken else self._limits.first_words
                self._set(Timer.SILENCE, self._now + patience)
        else:
            self._cancel(Timer.SILENCE)

    # ---- keeping account --------------------------------------------------------------------------------------

    def _account_for_answer(self) -> None:
        """The answer has been heard, or as much of it as ever will be: journal that, and correct the history."""
        answer, self._answer = self._answer, None
        if answer is None or self._conversation is None:
            return
        heard = self._ledger.heard(answer.turn)
        self._ledger.forget(answer.turn)
        if answer.utterance:
            self._correct_history(answer, heard)
        self._journal_reply(answer)
        self._out.append(do.Journal(answer.turn, "heard", heard, answer.stage, conversation=self._conversation))
        self._publish(
            ReplyGenerated(self._call_id, answer.turn, answer.text, heard, answer.stage, answer.model, answer.tokens)
        )

    def _correct_history(self, answer: Answer, heard: str) -> None:
        """What the caller did not hear was not said; an answer that nobody heard was not given."""
        assert self._conversation is not None
        exchanges = list(self._conversation.exchanges)
        last = exchanges.pop() if answer.conversation is not None else Exchange(answer.utterance)
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
                )
            )

    @property
    def _call_id(self) -> str:
        return self._journal.call_id if self._journal else ""

    def _publish(self, data: UtteranceTranscribed | ReplyGenerated | AudioSynthesized | CallUpdated) -> None:
        self._out.append(do.Publish(data))

    # ---- time -------------------------------------------------------------------------------------------------

    def _timer_fired(self, timer: Timer) -> None:
        self._timers.discard(timer)
        lines = self._plan.lines if self._plan else None
        match timer:
            case Timer.OPENING:
                self._close(lines.intro_timeout if lines else WITHOUT_A_PLAN, "opening-timeout")
            case Timer.SILENCE:
                self._silence()
            case Timer.END_OF_TURN:
                if self.states.caller is Caller.PAUSED:
                    self._turn_over()
            case Timer.WORDS:
                self._recogniser_failed()
            case Timer.BARGE_IN:
                if self._contested_since is not None:
                    self._judge(overdue=True)
            case Timer.DIGITS:
                self._digits_over()
            case Timer.PLAYOUT:
                self._ledger.assume_heard()
                if self.states.line is Line.ENDING:
                    self._ledger.cleared()
            case Timer.LONGEST:
                self._close(lines.farewell if lines else WITHOUT_A_PLAN, "longest-call")

    def _silence(self) -> None:
        if self._plan is None:
            return
        lines = self._plan.lines
        if not self._caller_has_spoken:
            self._close(lines.intro_timeout, "intro-timeout")
        elif self._prompts < len(lines.silence_prompts):
            self._prompts += 1
            self._say(lines.silence_prompts[self._prompts - 1])
        else:
            if lines.silence_sms:
                self._out.append(do.SendText(lines.silence_sms))
            self._end(do.End("silence"), Signal.HANG_UP)

    def _set(self, timer: Timer, at: int) -> None:
        self._timers.add(timer)
        self._out.append(do.SetTimer(timer, at))

    def _cancel(self, timer: Timer) -> None:
        if timer in self._timers:
            self._timers.remove(timer)
            self._out.append(do.CancelTimer(timer))

    # ---- states -----------------------------------------------------------------------------------------------

    def _signal(self, signal: Signal) -> None:
        """Move the machine that knows this signal, and those that are coupled to where it arrives."""
        held = self.states.voice is Voice.HOLDING
        entered = self.states.move(signal)
        match signal:
            case Signal.HEARD if held:
                self._out.append(do.GoOn())
            case Signal.ABANDON:
                if self._thought:
                    self._out.append(do.CancelThinking(self._thought.number))
                    self._out += [do.Forget(clip) for clip, _ in self._thought.clips]
                    self._thought = None
            case Signal.HOLD:
                self._out.append(do.Hold())
            case Signal.GO_ON:
                self._out.append(do.GoOn())
            case Signal.INTERRUPT:
                self._ledger.cleared()
                self._out.append(do.Clear())
            case _:
                pass
        for other, told in COUPLINGS.get(entered, {}).items():
            if self.states.holds(other):
                self._signal(told)
