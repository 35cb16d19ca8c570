"""From figures to the reports that people read. Pure."""

from collections.abc import Mapping, Sequence

from scriza.kernel.calendar import days
from scriza.modules.memory.reports.figures import F, Figures, TimedFigures, total_of
from scriza.modules.memory.reports.latency import quantile
from scriza.ports.reports import (
    By,
    Funnel,
    FunnelRow,
    InterruptionRow,
    Interruptions,
    Latency,
    LatencyRow,
    ObjectionRow,
    Objections,
    Overview,
    OverviewRow,
    Period,
    Sentiment,
    SentimentRow,
    Spread,
    StageInterruptions,
)

TOTAL = "total"
Rows = Mapping[str, Figures]


def overview(period: Period, by: By, rows: Rows) -> Overview:
    """Calls at a glance."""
    told = [_overview_row(name, figures) for name, figures in _in_order(period, by, rows, Figures)]
    return Overview(period, by, told, _overview_row(TOTAL, total_of(rows.values(), Figures)))


def _overview_row(name: str, figures: Figures) -> OverviewRow:
    return OverviewRow(
        name=name,
        calls=figures.calls,
        ended=figures.ended,
        won=figures.won,
        won_share=_share(figures.won, figures.ended),
        talk_seconds=figures.talk_seconds,
        turns=figures.turns,
        unanswered=figures.unanswered,
        barge_ins=figures.barge_ins,
        silence_prompts=figures.silence_prompts,
        sentiment=_thousandths(sum(figures.mood.values()), sum(figures.mood_turns.values())),
        confidence=_thousandths(figures.confidence, figures.utterances),
        latency_p50_ms=quantile(figures.total, 0.5),
        latency_p95_ms=quantile(figures.total, 0.95),
        tokens=figures.tokens,
        clips=figures.clips,
        clips_cached=figures.clips_cached,
        replies_cached=figures.replies_cached,
        outcomes=_most_first(figures.outcomes),
        ended_reasons=_most_first(figures.ended_reasons),
    )


def objections(period: Period, figures: Figures) -> Objections:
    """What callers object."""
    rows = [
        ObjectionRow(
            objection=objection,
            heard=heard,
            answered=figures.objections_answered.get(objection, 0),
            calls=(calls := figures.objections_calls.get(objection, 0)),
            won=(won := figures.objections_won.get(objection, 0)),
            won_share=_share(won, calls),
        )
        for objection, heard in _most_first(figures.objections_heard).items()
    ]
    return Objections(period, figures.calls, rows, figures.unanswered)


def interruptions(period: Period, by: By, rows: Rows) -> Interruptions:
    """Interruptions and silence."""
    total = total_of(rows.values(), Figures)
    told = [_interruption_row(name, figures) for name, figures in _in_order(period, by, rows, Figures)]
    stages = [StageInterruptions(stage, times) for stage, times in _most_first(total.stages_interrupted).items()]
    return Interruptions(period, by, told, _interruption_row(TOTAL, total), stages)


def _interruption_row(name: str, figures: Figures) -> InterruptionRow:
    return InterruptionRow(
        name=name,
        calls=figures.calls,
        turns=figures.turns,
        barge_ins=figures.barge_ins,
        false_barge_ins=figures.false_barge_ins,
        interrupted_calls=figures.interrupted_calls,
        interrupted_share=_share(figures.interrupted_calls, figures.calls),
        silence_prompts=figures.silence_prompts,
        silent_calls=figures.silent_calls,
        silent_share=_share(figures.silent_calls, figures.calls),
    )


def sentiment(period: Period, figures: Figures) -> Sentiment:
    """Sentiment by stage."""
    rows = [
        SentimentRow(
            stage=stage,
            utterances=figures.mood_turns[stage],
            positive=figures.mood_positive.get(stage, 0),
            negative=figures.mood_negative.get(stage, 0),
            mean=_thousandths(figures.mood.get(stage, 0), figures.mood_turns[stage]),
        )
        for stage in sorted(figures.mood_turns, key=lambda stage: _step(figures, stage))
    ]
    utterances = sum(row.utterances for row in rows)
    positive, negative = (sum(counts.values()) for counts in (figures.mood_positive, figures.mood_negative))
    mean = _thousandths(sum(figures.mood.values()), utterances)
    return Sentiment(period, rows, SentimentRow(TOTAL, utterances, positive, negative, mean))


def latency(period: Period, by: By, rows: Mapping[str, TimedFigures]) -> Latency:
    """How soon the agent answers."""
    told = [_latency_row(name, figures) for name, figures in _in_order(period, by, rows, TimedFigures)]
    return Latency(period, by, told, _latency_row(TOTAL, total_of(rows.values(), TimedFigures)))


def _latency_row(name: str, figures: TimedFigures) -> LatencyRow:
    def spread(part: str) -> Spread:
        counts: dict[int, int] = getattr(figures, part)
        turns = sum(counts.values())
        mean = round(figures.milliseconds.get(part, 0) / turns) if turns else None
        return Spread(mean, quantile(counts, 0.5), quantile(counts, 0.95))

    return LatencyRow(
        name=name,
        turns=sum(figures.total.values()),
        total=spread("total"),
        endpoint=spread("endpoint"),
        asr=spread("asr"),
        llm=spread("llm"),
        tts=spread("tts"),
        send=spread("send"),
    )


def funnel(period: Period, figures: Figures) -> Funnel:
    """How far calls come."""
    rows = [
        FunnelRow(
            stage=stage,
            reached=figures.stages_reached[stage],
            reached_share=_share(figures.stages_reached[stage], figures.calls),
            left=figures.stages_left.get(stage, 0),
            won=figures.stages_won.get(stage, 0),
        )
        for stage in sorted(figures.stages_reached, key=lambda stage: _step(figures, stage))
    ]
    return Funnel(period, figures.calls, rows)


def _step(figures: Figures, stage: str) -> tuple[float, str]:
    """The mean place of a stage in the calls that reached it; one that none has reached comes last."""
    reached = figures.stages_reached.get(stage, 0)
    return (figures.stages_steps.get(stage, 0) / reached if reached else float("inf")), stage


def _in_order(period: Period, by: By, rows: Mapping[str, F], kind: type[F]) -> Sequence[tuple[str, F]]:
    """Days in their order, also those without calls; else by the number of calls."""
    if by == "day":
        names = [str(day) for day in days(period.since, period.until)]
        return [(name, rows.get(name, kind())) for name in names]
    return sorted(rows.items(), key=lambda row: (-row[1].calls, row[0]))


def _most_first(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _share(some: int, of: int) -> float | None:
    return round(some / of, 4) if of else None


def _thousandths(total: int, count: int) -> float | None:
    return round(total / count / 1000, 3) if count else None
