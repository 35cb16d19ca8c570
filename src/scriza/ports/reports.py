"""What calls have come to, in figures: how many, how they ended, what was objected, how fast the agent was.

Figures are counted as turns happen and are a few seconds behind. A call counts on the day on which it began, in the
time zone that is asked for. Shares and means of nothing are null.
"""

from datetime import date, datetime
from typing import Annotated, Literal, Protocol

import msgspec

from scriza.kernel.operation import operation
from scriza.kernel.scopes import Scope

By = Literal["day", "agent", "playbook", "outcome", "direction"]
"""What the rows of a report stand for. `agent` is the playbook's slug, `playbook` one of its versions."""
Name = Annotated[str, msgspec.Meta(max_length=100)]


class ReportQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which calls are counted: those that began from the day `since` to the day `until`, both included.

    Absent, `until` is today and `since` 29 days before it; 1,100 days are the most. `tz` is a zone of the IANA
    database. Empty filters let all pass.
    """

    since: date | None = None
    until: date | None = None
    tz: Name = "UTC"
    agent: Name = ""
    playbook: Name = ""
    direction: Literal["", "inbound", "outbound"] = ""
    outcome: Name = ""


class GroupedQuery(ReportQuery, frozen=True, kw_only=True):
    """A query whose report has a row for each day, agent, version, outcome or direction."""

    by: By = "day"


class Period(msgspec.Struct, frozen=True):
    """The days that a report covers, in `tz`."""

    since: date
    until: date
    tz: str


# ---- calls --------------------------------------------------------------------------------------------------------


class OverviewRow(msgspec.Struct, frozen=True):
    """What the calls of one day, agent, version, outcome or direction have come to."""

    name: str
    calls: int
    ended: int
    won: int
    """Calls with an outcome that their playbook's goal names as a success."""
    won_share: float | None
    """Of those that have ended."""
    talk_seconds: int
    turns: int
    unanswered: int
    """Turns in which the playbook had no answer to what the caller said."""
    barge_ins: int
    silence_prompts: int
    sentiment: float | None
    """Mean of the caller's words, -1 to 1."""
    confidence: float | None
    """Mean of the recogniser's, 0 to 1."""
    latency_p50_ms: int | None
    latency_p95_ms: int | None
    tokens: int
    clips: int
    clips_cached: int
    replies_cached: int
    outcomes: dict[str, int]
    """Calls that have ended, by outcome; those without any under the empty name."""
    ended_reasons: dict[str, int]


class Overview(msgspec.Struct, frozen=True):
    """Calls at a glance; days without calls have a row."""

    period: Period
    by: By
    rows: list[OverviewRow]
    total: OverviewRow


# ---- objections ---------------------------------------------------------------------------------------------------


class ObjectionRow(msgspec.Struct, frozen=True):
    """What callers object, by the id that their playbook gives it."""

    objection: str
    heard: int
    answered: int
    """Times that the playbook had an answer."""
    calls: int
    """Calls in which it was heard, and of these, `won`."""
    won: int
    won_share: float | None


class Objections(msgspec.Struct, frozen=True):
    """Objections heard, the most frequent first; `unanswered` turns fit nothing in the playbook."""

    period: Period
    calls: int
    rows: list[ObjectionRow]
    unanswered: int


class UnansweredQuery(ReportQuery, frozen=True, kw_only=True):
    """At most `limit` groups."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50


class UnansweredRow(msgspec.Struct, frozen=True):
    """Words of callers that mean much the same and that the playbook has no answer to."""

    words: str
    """The most typical of them."""
    count: int
    calls: int
    """In so many calls."""
    stages: list[str]
    examples: list[str]
    """Ids of calls, the latest first."""
    last_said_at: datetime


class Unanswered(msgspec.Struct, frozen=True):
    """What the playbook should have an answer to, the most frequent first.

    It is read from the transcripts, as long as these are kept: of the latest `considered` utterances, of `counted`.
    """

    period: Period
    rows: list[UnansweredRow]
    considered: int
    counted: int


# ---- how calls go -------------------------------------------------------------------------------------------------


class InterruptionRow(msgspec.Struct, frozen=True):
    """How often the two got in each other's way, or said nothing."""

    name: str
    calls: int
    turns: int
    barge_ins: int
    """Times that the caller spoke over the agent and took the turn."""
    false_barge_ins: int
    """Times that the agent stopped for a noise or a word of listening, and went on."""
    interrupted_calls: int
    interrupted_share: float | None
    silence_prompts: int
    silent_calls: int
    """Calls in which the caller fell silent and was asked whether they are there."""
    silent_share: float | None


class StageInterruptions(msgspec.Struct, frozen=True):
    """Answers of a stage over which the caller spoke."""

    stage: str
    barge_ins: int


class Interruptions(msgspec.Struct, frozen=True):
    """Interruptions and silence; `stages` says where the agent is spoken over, the most first."""

    period: Period
    by: By
    rows: list[InterruptionRow]
    total: InterruptionRow
    stages: list[StageInterruptions]


class SentimentRow(msgspec.Struct, frozen=True):
    """How callers sound in a stage, by their words."""

    stage: str
    utterances: int
    positive: int
    negative: int
    mean: float | None


class Sentiment(msgspec.Struct, frozen=True):
    """Sentiment by stage, in the order in which calls reach them.

    It comes from a small lexicon of words for each language, not from a model: good for telling stages and versions
    apart, not for judging one caller.
    """

    period: Period
    rows: list[SentimentRow]
    total: SentimentRow


class Spread(msgspec.Struct, frozen=True):
    """Times in milliseconds; the quantiles are at most 2.5 % off."""

    mean_ms: int | None
    p50_ms: int | None
    p95_ms: int | None


class LatencyRow(msgspec.Struct, frozen=True):
    """Where the time goes from the caller's last voiced frame to our first audible one."""

    name: str
    turns: int
    total: Spread
    endpoint: Spread
    asr: Spread
    llm: Spread
    tts: Spread
    send: Spread


class Latency(msgspec.Struct, frozen=True):
    """How soon the agent answers."""

    period: Period
    by: By
    rows: list[LatencyRow]
    total: LatencyRow


class FunnelRow(msgspec.Struct, frozen=True):
    """How far calls come."""

    stage: str
    reached: int
    """Calls that were in this stage at some time."""
    reached_share: float | None
    left: int
    """Calls that ended in it."""
    won: int
    """Of those that reached it."""


class Funnel(msgspec.Struct, frozen=True):
    """Stages in the order in which calls reach them, on the average."""

    period: Period
    calls: int
    rows: list[FunnelRow]


# ---- two versions -------------------------------------------------------------------------------------------------


class ComparisonQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Compares the calls of two versions of playbooks, of the days and by the filters of `ReportQuery`."""

    a: Name
    b: Name
    since: date | None = None
    until: date | None = None
    tz: Name = "UTC"
    direction: Literal["", "inbound", "outbound"] = ""


class Estimate(msgspec.Struct, frozen=True):
    """A share or a mean with its 95 % confidence interval."""

    value: float
    low: float
    high: float


class Side(msgspec.Struct, frozen=True):
    """One version's figure; `calls` is how many speak for it."""

    calls: int
    estimate: Estimate | None


Verdict = Literal["higher", "lower", "no clear difference", "not enough calls"]


class ComparisonRow(msgspec.Struct, frozen=True):
    """One measure: of shares of calls by Wilson and Newcombe, of means by Welch."""

    measure: str
    kind: Literal["share", "mean"]
    a: Side
    b: Side
    difference: Estimate | None
    """b - a."""
    verdict: Verdict
    """Of b against a; clear when the interval of the difference leaves 0 out."""


class Comparison(msgspec.Struct, frozen=True):
    """Two versions side by side. With fewer than 30 ended calls on a side nothing is judged.

    There are several measures: of twenty that do not differ, one will seem to.
    """

    period: Period
    a: str
    b: str
    rows: list[ComparisonRow]


class Reports(Protocol):
    """Reports about a workspace's calls. All raise BadInput for an unknown zone and for days in the wrong order."""

    @operation("GET /api/v1/reports/overview", scope=Scope.REPORTS_READ)
    async def overview(self, query: GroupedQuery) -> Overview:
        """Calls, outcomes, time and cost, by day, agent, version, outcome or direction."""
        ...

    @operation("GET /api/v1/reports/objections", scope=Scope.REPORTS_READ)
    async def objections(self, query: ReportQuery) -> Objections:
        """What callers object, whether it was answered, and what came of those calls."""
        ...

    @operation("GET /api/v1/reports/unanswered", scope=Scope.REPORTS_READ)
    async def unanswered(self, query: UnansweredQuery) -> Unanswered:
        """What callers say that the playbook has no answer to, grouped by likeness."""
        ...

    @operation("GET /api/v1/reports/interruptions", scope=Scope.REPORTS_READ)
    async def interruptions(self, query: GroupedQuery) -> Interruptions:
        """Who was spoken over, and who fell silent."""
        ...

    @operation("GET /api/v1/reports/sentiment", scope=Scope.REPORTS_READ)
    async def sentiment(self, query: ReportQuery) -> Sentiment:
        """How callers sound, stage by stage."""
        ...

    @operation("GET /api/v1/reports/latency", scope=Scope.REPORTS_READ)
    async def latency(self, query: GroupedQuery) -> Latency:
        """How soon the agent answers, and where the time goes."""
        ...

    @operation("GET /api/v1/reports/funnel", scope=Scope.REPORTS_READ)
    async def funnel(self, query: ReportQuery) -> Funnel:
        """How far calls come through the stages."""
        ...

    @operation("GET /api/v1/reports/comparison", scope=Scope.REPORTS_READ)
    async def comparison(self, query: ComparisonQuery) -> Comparison:
        """Two versions of a playbook side by side, with confidence intervals."""
        ...
