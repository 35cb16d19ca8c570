"""Reports, in process and over HTTP, of calls that are counted as memory counts them."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest

from scriza.kernel.errors import BadInput
from scriza.kernel.principal import Principal, acting
from scriza.modules.memory.reports.counter import Counter
from scriza.modules.memory.reports.service import ReportsService
from scriza.ports.memory import RememberedCall, RememberedTurn
from scriza.ports.reports import (
    ComparisonQuery,
    GroupedQuery,
    ReportQuery,
    Reports,
    SentimentRow,
    UnansweredQuery,
)
from tests.contract.doors import Doors
from tests.memory_reports import MemoryFigures, MemoryLog, always, kite
from tests.report_calls import MONDAY, latency, objection, talk

NOW = datetime(2026, 3, 31, 12, 0, tzinfo=UTC)
TUESDAY = MONDAY + timedelta(days=1)

Opened = Callable[..., AbstractAsyncContextManager[Reports]]


def turn(number: int, stage: str, said: str = "", **told: object) -> RememberedTurn:
    return RememberedTurn(turn=number, stage=stage, said=said, **told)  # type: ignore[arg-type]


@pytest.fixture
def opened(doors: Doors) -> Opened:
    """The port, once all these calls are counted."""

    @asynccontextmanager
    async def open_reports(*calls: RememberedCall, workspace: str = "default") -> AsyncIterator[Reports]:
        figures = MemoryFigures()
        log = MemoryLog(figures)
        for call in calls:
            await log.write(call, workspace)
        await Counter(figures, log, kite, always).catch_up()
        async with doors(Reports, ReportsService(figures, log, kite, lambda: NOW)) as reports:
            yield reports

    return open_reports


async def test_an_overview_has_a_row_for_each_day_and_their_total(opened: Opened) -> None:
    calls = [
        talk("CA1", turn(0, "pitch", "hello", tokens=20, clips=2, clips_cached=1), outcome="booked", silence_prompts=1),
        talk("CA2", at=TUESDAY, outcome="lost", duration_seconds=30, barge_ins=2),
        talk("CA3", at=TUESDAY, state="live"),
    ]
    async with opened(*calls) as reports:
        found = await reports.overview(GroupedQuery(since=MONDAY.date(), until=date(2026, 3, 4)))
    assert [(row.name, row.calls, row.ended, row.won) for row in found.rows] == [
        ("2026-03-02", 1, 1, 1),
        ("2026-03-03", 2, 1, 0),
        ("2026-03-04", 0, 0, 0),
    ]
    total = found.total
    assert (total.calls, total.ended, total.won, total.won_share, total.talk_seconds) == (3, 2, 1, 0.5, 90)
    assert (total.turns, total.tokens, total.clips, total.clips_cached) == (1, 20, 2, 1)
    assert (total.barge_ins, total.silence_prompts) == (2, 1)
    assert total.outcomes == {"booked": 1, "lost": 1}
    assert total.ended_reasons == {"caller-hung-up": 2}
    assert found.rows[2].won_share is None


@pytest.mark.parametrize(
    ("by", "rows"),
    [
        ("agent", [("kite", 3), ("clinic", 1)]),
        ("playbook", [("kite.1", 2), ("clinic.1", 1), ("kite.2", 1)]),
        ("outcome", [("booked", 2), ("", 1), ("lost", 1)]),
        ("direction", [("inbound", 3), ("outbound", 1)]),
    ],
)
async def test_an_overview_by_anything_else_begins_with_the_most_calls(
    opened: Opened, by: str, rows: list[tuple[str, int]]
) -> None:
    calls = [
        talk("CA1", outcome="booked"),
        talk("CA2", outcome="booked"),
        talk("CA3", outcome="lost", playbook="kite.2"),
        talk("CA4", playbook="clinic.1", direction="outbound"),
    ]
    async with opened(*calls) as reports:
        found = await reports.overview(GroupedQuery(by=by))  # type: ignore[arg-type]
    assert [(row.name, row.calls) for row in found.rows] == rows


@pytest.mark.parametrize(
    ("which", "calls"),
    [
        ({"agent": "kite"}, 3),
        ({"playbook": "kite.2"}, 1),
        ({"direction": "outbound"}, 1),
        ({"outcome": "booked"}, 2),
        ({"since": TUESDAY.date()}, 1),
        ({"until": MONDAY.date()}, 3),
        ({"agent": "kite", "outcome": "lost"}, 1),
        ({"until": date(2026, 1, 1)}, 0),
    ],
)
async def test_filters_leave_out_all_other_calls(opened: Opened, which: dict[str, object], calls: int) -> None:
    told = [
        talk("CA1", outcome="booked"),
        talk("CA2", outcome="booked"),
        talk("CA3", outcome="lost", playbook="kite.2"),
        talk("CA4", playbook="clinic.1", direction="outbound", at=TUESDAY),
    ]
    async with opened(*told) as reports:
        found = await reports.overview(msgspec.convert(which, GroupedQuery))
        assert found.total.calls == calls
        assert (await reports.funnel(msgspec.convert(which, ReportQuery))).calls == calls


async def test_a_call_counts_on_the_day_on_which_it_began_there(opened: Opened) -> None:
    late = datetime(2026, 3, 2, 19, 0, tzinfo=UTC)  # half past midnight in Kolkata
    async with opened(talk("CA1", at=late)) as reports:
        for tz, day in (("UTC", "2026-03-02"), ("Asia/Kolkata", "2026-03-03"), ("America/New_York", "2026-03-02")):
            found = await reports.overview(GroupedQuery(tz=tz))
            assert [row.name for row in found.rows if row.calls] == [day]
        only = GroupedQuery(tz="Asia/Kolkata", since=date(2026, 3, 3), until=date(2026, 3, 3), by="agent")
        assert (await reports.overview(only)).total.calls == 1


async def test_the_figures_of_other_workspaces_are_not_seen(opened: Opened) -> None:
    unanswered = objection("", answered=False, said="what is it")
    async with opened(talk("CA1", unanswered), workspace="acme") as reports:
        assert (await reports.overview(GroupedQuery())).total.calls == 0
        assert (await reports.unanswered(UnansweredQuery())).rows == []
        with acting(Principal("acme")):
            assert (await reports.overview(GroupedQuery())).total.calls == 1


async def test_objections_say_how_often_they_were_heard_answered_and_got_over(opened: Opened) -> None:
    calls = [
        talk("CA1", objection("price"), objection("price", answered=False), outcome="booked"),
        talk("CA2", objection("price"), objection("time"), outcome="lost"),
        talk("CA3", turn(0, "pitch", "does it fly", unanswered=True)),
    ]
    async with opened(*calls) as reports:
        found = await reports.objections(ReportQuery())
    assert [(row.objection, row.heard, row.answered, row.calls, row.won, row.won_share) for row in found.rows] == [
        ("price", 3, 2, 2, 1, 0.5),
        ("time", 1, 1, 1, 0, 0.0),
    ]
    assert (found.calls, found.unanswered) == (3, 2)


async def test_what_had_no_answer_is_put_together_with_the_calls_in_which_it_was_said(opened: Opened) -> None:
    def asked(number: int, said: str) -> RememberedTurn:
        at = MONDAY + timedelta(minutes=number)
        return turn(number, "pitch", said, unanswered=True, said_at=at)

    calls = [
        talk("CA1", asked(1, "do you integrate with tally"), asked(2, "can it work offline")),
        talk("CA2", asked(3, "is there a Tally integration")),
        talk("CA3", turn(0, "pitch", "what is the price")),
    ]
    async with opened(*calls) as reports:
        found = await reports.unanswered(UnansweredQuery())
        assert len((await reports.unanswered(UnansweredQuery(limit=1))).rows) == 1
    assert [(row.count, row.calls, row.examples) for row in found.rows] == [(2, 2, ["CA2", "CA1"]), (1, 1, ["CA1"])]
    assert found.rows[0].last_said_at == MONDAY + timedelta(minutes=3)
    assert found.rows[0].stages == ["pitch"]
    assert (found.considered, found.counted) == (3, 3)


@pytest.mark.parametrize(
    ("which", "calls"),
    [
        ({"agent": "kite"}, ["CA2", "CA1"]),
        ({"playbook": "kite.2"}, ["CA2"]),
        ({"direction": "outbound"}, ["CA3"]),
        ({"outcome": "booked"}, ["CA1"]),
        ({"since": TUESDAY.date()}, ["CA3"]),
    ],
)
async def test_filters_leave_out_the_words_of_all_other_calls(
    opened: Opened, which: dict[str, object], calls: list[str]
) -> None:
    def asked(at: datetime) -> RememberedTurn:
        return turn(0, "pitch", "does it integrate", unanswered=True, said_at=at)

    told = [
        talk("CA1", asked(MONDAY), outcome="booked"),
        talk("CA2", asked(MONDAY + timedelta(hours=1)), playbook="kite.2"),
        talk("CA3", asked(TUESDAY), playbook="clinic.1", direction="outbound", at=TUESDAY),
    ]
    async with opened(*told) as reports:
        found = await reports.unanswered(msgspec.convert(which, UnansweredQuery))
    assert found.rows[0].examples == calls
    assert found.considered == found.counted == len(calls)


async def test_interruptions_and_silence_are_told_by_row_and_by_stage(opened: Opened) -> None:
    stages = ("pitch", "pitch", "close")
    spoken_over = [turn(number, stage, interrupted=True) for number, stage in enumerate(stages)]
    calls = [
        talk("CA1", *spoken_over, barge_ins=3, false_barge_ins=1),
        talk("CA2", silence_prompts=2, playbook="kite.2"),
    ]
    async with opened(*calls) as reports:
        found = await reports.interruptions(GroupedQuery(by="playbook"))
    assert [(row.name, row.barge_ins, row.interrupted_share, row.silent_share) for row in found.rows] == [
        ("kite.1", 3, 1.0, 0.0),
        ("kite.2", 0, 0.0, 1.0),
    ]
    assert (found.total.false_barge_ins, found.total.silence_prompts, found.total.silent_calls) == (1, 2, 1)
    assert [(stage.stage, stage.barge_ins) for stage in found.stages] == [("pitch", 2), ("close", 1)]


async def test_sentiment_goes_through_the_stages_as_calls_do(opened: Opened) -> None:
    calls = [
        talk("CA1", turn(0, "welcome", "hello"), turn(1, "pitch", "this is great"), turn(2, "close", "a scam")),
        talk("CA2", turn(0, "welcome", "go away"), turn(1, "pitch", "I love it")),
    ]
    async with opened(*calls) as reports:
        found = await reports.sentiment(ReportQuery())
    assert [(row.stage, row.utterances, row.positive, row.negative) for row in found.rows] == [
        ("welcome", 2, 0, 0),
        ("pitch", 2, 2, 0),
        ("close", 1, 0, 1),
    ]
    assert found.rows[1].mean is not None
    assert found.rows[1].mean > 0
    assert isinstance(found.total, SentimentRow)
    assert found.total.utterances == 5


async def test_latency_is_near_what_was_measured(opened: Opened) -> None:
    answers = [turn(number, "pitch", latency=latency(number * 10, llm_ms=number * 5)) for number in range(1, 101)]
    async with opened(talk("CA1", *answers), talk("CA2", at=TUESDAY)) as reports:
        found = await reports.latency(GroupedQuery(since=MONDAY.date(), until=TUESDAY.date()))
    for spread, middle, late, mean in ((found.total.total, 500, 950, 505), (found.total.llm, 250, 475, 252)):
        assert spread.p50_ms == pytest.approx(middle, rel=0.03)
        assert spread.p95_ms == pytest.approx(late, rel=0.03)
        assert spread.mean_ms == mean
    assert [(row.name, row.turns) for row in found.rows] == [("2026-03-02", 100), ("2026-03-03", 0)]
    assert found.rows[1].total.p50_ms is None


async def test_a_funnel_says_how_far_calls_come(opened: Opened) -> None:
    calls = [
        talk("CA1", turn(0, "welcome"), turn(1, "pitch"), turn(2, "close"), outcome="booked"),
        talk("CA2", turn(0, "welcome"), turn(1, "pitch")),
        talk("CA3", turn(0, "welcome")),
        talk("CA4"),
    ]
    async with opened(*calls) as reports:
        found = await reports.funnel(ReportQuery())
    assert [(row.stage, row.reached, row.reached_share, row.left, row.won) for row in found.rows] == [
        ("welcome", 3, 0.75, 1, 1),
        ("pitch", 2, 0.5, 1, 1),
        ("close", 1, 0.25, 1, 1),
    ]


def many(version: str, booked: int, of: int, seconds: int) -> list[RememberedCall]:
    return [
        talk(
            f"{version}-{number}",
            playbook=version,
            outcome="booked" if number < booked else "lost",
            duration_seconds=seconds + number % 3,
        )
        for number in range(of)
    ]


async def test_two_versions_are_compared_with_their_intervals(opened: Opened) -> None:
    async with opened(*many("kite.1", 8, 40, 60), *many("kite.2", 24, 40, 60)) as reports:
        found = await reports.comparison(ComparisonQuery(a="kite.1", b="kite.2"))
    rows = {row.measure: row for row in found.rows}
    won = rows["won"]
    assert won.a.estimate is not None
    assert won.b.estimate is not None
    assert won.difference is not None
    assert (won.a.calls, won.a.estimate.value, won.b.estimate.value, won.verdict) == (40, 0.2, 0.6, "higher")
    assert won.difference.low == pytest.approx(0.1867, abs=1e-4)  # Newcombe's interval, computed by hand
    assert rows["talk_seconds"].verdict == "no clear difference"
    assert rows["sentiment"].verdict == "not enough calls"  # nobody said anything


async def test_a_few_calls_are_not_enough_to_judge_and_it_says_so(opened: Opened) -> None:
    async with opened(*many("kite.1", 0, 29, 60), *many("kite.2", 40, 40, 900)) as reports:
        found = await reports.comparison(ComparisonQuery(a="kite.1", b="kite.2"))
        assert {row.verdict for row in found.rows} == {"not enough calls"}
        nothing = await reports.comparison(ComparisonQuery(a="kite.8", b="kite.9"))
    assert {(row.a.calls, row.a.estimate, row.difference) for row in nothing.rows} == {(0, None, None)}


async def test_what_is_no_period_is_bad_input(opened: Opened) -> None:
    async with opened() as reports:
        for query in (GroupedQuery(tz="Mars/Olympus"), GroupedQuery(since=date(2026, 3, 2), until=date(2026, 3, 1))):
            with pytest.raises(BadInput):
                await reports.overview(query)
        with pytest.raises(BadInput):
            await reports.comparison(ComparisonQuery(a="a", b="b", tz="../etc"))


async def test_without_calls_every_report_is_empty(opened: Opened) -> None:
    async with opened() as reports:
        assert (await reports.overview(GroupedQuery(by="agent"))).rows == []
        assert (await reports.objections(ReportQuery())).rows == []
        assert (await reports.sentiment(ReportQuery())).total.mean is None
        assert (await reports.funnel(ReportQuery())).rows == []
        assert (await reports.latency(GroupedQuery(by="agent"))).total.total.p95_ms is None
