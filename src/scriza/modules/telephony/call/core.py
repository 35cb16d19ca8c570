"""What the layers of the call machine share: the four states, what is remembered, and how commands are given."""

from typing import Literal

from scriza.modules.telephony.call import commands as do
from scriza.modules.telephony.call.commands import Command, Timer
from scriza.modules.telephony.call.events import ClipComplete, ClipFailed
from scriza.modules.telephony.call.memory import Answer, Awaited, CallerTurn, Thought
from scriza.modules.telephony.call.tables import COUPLINGS, Mind, Signal, States, Voice
from scriza.modules.telephony.call_log import JournaledCall
from scriza.modules.telephony.playout import Ledger
from scriza.modules.telephony.turns.barge_in import BargeInOptions
from scriza.modules.telephony.turns.callee import CalleeOptions
from scriza.modules.telephony.turns.endpointing import Endpointer
from scriza.modules.telephony.turns.limits import Limits
from scriza.ports.agent import CallPlan, Conversation
from scriza.ports.carrier import Answerer
from scriza.ports.telephony import AudioSynthesized, CallMetrics, CallUpdated, ReplyGenerated, UtteranceTranscribed


class Core:
    """The ground that `Answering`, `Listening` and `Call` stand on, each on the one before."""

    def __init__(
        self,
        limits: Limits,
        barge_in: BargeInOptions,
        endpointer: Endpointer,
        *,
        callee: CalleeOptions | None = None,
        speculate: bool = True,
    ) -> None:
        self.states = States()
        self.metrics = CallMetrics()
        self.answered_by: Answerer | Literal[""] = ""
        """Who took a call that we placed, as the carrier has told it."""
        self._limits, self._barge_in, self._endpointer, self._speculate = limits, barge_in, endpointer, speculate
        self._callee = callee or CalleeOptions()
        self._now = 0
        self._began_at = 0
        """When the call began, in the machine's time: before 0 when this is not its first stream."""
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
        self._told_early: dict[int, ClipComplete | ClipFailed] = {}
        """How clips ended of which it was not yet certain that they would be played."""
        self._owed = 0
        """Finals that the recogniser has still to tell."""
        self._contested_since: int | None = None
        """Since when the caller speaks while the agent has the floor; none when that is decided."""
        self._unheard = ""
        """An utterance whose answer nobody heard: it is asked again together with what follows."""
        self._waits_since: int | None = None
        """Since when the caller has the word: noises without words give no more time."""
        self._afterwards: do.End | do.HandOver | None = None
        """What ends the call, or hands it over, when everything has been heard."""
        self._credit_is_used_up = False
        """What is being said is said to its end, and nothing more is answered."""
        self._outcome = ""
        self._awaited: Awaited | None = None
        """What must come before the conversation begins; none once it has, and for calls that come in."""
        self._opening_clip = 0
        """The opening, made while it is waited for; 0 when it has been used."""
        self._expected_keys = 0
        """So many keys answer what was asked last; 0 when that is not known."""
        self._caller_has_spoken = False
        self._prompts = self._failures = self._mumbles = 0
        self._inner_pauses: list[int] = []
        self._cuts = 0
        """How often the caller went on right after a turn was taken to be over."""
        self._levels: list[float] = []

    @property
    def _agent_has_the_floor(self) -> bool:
        return self.states.mind is Mind.THINKING or self.states.voice in (Voice.SPEAKING, Voice.HOLDING)

    def _decided(self) -> None:
        self._contested_since = None
        self._cancel(Timer.BARGE_IN)

    @property
    def _call_id(self) -> str:
        return self._journal.call_id if self._journal else ""

    @property
    def _other_side(self) -> str:
        """The number of who is on the line with us; empty when it is withheld."""
        call = self._journal
        return "" if call is None else call.caller if call.direction == "inbound" else call.callee

    @property
    def _stage(self) -> str:
        return self._conversation.stage if self._conversation else ""

    @property
    def _playbook(self) -> str:
        return self._conversation.playbook if self._conversation else ""

    def _since_start(self, at: int | None) -> int | None:
        """A moment as milliseconds since the call began."""
        return None if at is None else at - self._began_at

    def _publish(self, data: UtteranceTranscribed | ReplyGenerated | AudioSynthesized | CallUpdated) -> None:
        self._out.append(do.Publish(data))

    def _set(self, timer: Timer, at: int) -> None:
        self._timers.add(timer)
        self._out.append(do.SetTimer(timer, at))

    def _cancel(self, timer: Timer) -> None:
        if timer in self._timers:
            self._timers.remove(timer)
            self._out.append(do.CancelTimer(timer))

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
                    for clip, _ in self._thought.clips:
                        self._ledger.dropped(clip)
                        self._out.append(do.Forget(clip))
                    self._told_early.clear()
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
