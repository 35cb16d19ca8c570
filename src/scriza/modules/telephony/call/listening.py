"""The caller's side of a call: when a turn is over, and whose turn it is when both speak."""

from typing import assert_never

from scriza.modules.telephony.call import commands as do
from scriza.modules.telephony.call import events as on
from scriza.modules.telephony.call.answering import Answering
from scriza.modules.telephony.call.commands import Timer
from scriza.modules.telephony.call.memory import Awaited, CallerTurn
from scriza.modules.telephony.call.tables import Caller, Line, Mind, Signal, Voice
from scriza.modules.telephony.turns.barge_in import Evidence, Verdict, decide
from scriza.modules.telephony.turns.callee import Taker, asks_to_wait, who_speaks
from scriza.ports.agent import FixedLines
from scriza.ports.carrier import Answerer

VOICEMAIL = "voicemail"
"""The reason of a call that a machine took, and that left no message."""

_CUT_OFF_MS = 700
"""A caller who goes on so soon after the agent began had not finished."""
_MUMBLE_MS = 500
"""Speech as long as this in which no word was understood is asked about."""


class Listening(Answering):
    """From voice activity and words to a turn that is taken."""

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

    def _speech_started(self, level_dbfs: float) -> None:
        if self.states.caller is Caller.SPEAKING:
            return
        if self.states.caller is Caller.PAUSED and not self._agent_has_the_floor:
            self._inner_pauses.append(self._now - self._turn.ended_at)
        self._cancel(Timer.END_OF_TURN)
        self._turn.running_ms = 0
        self._turn.level_dbfs = max(self._turn.level_dbfs, level_dbfs)
        if self._turn.began_at is None:
            self._turn.began_at = self._now
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
        if self._awaited:
            silence = self._callee.silence_needed(self._turn.speech_ms, self._turn.text)
        else:
            pause = self._turn.pause(understood=not self._owed, inner_pauses_ms=self._inner_pauses, cuts=self._cuts)
            silence = self._endpointer.silence_needed(pause)
        self._set(Timer.END_OF_TURN, max(self._now, self._turn.ended_at + silence))

    def _words(self, event: on.Words) -> None:
        if event.final:
            self._owed = max(0, self._owed - 1)
            self._turn.partial = ""
            self._turn.text, self._turn.confidence = event.text, event.confidence
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
            if self._speculate and self.states.mind is Mind.IDLE and self._turn.text and not self._awaited:
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
        if digit == "#":
            self._digits_over()  # where nothing was entered it ends nothing, and takes the word from nobody
            return
        if self._agent_has_the_floor:
            self._interrupt()
        self._turn.digits += digit
        self._set(Timer.DIGITS, self._now + self._limits.digits)
        if len(self._turn.digits) == self._expected_keys:
            self._digits_over()

    def _digits_over(self) -> None:
        self._cancel(Timer.DIGITS)
        if self._turn.digits and self.states.caller is Caller.SILENT and not self._owed:
            self._turn.ended_at = self._turn.over_at = self._turn.words_at = self._now
            self._take_turn()

    # ---- whose turn is it? ------------------------------------------------------------------------------------

    def _contest(self) -> None:
        if self._contested_since is None:
            self._contested_since = self._now
            self._set(Timer.BARGE_IN, self._now + self._barge_in.overdue_ms)

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
                self._cuts += self._was_cut_off()
                self._interrupt()
                if over:
                    self._all_words_there()
            case Verdict.GO_ON:
                self._false_alarm()
            case Verdict.WAIT:
                pass

    def _was_cut_off(self) -> bool:
        """Whether this is no interruption but the rest of what the answer answers."""
        answer, since = self._answer, self._contested_since
        if answer is None or not answer.utterance or since is None:
            return False
        return answer.began_at is None or since - answer.began_at < _CUT_OFF_MS

    def _interrupt(self) -> None:
        """The turn is the caller's: stop producing, keep what was heard."""
        if self.states.voice is not Voice.SILENT:
            self.metrics.barge_ins += 1
            if self._answer:
                self._answer.interrupted = True
        self._fall_silent()

    def _fall_silent(self) -> None:
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
        self._next_caller_turn()
        if self.states.caller is Caller.PAUSED:
            self._signal(Signal.TURN_OVER)
        if self._owed:
            self._set(Timer.WORDS, self._now + self._limits.words)
        else:
            self._cancel(Timer.WORDS)
        if self.states.voice is Voice.HOLDING:
            self.metrics.false_barge_ins += 1
            self._signal(Signal.GO_ON)

    def _next_caller_turn(self) -> CallerTurn:
        """Begin with an empty turn; returns the one that is over."""
        turn, self._turn = self._turn, CallerTurn()
        self._out.append(do.NewTurn())
        return turn

    def _take_turn(self) -> None:
        """The caller's turn is over and understood, as far as it ever will be."""
        turn = self._next_caller_turn()
        self._cancel(Timer.WORDS)
        if self._awaited:
            self._callee_spoke(turn, self._awaited)
        elif turn.text or turn.digits:
            self._mumbles = self._prompts = 0
            if turn.text:
                self._levels = [*self._levels[-4:], turn.level_dbfs]
            self._answer_turn(turn)
        else:
            self._nothing_understood(turn)

    def _nothing_understood(self, turn: CallerTurn) -> None:
        if self.states.mind is Mind.SPECULATING:
            self._signal(Signal.ABANDON)
        if turn.speech_ms >= _MUMBLE_MS and self._mumbles < 2 and self.states.voice is Voice.SILENT and self._plan:
            self._mumbles += 1
            self._say(self._plan.lines.repair)

    # ---- who took the call that we placed? --------------------------------------------------------------------

    def _await_callee(self, lines: FixedLines) -> None:
        """Whoever took the call speaks first; the opening is made meanwhile, and begins when they have, or do not."""
        self._awaited = Awaited.FIRST_WORDS
        self._opening_clip = self._synthesise(lines.opening)
        self._cancel(Timer.OPENING)
        self._set(Timer.CALLEE, self._now + self._callee.first_words)

    def _callee_spoke(self, turn: CallerTurn, awaited: Awaited) -> None:
        assert self._plan is not None, "nobody listens before there is a plan"
        machine_talks = awaited in (Awaited.BEEP, Awaited.GREETING_END)
        taker = Taker.MACHINE if machine_talks else who_speaks(turn.text)
        lines = self._plan.lines
        if awaited is Awaited.GREETING_END:
            pass  # its end will be told
        elif taker is Taker.MACHINE:
            self._awaited = Awaited.BEEP
            self._set(Timer.CALLEE, self._now + self._callee.beep)
        elif awaited is Awaited.PERSON and not turn.text:
            self._set(Timer.CALLEE, self._now + self._callee.long_pause)
        elif awaited is Awaited.PERSON and asks_to_wait(turn.text):
            self._set(Timer.CALLEE, self._now + self._callee.screened)
        elif taker is Taker.SCREENING and awaited is Awaited.FIRST_WORDS:
            self._forget_opening()
            self._awaited = Awaited.PERSON
            self._set(Timer.CALLEE, self._now + self._callee.screened)
            self._heard_first(turn)
            self._say(lines.introduction or lines.opening)
        else:
            self._open(turn)

    def _open(self, turn: CallerTurn) -> None:
        """Begin the conversation; `turn` is what the callee said first."""
        assert self._plan is not None, "nothing is waited for before there is a plan"
        clip, self._opening_clip, self._awaited = self._opening_clip, 0, None
        self._cancel(Timer.CALLEE)
        self._set(Timer.OPENING, self._now + self._limits.opening_on_wire)
        self._heard_first(turn)
        self._say(self._plan.lines.opening, clip)

    def _heard_first(self, turn: CallerTurn) -> None:
        """What the callee said first belongs to the turn in which we answer it."""
        self._account_for_answer()
        if turn.text:
            self._levels.append(turn.level_dbfs)
            self._tell_utterance(self._next_turn, turn)

    def _forget_opening(self) -> None:
        """It is not said now; should it be later, it is made again."""
        clip, self._opening_clip = self._opening_clip, 0
        if clip:
            self._ledger.dropped(clip)
            self._told_early.pop(clip, None)
            self._out.append(do.Forget(clip))

    def _callee_silent(self) -> None:
        """What was waited for has not come."""
        busy = self.states.caller is not Caller.SILENT or self.states.voice is not Voice.SILENT or self._owed
        if self._awaited is None or self.states.line is not Line.OPEN:
            return
        if self._awaited is Awaited.BEEP and self.states.caller is Caller.SILENT:
            self._leave_message()
        elif self._awaited is Awaited.GREETING_END:
            self._end(do.End(VOICEMAIL), Signal.HANG_UP)
        elif busy:
            self._set(Timer.CALLEE, self._now + self._callee.long_pause)
        else:
            self._open(CallerTurn())

    def _answered_by(self, who: Answerer) -> None:
        """The carrier has found out who took the call; the first verdict stands, but for the end of a greeting."""
        if self.answered_by in ("", "machine_start") and who != self.answered_by:
            self.answered_by = who
            if self._plan and self.states.line is Line.OPEN:
                self._deal_with_machine()

    def _deal_with_machine(self) -> bool:
        """What follows from who took the call; False when nothing does.

        A screening service is taken for an answering machine, but the person may yet be connected.
        """
        screened = self._awaited is Awaited.FIRST_WORDS and who_speaks(self._turn.evidence) is Taker.SCREENING
        if screened or self._awaited is Awaited.PERSON:
            return False
        match self.answered_by:
            case "machine_start":
                self._fall_silent()
                self._forget_opening()
                self._cancel(Timer.OPENING)
                self._awaited = Awaited.GREETING_END
                self._set(Timer.CALLEE, self._now + self._callee.machine)
            case "machine_end_beep" | "machine_end_silence" | "machine_end_other":
                self._leave_message()
            case "fax":
                self._fall_silent()
                self._end(do.End("fax"), Signal.HANG_UP)
            case "human" | "unknown" | "":
                return False
        return True

    def _leave_message(self) -> None:
        """Say the playbook's message to the machine, if it has one, and hang up."""
        assert self._plan is not None, "a verdict waits for the plan"
        self._awaited = None
        self._cancel(Timer.CALLEE)
        self._fall_silent()
        self._forget_opening()
        if self._plan.lines.voicemail:
            self._close(self._plan.lines.voicemail, "voicemail-left")
        else:
            self._end(do.End(VOICEMAIL), Signal.HANG_UP)
