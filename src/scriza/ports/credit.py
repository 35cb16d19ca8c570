"""Credit and what was used: checks before and during calls, the ledger, summaries, invoices. Money is in micro-USD."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Literal, Protocol

import msgspec

from scriza.kernel.errors import ScrizaError
from scriza.kernel.operation import operation
from scriza.kernel.scopes import Scope

Id = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._:-]{1,128}$")]
Amount = Annotated[int, msgspec.Meta(ge=0, le=10**15)]
Span = Literal["today", "24h", "7d", "30d", "month"]


class HoldWish(msgspec.Struct, frozen=True):
    """Credit to set aside for a call until it ends: for `seconds` of it in all, at the usual cost.

    Asked again with more seconds, what is set aside grows if there is credit for that, else it stays as it is.
    """

    call_id: Id
    seconds: Annotated[int, msgspec.Meta(ge=1, le=86_400)] = 300


class CreditCheck(msgspec.Struct, frozen=True):
    """May this cost `amount`? With a `hold`, that much is set aside if it may."""

    amount: Amount = 0
    hold: HoldWish | None = None
    call_id: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._:-]{0,128}$")] = ""
    """What is set aside for this call is its own to use, and part of what remains."""


class CreditAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """`remaining` is what is available after the answer: without any limit too, and below zero in debt.

    A refusal with a `hold_id` is of more than is held already, which stays held.
    """

    allowed: bool
    remaining: int
    hold_id: str = ""
    reason: str = ""
    """Only of a refusal: ``no-credit``."""


class GrantWish(msgspec.Struct, frozen=True):
    """Credit to be given. The same `grant_id` again is the same grant. A lower `priority` is used up first."""

    amount: Annotated[int, msgspec.Meta(gt=0, le=10**15)]
    grant_id: str = ""
    workspace: str = ""
    """Empty is one's own."""
    priority: Annotated[int, msgspec.Meta(ge=0, le=100)] = 10
    expires_at: datetime | None = None
    note: Annotated[str, msgspec.Meta(max_length=200)] = ""


class GrantTold(msgspec.Struct, frozen=True):
    """A grant with something left."""

    grant_id: str
    amount: int
    left: int
    granted_at: datetime
    priority: int
    expires_at: datetime | None


class Credit(msgspec.Struct, frozen=True):
    """How a workspace stands. `available` is the balance less what is held for live calls."""

    balance: int
    held: int
    available: int
    enforced: bool
    """Calls are refused without credit; so from the first grant on."""
    overdraft: int
    thresholds: list[int]
    grants: list[GrantTold]


class CreditRules(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a workspace has settled about its credit."""

    thresholds: Annotated[list[Amount], msgspec.Meta(max_length=10)] = []
    """Balances below which somebody is told, once each until the balance is above again."""
    overdraft: Amount = 0
    time_zone: Annotated[str, msgspec.Meta(max_length=64)] = "UTC"
    """Of its days, IANA."""


class Totals(msgspec.Struct, frozen=True):
    """What was used."""

    calls: int
    minutes: float
    """To be shown; what is billed is whole seconds and whole minutes."""
    call_seconds: int
    prompt_tokens: int
    cached_prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    characters: int
    audio_ms: int
    cost_micro_usd: int
    saved_micro_usd: int
    """By our caches."""
    saved_tokens: int
    cached_characters: int


class Group(msgspec.Struct, frozen=True):
    """One part of a summary; the parts sum to its totals."""

    name: str
    totals: Totals


class SummaryAsked(msgspec.Struct, frozen=True):
    """`since` is ``today``, ``24h``, ``7d``, ``30d``, ``month`` or a moment in ISO 8601."""

    since: str = "today"
    until: str = ""
    tz: str = ""
    """An IANA zone; empty is the workspace's."""
    group_by: Literal["", "agent", "model", "day"] = ""


class Summary(msgspec.Struct, frozen=True):
    """What was used since then; `top_agents` by cost, the playbook versions that led the calls."""

    since: datetime
    until: datetime
    tz: str
    totals: Totals
    groups: list[Group]
    top_agents: list[Group]


class LedgerQuery(msgspec.Struct, frozen=True):
    """Newest first; `cursor` is the `next` of the page before."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 100
    cursor: str = ""
    call_id: str = ""


class LedgerLine(msgspec.Struct, frozen=True):
    """One entry; `amount` adds to the balance. `at` is when it happened."""

    key: str
    kind: Literal["grant", "usage", "call", "expiry", "correction"]
    amount: int
    at: datetime
    call_id: str
    about: str


class LedgerPage(msgspec.Struct, frozen=True):
    """One page; `next` is empty on the last."""

    data: list[LedgerLine]
    next: str = ""


class QuarantineQuery(msgspec.Struct, frozen=True):
    """The newest so many."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 100


class PutAside(msgspec.Struct, frozen=True):
    """An event that was not counted, and why: its id is another one's, or it cannot be read."""

    event_id: str
    topic: str
    subject: str
    at: datetime
    """When it is said to have happened."""
    heard_at: datetime
    reason: str


class Quarantine(msgspec.Struct, frozen=True):
    """What waits for somebody to look at it, newest first."""

    data: list[PutAside]


class RepriceAsked(msgspec.Struct, frozen=True):
    """Events from `since` on and before `until` are priced again; `cursor` is the `next` of the answer before."""

    since: Annotated[datetime, msgspec.Meta(tz=True)]
    until: Annotated[datetime, msgspec.Meta(tz=True)]
    cursor: str = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 500


class Repricing(msgspec.Struct, frozen=True):
    """What became of one batch; `next` is empty after the last."""

    events: int
    """Looked at."""
    corrected: int
    correction_micro_usd: int
    """What they cost more than before; below zero is less."""
    prices: str
    """The version of the table in force."""
    next: str = ""


class InvoiceLine(msgspec.Struct, frozen=True):
    """What one thing cost; the lines sum to the invoice's total, to the micro-USD."""

    kind: Literal["llm", "tts", "asr", "call"]
    item: str
    """The model, the engine, or the direction of calls."""
    quantity: int
    unit: Literal["tokens", "characters", "seconds"]
    cost_micro_usd: int


class Invoice(msgspec.Struct, frozen=True):
    """A month of a workspace, in its zone."""

    workspace: str
    month: str
    since: datetime
    until: datetime
    lines: list[InvoiceLine]
    total_micro_usd: int


class UsageUpdated(msgspec.Struct, frozen=True):
    """Data of `usage.updated`: a batch of events was counted."""

    events: int
    cost_micro_usd: int
    balance: int


class CreditThreshold(msgspec.Struct, frozen=True):
    """Data of `credit.threshold`: the balance has fallen below it."""

    threshold: int
    balance: int


class DayTold(msgspec.Struct, frozen=True):
    """Data of `usage.summary`: a day of the workspace's zone that is over, as far as it was counted by then."""

    day: str
    """``2026-11-30``."""
    tz: str
    since: datetime
    until: datetime
    totals: Totals
    top_agents: list[Group]
    balance: int


def dollars(micro_usd: int) -> str:
    """Money as people read it: whole cents where it is some, all digits where it is not.

    >>> dollars(-1_250_000), dollars(350), dollars(0)
    ('-$1.25', '$0.00035', '$0.00')
    """
    whole, rest = divmod(abs(micro_usd), 1_000_000)
    digits = f"{rest:06}".rstrip("0").ljust(2, "0")
    return f"{'-' if micro_usd < 0 else ''}${whole}.{digits}"


class UsageBook(Protocol):
    """What is asked of the usage module."""

    @operation("POST /api/v1/credit/check", timeout=5, scope=Scope.CREDIT_CHECK)
    async def check(self, asked: CreditCheck) -> CreditAnswer:
        """Whether there is credit. Asking again for the same call's hold gives the same hold."""
        ...

    @operation("POST /api/v1/credit/grants", scope=Scope.CREDIT_GRANT, keyed=True)
    async def grant(self, asked: GrantWish) -> Credit:
        """Give credit. Raises Conflict when its id is another grant's, BadInput when it expires in the past."""
        ...

    @operation("GET /api/v1/credit", scope=Scope.USAGE_READ)
    async def credit(self) -> Credit:
        """How the workspace stands."""
        ...

    @operation("PUT /api/v1/credit/rules", scope=Scope.CREDIT_GRANT, idempotent=True)
    async def set_rules(self, asked: CreditRules) -> CreditRules:
        """Settle thresholds, overdraft and time zone. Raises BadInput for a zone that there is not."""
        ...

    @operation("GET /api/v1/credit/rules", scope=Scope.USAGE_READ)
    async def rules(self) -> CreditRules:
        """What is settled."""
        ...

    @operation("GET /api/v1/credit/ledger", scope=Scope.USAGE_READ)
    async def ledger(self, query: LedgerQuery) -> LedgerPage:
        """The ledger, entry by entry."""
        ...

    @operation("GET /api/v1/usage/summary", scope=Scope.USAGE_READ)
    async def summary(self, asked: SummaryAsked) -> Summary:
        """What was used. Raises BadInput for a moment or a zone that there is not."""
        ...

    @operation("POST /api/v1/usage/recompute", scope=Scope.CREDIT_GRANT, idempotent=True)
    async def recompute(self, asked: RepriceAsked) -> Repricing:
        """Price what was used again, by the prices in force; ask again with `next` until it is empty.

        What costs something else than it did is corrected in the ledger and in all sums. Asked twice it changes
        nothing. Raises BadInput for a span that ends before it begins, and for a cursor that no answer has given.
        """
        ...

    @operation("GET /api/v1/usage/quarantine", scope=Scope.USAGE_READ)
    async def quarantine(self, query: QuarantineQuery) -> Quarantine:
        """Events that were put aside and not counted."""
        ...

    @operation("GET /api/v1/invoices/{month}", scope=Scope.USAGE_READ)
    async def invoice(self, month: str) -> Invoice:
        """A month's costs, ``2026-11``. Raises BadInput for what is no month."""
        ...


Check = Callable[[CreditCheck], Awaitable[CreditAnswer]]
"""`UsageBook.check`, for who needs no more of it."""

_CALLERS_WAIT_S = 0.3


async def in_time(check: Check, asked: CreditCheck) -> CreditAnswer | None:
    """The answer; None when there is none while a caller can wait, and who asks goes on.

    A refusal is never guessed: that the book cannot be asked says nothing of whether there is credit.
    """
    try:
        async with asyncio.timeout(_CALLERS_WAIT_S):
            return await check(asked)
    except (ScrizaError, TimeoutError):
        return None
