"""What is counted of calls: numbers that add up, and whose every addition can be taken back.

All are integers, so that sums do not depend on their order: adding figures and subtracting them leaves what there was.
Fractions are kept in thousandths.
"""

from collections.abc import Iterable, Mapping
from typing import TypeVar

import msgspec

K = TypeVar("K", str, int)


class Figures(msgspec.Struct, array_like=True):
    """The sums over some calls. A mapping holds no zeros.

    They are kept by their place, so a field is never moved.
    """

    calls: int = 0
    ended: int = 0
    won: int = 0
    talk_seconds: int = 0
    turns: int = 0
    utterances: int = 0
    confidence: int = 0
    """Thousandths, summed over utterances."""
    tokens: int = 0
    replies_cached: int = 0
    clips: int = 0
    clips_cached: int = 0
    barge_ins: int = 0
    false_barge_ins: int = 0
    interrupted_calls: int = 0
    silence_prompts: int = 0
    silent_calls: int = 0
    unanswered: int = 0
    outcomes: dict[str, int] = {}
    ended_reasons: dict[str, int] = {}

    objections_heard: dict[str, int] = {}
    objections_answered: dict[str, int] = {}
    objections_calls: dict[str, int] = {}
    objections_won: dict[str, int] = {}

    stages_reached: dict[str, int] = {}
    stages_left: dict[str, int] = {}
    stages_won: dict[str, int] = {}
    stages_steps: dict[str, int] = {}
    """The place, from 0, that a stage had among those of a call, summed over the calls that reached it."""
    stages_interrupted: dict[str, int] = {}

    mood_turns: dict[str, int] = {}
    """Utterances by stage; so are the other three."""
    mood: dict[str, int] = {}
    """Thousandths."""
    mood_positive: dict[str, int] = {}
    mood_negative: dict[str, int] = {}

    hits: dict[str, int] = {}
    """For shares of ended calls: those of which this measure is true."""
    samples: dict[str, int] = {}
    """For means over ended calls: how many have a value of this measure, its sum, and the sum of its squares."""
    sums: dict[str, int] = {}
    squares: dict[str, int] = {}
    total: dict[int, int] = {}
    """Answers by the bucket of their latency; see `latency`."""


class TimedFigures(Figures, array_like=True):
    """The same with the parts of each answer's latency.

    They are as much as all the rest; what is kept with them is read as `Figures` by who does not need them.
    """

    endpoint: dict[int, int] = {}
    asr: dict[int, int] = {}
    llm: dict[int, int] = {}
    tts: dict[int, int] = {}
    send: dict[int, int] = {}
    milliseconds: dict[str, int] = {}
    """Sums, by the name of the part, `total` among them."""


F = TypeVar("F", bound=Figures)


def add(figures: Figures, more: Figures, times: int = 1) -> None:
    """Add `more` to `figures`, or with -1 take it away; `more` has all that `figures` has."""
    for name in figures.__struct_fields__:
        other = getattr(more, name)
        if not other:
            continue
        if isinstance(other, int):
            setattr(figures, name, getattr(figures, name) + times * other)
        else:
            _add_to(getattr(figures, name), other, times)


def total_of(many: Iterable[F], kind: type[F]) -> F:
    """The sum."""
    figures = kind()
    for each in many:
        add(figures, each)
    return figures


def is_nothing(figures: Figures) -> bool:
    """Whether nothing is counted."""
    return not any(getattr(figures, name) for name in figures.__struct_fields__)


def count(counts: dict[K, int], key: K, times: int = 1) -> None:
    """Count so often more; what comes to zero is left out."""
    if left := counts.get(key, 0) + times:
        counts[key] = left
    else:
        counts.pop(key, None)


def _add_to(have: dict[K, int], more: Mapping[K, int], times: int) -> None:
    for key, number in more.items():
        count(have, key, times * number)
