"""The four machines of a call and how they are coupled, as tables.

The rule: a state changes only by a signal that its table has for it, and a change in one machine signals the others
only as `COUPLINGS` says. The machine (`machine.py`) decides which signal an event means; the diagram in the docs is
made from these tables (`diagram.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar


class Line(Enum):
    """The connection to the caller."""

    CONNECTING = "connecting"
    OPEN = "open"
    ENDING = "ending"
    ENDED = "ended"


class Caller(Enum):
    """What the caller does; `paused` is a silence that may or may not be the end of the turn."""

    SILENT = "silent"
    SPEAKING = "speaking"
    PAUSED = "paused"


class Mind(Enum):
    """What the agent thinks about; `speculating` is thinking before the turn is certain to be over."""

    IDLE = "idle"
    SPECULATING = "speculating"
    THINKING = "thinking"


class Voice(Enum):
    """What the agent says; `holding` is silence until a barge-in is decided, `closing` the last words of a call."""

    SILENT = "silent"
    SPEAKING = "speaking"
    HOLDING = "holding"
    CLOSING = "closing"


class Signal(Enum):
    """What moves a machine."""

    START = "stream started"
    FINISH_CALL = "last words wanted"
    HANG_UP = "last words heard"
    STREAM_ENDED = "stream ended"

    SPEECH = "speech started"
    PAUSE = "speech ended"
    TURN_OVER = "turn over"

    SPECULATE = "words at a pause"
    THINK = "turn taken"
    COMMIT = "turn was over"
    RESUME = "held answer wanted"
    ABANDON = "not wanted"
    THOUGHT = "answer complete"

    SPEAK = "clip to play"
    HOLD = "caller speaks over"
    GO_ON = "false barge-in"
    INTERRUPT = "barge-in"
    CLOSE = "last words"
    HEARD = "all heard"


State = Line | Caller | Mind | Voice

LINE: dict[Line, dict[Signal, Line]] = {
    Line.CONNECTING: {Signal.START: Line.OPEN, Signal.STREAM_ENDED: Line.ENDED},
    Line.OPEN: {Signal.FINISH_CALL: Line.ENDING, Signal.HANG_UP: Line.ENDED, Signal.STREAM_ENDED: Line.ENDED},
    Line.ENDING: {Signal.HANG_UP: Line.ENDED, Signal.STREAM_ENDED: Line.ENDED},
    Line.ENDED: {},
}

CALLER: dict[Caller, dict[Signal, Caller]] = {
    Caller.SILENT: {Signal.SPEECH: Caller.SPEAKING},
    Caller.SPEAKING: {Signal.PAUSE: Caller.PAUSED, Signal.TURN_OVER: Caller.SILENT},
    Caller.PAUSED: {Signal.SPEECH: Caller.SPEAKING, Signal.TURN_OVER: Caller.SILENT},
}

MIND: dict[Mind, dict[Signal, Mind]] = {
    Mind.IDLE: {Signal.SPECULATE: Mind.SPECULATING, Signal.THINK: Mind.THINKING},
    Mind.SPECULATING: {Signal.COMMIT: Mind.THINKING, Signal.ABANDON: Mind.IDLE},
    Mind.THINKING: {Signal.RESUME: Mind.THINKING, Signal.THOUGHT: Mind.IDLE, Signal.ABANDON: Mind.IDLE},
}

VOICE: dict[Voice, dict[Signal, Voice]] = {
    Voice.SILENT: {Signal.SPEAK: Voice.SPEAKING, Signal.HOLD: Voice.HOLDING, Signal.CLOSE: Voice.CLOSING},
    Voice.SPEAKING: {
        Signal.HOLD: Voice.HOLDING,
        Signal.INTERRUPT: Voice.SILENT,
        Signal.HEARD: Voice.SILENT,
        Signal.CLOSE: Voice.CLOSING,
    },
    Voice.HOLDING: {
        Signal.GO_ON: Voice.SPEAKING,
        Signal.INTERRUPT: Voice.SILENT,
        Signal.HEARD: Voice.SILENT,
        Signal.CLOSE: Voice.CLOSING,
    },
    Voice.CLOSING: {Signal.HEARD: Voice.SILENT, Signal.INTERRUPT: Voice.SILENT},
}

COUPLINGS: dict[State, dict[State, Signal]] = {
    # a machine that enters the first state signals the one that is in the second
    Caller.SPEAKING: {Mind.SPECULATING: Signal.ABANDON, Voice.SPEAKING: Signal.HOLD},
    Line.ENDING: {
        Mind.SPECULATING: Signal.ABANDON,
        Mind.THINKING: Signal.ABANDON,
        Caller.SPEAKING: Signal.TURN_OVER,
        Caller.PAUSED: Signal.TURN_OVER,
    },
    Line.ENDED: {
        Mind.SPECULATING: Signal.ABANDON,
        Mind.THINKING: Signal.ABANDON,
        Caller.SPEAKING: Signal.TURN_OVER,
        Caller.PAUSED: Signal.TURN_OVER,
        Voice.SPEAKING: Signal.INTERRUPT,
        Voice.HOLDING: Signal.INTERRUPT,
        Voice.CLOSING: Signal.INTERRUPT,
    },
}


class IllegalSignal(RuntimeError):
    """A machine was told what its state has no move for: a mistake in the call machine, never the outside's."""


@dataclass
class States:
    """Where the four machines of one call are."""

    line: Line = Line.CONNECTING
    caller: Caller = Caller.SILENT
    mind: Mind = Mind.IDLE
    voice: Voice = Voice.SILENT

    def holds(self, state: State) -> bool:
        """Whether the state's machine is in it."""
        return state in (self.line, self.caller, self.mind, self.voice)

    def move(self, signal: Signal) -> State:
        """Move the one machine that knows `signal`; returns the state it entered. Raises IllegalSignal."""
        if signal in _LINE_SIGNALS:
            self.line = _follow(LINE, self.line, signal)
            return self.line
        if signal in _CALLER_SIGNALS:
            self.caller = _follow(CALLER, self.caller, signal)
            return self.caller
        if signal in _MIND_SIGNALS:
            self.mind = _follow(MIND, self.mind, signal)
            return self.mind
        self.voice = _follow(VOICE, self.voice, signal)
        return self.voice


S = TypeVar("S", bound=Enum)


def _follow(table: Mapping[S, Mapping[Signal, S]], state: S, signal: Signal) -> S:
    try:
        return table[state][signal]
    except KeyError:
        raise IllegalSignal(f"{type(state).__name__} {state.name} has no move for {signal.name}") from None


def _signals(table: Mapping[S, Mapping[Signal, S]]) -> frozenset[Signal]:
    return frozenset(signal for moves in table.values() for signal in moves)


_LINE_SIGNALS, _CALLER_SIGNALS, _MIND_SIGNALS = _signals(LINE), _signals(CALLER), _signals(MIND)
