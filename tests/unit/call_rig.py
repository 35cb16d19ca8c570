"""Drives a call machine: time moves by `pass_ms`, timers fire when they are due, clips play when told to."""

from datetime import UTC, datetime
from typing import TypeVar

from scriza.modules.telephony.call import commands as do
from scriza.modules.telephony.call import events as on
from scriza.modules.telephony.call.machine import Call
from scriza.modules.telephony.call.replay import Noted
from scriza.modules.telephony.call_log import JournaledCall
from scriza.modules.telephony.turns.barge_in import BargeInOptions
from scriza.modules.telephony.turns.endpointing import Endpointer
from scriza.modules.telephony.turns.fixed_silence import FixedSilence
from scriza.modules.telephony.turns.limits import Limits
from scriza.ports.agent import CallPlan, Conversation, Exchange, FixedLines, Reply, ReplyDone, TurnNotes, Voice
from scriza.ports.llm import Usage
from scriza.ports.tts import SpokenWord

T = TypeVar("T")

NOTHING_NOTED = TurnNotes()
OPENING = "Hello, this is Sam from Acme."
LINES = FixedLines(
    opening=OPENING,
    intro_timeout="I can't hear you. Goodbye.",
    silence_prompts=["Are you still there?", "Hello?"],
    repair="Sorry, I didn't catch that.",
    trouble="One moment please.",
    farewell="I have to go. Goodbye.",
    ends_early="I am sorry, I have to end our call here.",
    resumed="Sorry, we were cut off.",
    silence_sms="Call us back any time.",
    unreached="Nobody is free right now.",
    voicemail="This is Sam from Acme, I will call again.",
    introduction="This is Sam from Acme, about your invoices.",
)


def conversation(stage: str = "greeting") -> Conversation:
    return Conversation(playbook="sample", stage=stage)


def plan() -> CallPlan:
    return CallPlan(conversation(), LINES, Voice(), ["yes please"], "en", "Hi Sam, about my invoice.")


def journal(**changes: object) -> JournaledCall:
    known: dict[str, object] = {
        "call_id": "CA1",
        "workspace": "default",
        "direction": "inbound",
        "caller": "+14155550100",
        "callee": "+14155550199",
        "status": "in-progress",
        "started_at": datetime(2026, 1, 1, tzinfo=UTC),
        "ended_reason": "",
        "attached": 1,
        "next_turn": 0,
        "conversation": None,
        "unanswered": "",
        "turns": [],
    }
    return JournaledCall(**(known | changes))  # type: ignore[arg-type]  # the tests name the fields they change


def word_times(text: str, ms_per_word: int = 200) -> list[SpokenWord]:
    words, at, chars = [], 0, 0
    for word in text.split(" "):
        chars += len(word)
        words.append(SpokenWord(at, at + ms_per_word, chars))
        at, chars = at + ms_per_word, chars + 1
    return words


class Rig:
    """One call on a clock of its own."""

    def __init__(self, *, endpointer: Endpointer | None = None, speculate: bool = True, limits: Limits | None = None):
        self.call = Call(limits or Limits(), BargeInOptions(), endpointer or FixedSilence(700), speculate=speculate)
        self.now = 0
        self.commands: list[do.Command] = []
        self.log: list[Noted] = []
        self._timers: dict[do.Timer, int] = {}
        self._texts: dict[int, str] = {}
        self._heard: set[int] = set()

    # time and events

    def tell(self, event: on.Event) -> list[do.Command]:
        self.log.append(Noted(self.now, event))
        commands = self.call.receive(event, self.now)
        for command in commands:
            match command:
                case do.SetTimer(timer=timer, at=at):
                    self._timers[timer] = at
                case do.CancelTimer(timer=timer):
                    self._timers.pop(timer, None)
                case do.Synthesise(clip=clip, text=text):
                    self._texts[clip] = text
                case do.Dial(clip=clip, keys=keys):
                    self._texts[clip] = f"pressed {' '.join(keys.replace('w', ''))}"
                case _:
                    pass
        self.commands += commands
        return commands

    def pass_ms(self, ms: int) -> None:
        until = self.now + ms
        while self._timers and (due := min(self._timers.values())) <= until:
            self.now = max(self.now, due)
            timer = next(name for name, at in self._timers.items() if at == due)
            del self._timers[timer]
            self.tell(on.TimerFired(timer))
        self.now = until

    # what a test says

    def begin(self, planned: CallPlan | None = None, **changes: object) -> "Rig":
        self.tell(on.StreamStarted(journal(**changes)))
        self.tell(on.Planned(planned or plan()))
        return self

    def after_opening(self) -> "Rig":
        self.begin()
        self.hear_all()
        return self

    def say(self, text: str, *, ms: int = 1000, level: float = -22.0, confidence: float = 0.9) -> None:
        """The caller speaks, stops, and the recogniser tells the words; the turn is not over yet."""
        self.start_speaking(level)
        self.pass_ms(ms)
        self.stop_speaking(ms, level)
        self.tell(on.Words(text, confidence, final=True))

    def start_speaking(self, level: float = -22.0) -> None:
        self.tell(on.SpeechStarted(level))

    def stop_speaking(self, ms: int, level: float = -22.0) -> None:
        self.pass_ms(100)
        self.tell(on.SpeechEnded(ms, 100, level))

    def turn(self, text: str) -> do.Think:
        """The caller's whole turn, until the agent is asked."""
        self.say(text)
        self.pass_ms(700)
        return self.thoughts[-1]

    def answer(self, thought: do.Think, *clauses: str, done: bool = True, stage: str = "pitch") -> None:
        for clause in clauses:
            self.tell(on.ClauseThought(thought.thought, clause))
        if done:
            self.done(thought, *clauses, stage=stage)

    def done(
        self,
        thought: do.Think,
        *clauses: str,
        stage: str = "pitch",
        expects_keys: int = 0,
        cached: bool = False,
        notes: TurnNotes = NOTHING_NOTED,
    ) -> None:
        before = thought.reply.conversation
        exchange = Exchange(thought.reply.utterance, " ".join(clauses))
        after = Conversation(before.playbook, stage, before.opening, [*before.exchanges, exchange])
        done = ReplyDone(after, Usage(10, 5, 15), "playbook", cached, expects_keys, notes)
        self.tell(on.ThoughtDone(thought.thought, done))

    def hear(self, clip: int, until_ms: int | None = None) -> None:
        """The clip is sent and the phone plays it, to its end or to `until_ms`."""
        times = word_times(self._texts[clip])
        self.tell(on.ClipReady(clip))
        self.tell(on.ClipTimed(clip, times))
        self.tell(on.ClipStarted(clip))
        end = times[-1].end_ms
        played = min(end, until_ms or end)
        last = played == end
        self.tell(on.MarkSent(f"{clip}", clip, played, last))
        self.pass_ms(played)
        self.tell(on.MarkEchoed(f"{clip}"))
        if last:
            self.tell(on.ClipComplete(clip, end, cache_hit=False))

    def hear_all(self) -> None:
        """Everything that is to be played is played."""
        for clip in [clip for clip in self.played if clip not in self._heard]:
            self._heard.add(clip)
            self.hear(clip)

    # what came of it

    @property
    def thoughts(self) -> list[do.Think]:
        return [command for command in self.commands if isinstance(command, do.Think)]

    @property
    def replies(self) -> list[Reply]:
        return [thought.reply for thought in self.thoughts]

    @property
    def played(self) -> list[int]:
        return [command.clip for command in self.commands if isinstance(command, do.Play)]

    @property
    def said(self) -> list[str]:
        return [self._texts[clip] for clip in self.played]

    @property
    def transcript(self) -> list[tuple[int, str, str]]:
        return [(line.turn, line.kind, line.text) for line in self.commands if isinstance(line, do.Journal)]

    @property
    def ended(self) -> do.End | None:
        return next((command for command in self.commands if isinstance(command, do.End)), None)

    def told(self, kind: type[T]) -> list[T]:
        """What is told of this kind, in order."""
        published = [command.data for command in self.commands if isinstance(command, do.Publish)]
        return [data for data in published if isinstance(data, kind)]

    def wanted(self, kind: type[do.Command]) -> int:
        return sum(isinstance(command, kind) for command in self.commands)
