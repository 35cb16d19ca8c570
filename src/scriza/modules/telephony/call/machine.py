"""The call machine: `Call.receive(event, now) -> commands`. Pure: no I/O, no clock, no audio.

Each event is read in the light of the four states (`tables.py`), which move only by signals. What is owed by the
outside (finals from the recogniser, marks from the carrier, an answer from the agent) is remembered in three small
values (`memory.py`): the caller's turn being spoken, the thought being thought and the answer being heard. The
machine is made of layers, each in a file: `Core`, the agent's side (`Answering`), the caller's side (`Listening`),
and here the line, the timers and the way in.
"""

from typing import assert_never

from scriza.modules.telephony.call import commands as do
from scriza.modules.telephony.call import events as on
from scriza.modules.telephony.call.commands import Command, Timer
from scriza.modules.telephony.call.listening import Listening
from scriza.modules.telephony.call.memory import CallerTurn
from scriza.modules.telephony.call.tables import Caller, Line, Mind, Signal, Voice
from scriza.ports.agent import CallPlan, FixedLines
from scriza.ports.telephony import TERMINAL, CallMetrics, CallUpdated

WITHOUT_A_PLAN = "Sorry, we cannot take your call right now. Please try again later. Goodbye."
_SHORTEST_REST_MS = 10_000
"""What a call that is taken up again just before its longest still gets."""


class Call(Listening):
    """One call, on one media stream. Times are milliseconds on any clock that never goes back."""

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
                self._stream_started(event)
            case on.StreamStopped():
                self._ended_outside("caller-hung-up")
            case on.StreamLost():
                self._stream_lost()
            case on.CarrierStatus():
                if event.status in TERMINAL:
                    self._ended_outside("caller-hung-up" if event.status == "completed" else event.status)
            case on.AnsweredBy():
                self._answered_by(event.who)
            case on.CreditUsedUp():
                self._credit_is_used_up = True
            case on.StopAsked():
                self._close(self._plan.lines.farewell if self._plan else WITHOUT_A_PLAN, "stopped")
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
                    self._clause(event.text, event.tokens)
            case on.ActThought():
                if self._is_current(event.thought):
                    self._act(event.act)
            case on.ThoughtDone():
                if self._thought and self._is_current(event.thought):
                    self._thought.done = event.done
                    self._thought_may_be_complete()
            case on.ThoughtHeld():
                if self._is_current(event.thought):
                    self._held(event.held)
            case on.ThoughtFailed():
                if self._is_current(event.thought):
                    self._thought_failed(no_credit=event.no_credit)
            case on.ClipReady():
                if timing := self._timing_of(event.clip):
                    timing.audio_at = self._now
            case on.ClipTimed():
                self._ledger.timed(event.clip, event.words)
            case on.ClipStarted():
                self._clip_started(event.clip)
            case on.MarkSent():
                if self._ledger.sent(event.mark, event.clip, event.until_ms, last=event.last):
                    self._set(Timer.PLAYOUT, self._now + self._limits.playout_slack)
            case on.MarkEchoed():
                self._ledger.echoed(event.mark)
            case on.ClipComplete():
                self._clip_complete(event)
            case on.ClipFailed():
                self._clip_failed(event)
            case on.TimerFired():
                self._timer_fired(Timer(event.timer))
            case _:
                assert_never(event)

    # ---- the line ---------------------------------------------------------------------------------------------

    def _stream_started(self, event: on.StreamStarted) -> None:
        if self.states.line is not Line.CONNECTING:
            return
        journal = event.journal
        self._journal = journal
        self._next_turn = journal.next_turn
        self._began_at = self._now - event.elapsed_ms
        self._caller_has_spoken = any(turn.user for turn in journal.turns)
        self._outcome = journal.outcome
        self.answered_by = journal.answered_by
        told = journal.metrics
        self.metrics = CallMetrics(
            turns=len(journal.turns),
            barge_ins=told.barge_ins,
            false_barge_ins=told.false_barge_ins,
            reattached=max(0, journal.attached - 1 - told.transfers),
            transfers=told.transfers,
            silence_prompts=told.silence_prompts,
            latencies=[*told.latencies],
        )
        self._signal(Signal.START)
        self._set(Timer.OPENING, self._now + self._limits.opening_on_wire)
        left = max(_SHORTEST_REST_MS, self._limits.longest_call - event.elapsed_ms)
        self._set(Timer.LONGEST, self._now + left)
        self._out.append(do.Begin())

    def _planned(self, plan: CallPlan) -> None:
        if self._plan is not None or self.states.line is not Line.OPEN:
            return
        self._plan = plan
        journal = self._journal
        resumed = journal.conversation if journal else None
        self._conversation = resumed or plan.conversation
        if self._deal_with_machine():
            pass
        elif resumed and journal and journal.unanswered:
            self._answer_turn(CallerTurn(journal.unanswered, over_at=self._now, words_at=self._now), again=True)
        elif resumed is None and journal and journal.direction == "outbound":
            self._await_callee(plan.lines)
        else:
            self._say(self._first_line(plan.lines))
        if resumed is None:
            self._publish(CallUpdated(self._call_id, "in-progress", plan.conversation.stage, self._playbook))
        lines = plan.lines
        spare = [lines.intro_timeout, lines.trouble, lines.repair, lines.farewell, *lines.silence_prompts]
        spare.append(lines.ends_early)
        if journal and journal.direction == "outbound":
            spare = [lines.voicemail, lines.introduction, *spare]
        self._out.append(do.Prefetch(tuple(line for line in spare if line)))

    def _first_line(self, lines: FixedLines) -> str:
        journal = self._journal
        so_far = journal.conversation if journal else None
        if journal is None or so_far is None or not (so_far.opening or so_far.exchanges):
            return lines.opening
        return (journal.comes_back and lines.unreached) or lines.resumed

    def _ended_outside(self, reason: str) -> None:
        self._account_for_answer()
        ending = self._afterwards if self.states.line is Line.ENDING and self._afterwards else do.End(reason)
        self._end(ending, Signal.STREAM_ENDED)

    def _stream_lost(self) -> None:
        self._account_for_answer()
        self._signal(Signal.STREAM_ENDED)
        self._out.append(do.Detach())

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
        open_ = states.line is Line.OPEN and self._awaited is None and self._plan is not None
        waits = open_ and states.mind is Mind.IDLE and states.voice is Voice.SILENT
        if waits and silent and not self._turn.digits and self._credit_is_used_up:
            self._part()
            return
        if not waits:
            self._waits_since = None
        elif self._waits_since is None:
            self._waits_since = self._now
        nothing_said = states.caller is Caller.SILENT and not self._owed and not self._turn.digits
        if self._waits_since is not None and nothing_said:
            if Timer.SILENCE not in self._timers:
                self._set(Timer.SILENCE, max(self._now, self._waits_since + self._patience()))
        else:
            self._cancel(Timer.SILENCE)

    def _patience(self) -> int:
        """How long, in ms, the caller may be silent: the playbook says how long for the first words."""
        if self._caller_has_spoken:
            return self._limits.silence
        return (self._plan and self._plan.first_words_ms) or self._limits.first_words

    # ---- time -------------------------------------------------------------------------------------------------

    def _timer_fired(self, timer: Timer) -> None:
        self._timers.discard(timer)
        if self.states.line is Line.ENDING and timer is not Timer.PLAYOUT:
            return  # only the last words are still waited for
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
            case Timer.CALLEE:
                self._callee_silent()
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
            self.metrics.silence_prompts += 1
            self._say(lines.silence_prompts[self._prompts - 1])
        else:
            if lines.silence_sms:
                self._out.append(do.SendText(lines.silence_sms))
            self._end(do.End("silence"), Signal.HANG_UP)
