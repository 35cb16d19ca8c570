"""From the log of a call to what it adds to the figures: pure, and the same each time it is asked."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, date, datetime

import msgspec

from scriza.kernel.calendar import slot_of
from scriza.modules.memory.reports.figures import Figures, TimedFigures, count
from scriza.modules.memory.reports.latency import bucket
from scriza.modules.memory.reports.mood import mood
from scriza.ports.memory import RememberedCall, RememberedTurn

PARTS = ("total", "endpoint", "asr", "llm", "tts", "send")
"""Of an answer's latency, as `TurnLatency` has them; the first is their sum."""
_POSITIVE, _NEGATIVE = 0.1, -0.1


class Led(msgspec.Struct, frozen=True):
    """What has to be known of the playbook's version to count its calls."""

    agent: str
    """The playbook's slug."""
    wins: frozenset[str] = frozenset()
    """Outcomes that its goal names as a success."""
    language: str = "en"


Leads = Callable[[str, str], Awaitable[Led]]
"""What is known of a version: by workspace and version. Raises ScrizaError when nobody can tell now."""


class Cell(msgspec.Struct, frozen=True):
    """Where a call counts: in a quarter of an hour of a day in UTC, and under what it may be asked for by."""

    day: date
    slot: int
    agent: str
    playbook: str
    direction: str
    outcome: str


def cell_of(call: RememberedCall, started_at: datetime, led: Led) -> Cell:
    """The cell of a call that began at `started_at`."""
    began = started_at.astimezone(UTC)
    return Cell(began.date(), slot_of(began), led.agent, call.playbook, call.direction, call.outcome)


def figures_of(call: RememberedCall, led: Led) -> TimedFigures:
    """All that one call adds, live or ended."""
    figures = TimedFigures(
        calls=1,
        turns=len(call.turns),
        tokens=sum(turn.tokens for turn in call.turns),
        replies_cached=sum(turn.cached for turn in call.turns),
        clips=sum(turn.clips for turn in call.turns),
        clips_cached=sum(turn.clips_cached for turn in call.turns),
        unanswered=sum(_fits_nothing(turn) for turn in call.turns),
    )
    won = _is_over(call) and call.outcome in led.wins
    _count_interruptions(figures, call)
    _count_objections(figures, call.turns, won=won)
    _count_stages(figures, call, won=won)
    moods = _count_words(figures, call.turns, led.language)
    _count_latency(figures, call.turns)
    if _is_over(call):
        _count_end(figures, call, moods, won=won)
    return figures


def _is_over(call: RememberedCall) -> bool:
    return call.state != "live"


def _fits_nothing(turn: RememberedTurn) -> bool:
    return turn.unanswered and bool(turn.said)


def _count_end(figures: Figures, call: RememberedCall, moods: Sequence[float], *, won: bool) -> None:
    """What only an ended call adds, and its one value of each measure by which versions are compared."""
    figures.ended, figures.won = 1, int(won)
    figures.talk_seconds = call.duration_seconds or 0
    figures.outcomes, figures.ended_reasons = {call.outcome: 1}, {call.ended_reason: 1}
    true = {
        "won": won,
        "interrupted": figures.interrupted_calls,
        "fell_silent": figures.silent_calls,
        "something_unanswered": figures.unanswered,
        "objected": figures.objections_heard,
    }
    figures.hits = {measure: 1 for measure, is_true in true.items() if is_true}
    _sample(figures, "talk_seconds", [figures.talk_seconds])
    _sample(figures, "turns", [figures.turns])
    _sample(figures, "tokens", [figures.tokens])
    _sample(figures, "latency_ms", [turn.latency.total_ms for turn in call.turns if turn.latency is not None])
    _sample(figures, "sentiment", [score * 1000 for score in moods])


def _count_interruptions(figures: Figures, call: RememberedCall) -> None:
    interrupted = [turn.stage for turn in call.turns if turn.interrupted]
    figures.barge_ins = max(call.barge_ins, len(interrupted))
    figures.false_barge_ins = call.false_barge_ins
    figures.interrupted_calls = int(figures.barge_ins > 0)
    figures.silence_prompts = call.silence_prompts
    figures.silent_calls = int(call.silence_prompts > 0)
    for stage in interrupted:
        count(figures.stages_interrupted, stage)


def _count_objections(figures: Figures, turns: Sequence[RememberedTurn], *, won: bool) -> None:
    for turn in turns:
        if turn.kind == "objection" and turn.meant:
            count(figures.objections_heard, turn.meant)
            if not turn.unanswered:
                count(figures.objections_answered, turn.meant)
    figures.objections_calls = dict.fromkeys(figures.objections_heard, 1)
    if won:
        figures.objections_won = dict(figures.objections_calls)


def _count_stages(figures: Figures, call: RememberedCall, *, won: bool) -> None:
    stages = list(dict.fromkeys(turn.stage for turn in call.turns if turn.stage))
    figures.stages_reached = dict.fromkeys(stages, 1)
    figures.stages_steps = {stage: step for step, stage in enumerate(stages) if step}
    if won:
        figures.stages_won = dict.fromkeys(stages, 1)
    if stages and _is_over(call):
        last = next(turn.stage for turn in reversed(call.turns) if turn.stage)
        figures.stages_left = {last: 1}


def _count_words(figures: Figures, turns: Sequence[RememberedTurn], language: str) -> list[float]:
    """Returns the moods of the utterances."""
    moods = []
    for turn in turns:
        if not turn.said:
            continue
        if turn.confidence is not None:
            figures.utterances += 1
            figures.confidence += round(turn.confidence * 1000)
        score = mood(turn.said, language)
        if score is not None:
            moods.append(score)
            _count_mood(figures, turn.said_in or turn.stage, score)
    return moods


def _count_mood(figures: Figures, stage: str, score: float) -> None:
    count(figures.mood_turns, stage)
    count(figures.mood, stage, round(score * 1000))
    if score > _POSITIVE:
        count(figures.mood_positive, stage)
    elif score < _NEGATIVE:
        count(figures.mood_negative, stage)


def _count_latency(figures: TimedFigures, turns: Sequence[RememberedTurn]) -> None:
    known = [turn.latency for turn in turns if turn.latency is not None]
    for part in PARTS:
        times = [int(getattr(latency, f"{part}_ms")) for latency in known]
        counts: dict[int, int] = getattr(figures, part)
        for number in map(bucket, times):
            count(counts, number)
        if any(times):
            figures.milliseconds[part] = sum(times)


def _sample(figures: Figures, measure: str, values: Sequence[float]) -> None:
    """A call's mean of some values as its one value of a measure. What is zero is left out of sums, as everywhere."""
    if not values:
        return
    figures.samples[measure] = 1
    if value := round(sum(values) / len(values)):
        figures.sums[measure] = value
        figures.squares[measure] = value * value
