"""The usage module's port: credit, the ledger, summaries and invoices."""

import asyncio
from datetime import datetime

import msgspec

from scriza.kernel.calendar import zone
from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.errors import BadInput, Conflict
from scriza.kernel.ids import new_id
from scriza.kernel.principal import current
from scriza.kernel.scopes import ALL
from scriza.modules.usage.account import Account, Grant, Hold, expired, hold_id_of
from scriza.modules.usage.prices import PriceTable
from scriza.modules.usage.stored import MongoUsage, Position
from scriza.modules.usage.summaries import Span, invoice, month_of, span_of, stretches, summary
from scriza.ports.credit import (
    Credit,
    CreditAnswer,
    CreditCheck,
    CreditRules,
    GrantTold,
    GrantWish,
    HoldWish,
    Invoice,
    LedgerPage,
    LedgerQuery,
    Quarantine,
    QuarantineQuery,
    RepriceAsked,
    Repricing,
    Summary,
    SummaryAsked,
)

_NO_CREDIT = "no-credit"
_TRIES = 10


class UsageService:
    """Implements `UsageBook` for the principal's workspace.

    A hold sets `minute_micro_usd` aside for each minute that it is asked for, unless an amount is told.
    """

    def __init__(
        self, book: MongoUsage, prices: PriceTable, *, minute_micro_usd: int, clock: WallClock = utc_now
    ) -> None:
        self._book = book
        self._prices = prices
        self._minute = minute_micro_usd
        self._clock = clock

    async def check(self, asked: CreditCheck) -> CreditAnswer:
        """See UsageBook."""
        workspace = current().principal.workspace
        if asked.hold is not None:
            return await self._hold(workspace, asked.hold, asked.amount)
        position = await self._position(workspace, hold_id_of(asked.call_id))
        own = position.held.left if position.held else 0
        # Without an amount, the question is whether there is anything left.
        return _answer(position.spendable + own >= (asked.amount or 1), position.available + own)

    async def grant(self, asked: GrantWish) -> Credit:
        """See UsageBook."""
        now = self._clock()
        if asked.expires_at is not None and asked.expires_at <= now:
            raise BadInput("expires_at: credit that is over already is none")
        workspace = _workspace_of(asked.workspace)
        grant = Grant(
            grant_id=asked.grant_id or new_id("grant"),
            amount=asked.amount,
            left=asked.amount,
            granted_at=now,
            priority=asked.priority,
            expires_at=asked.expires_at,
        )
        await self._book.grant(workspace, grant)
        return told(await self._present(workspace))

    async def credit(self) -> Credit:
        """See UsageBook."""
        return told(await self._present(current().principal.workspace))

    async def set_rules(self, asked: CreditRules) -> CreditRules:
        """See UsageBook."""
        zone(asked.time_zone)
        rules = msgspec.structs.replace(asked, thresholds=sorted(set(asked.thresholds)))
        await self._book.settle_rules(current().principal.workspace, rules)
        return rules

    async def rules(self) -> CreditRules:
        """See UsageBook."""
        return (await self._book.standing(current().principal.workspace)).rules

    async def ledger(self, query: LedgerQuery) -> LedgerPage:
        """See UsageBook."""
        workspace = current().principal.workspace
        before = _place(query.cursor) if query.cursor else None
        found = await self._book.entries(workspace, query.limit + 1, before, query.call_id)
        shown = found[: query.limit]
        prefix = f"{workspace}/"
        lines = [msgspec.structs.replace(line, key=line.key.removeprefix(prefix)) for line in shown]
        following = _cursor(shown[-1].at, shown[-1].key) if len(found) > query.limit else ""
        return LedgerPage(lines, following)

    async def summary(self, asked: SummaryAsked) -> Summary:
        """See UsageBook."""
        workspace = current().principal.workspace
        tz = asked.tz or (await self._book.standing(workspace)).rules.time_zone
        span = span_of(asked.since, asked.until, tz, self._clock())
        return await self.summed(workspace, span, asked.group_by)

    async def summed(self, workspace: str, span: Span, group_by: str = "") -> Summary:
        """The summary of a span."""
        told = await asyncio.to_thread(stretches, span, group_by)
        sums = await self._book.sums(workspace, [piece for stretch in told for piece in stretch.pieces])
        return await asyncio.to_thread(summary, told, sums, span, group_by)

    async def recompute(self, asked: RepriceAsked) -> Repricing:
        """See UsageBook."""
        if asked.since >= asked.until:
            raise BadInput("since: the span ends before it begins")
        workspace = current().principal.workspace
        after = _place(asked.cursor) if asked.cursor else None
        found = await self._book.reprice(workspace, (asked.since, asked.until), after, asked.limit, self._prices)
        following = _cursor(*found.last) if found.last else ""
        return Repricing(found.events, found.corrected, found.micro_usd, self._prices.version, following)

    async def quarantine(self, query: QuarantineQuery) -> Quarantine:
        """See UsageBook."""
        return Quarantine(await self._book.aside(current().principal.workspace, query.limit))

    async def invoice(self, month: str) -> Invoice:
        """See UsageBook."""
        workspace = current().principal.workspace
        span = month_of(month, (await self._book.standing(workspace)).rules.time_zone)
        (stretch,) = stretches(span, "")
        sums = await self._book.sums(workspace, stretch.pieces)
        return await asyncio.to_thread(invoice, stretch, sums, span, workspace, month)

    async def _present(self, workspace: str) -> Account:
        """The account without what is over by now."""
        return expired((await self._book.standing(workspace)).account, self._clock())[0]

    async def _hold(self, workspace: str, wish: HoldWish, amount: int) -> CreditAnswer:
        """One update decides. What is read before it only tells what to ask for, and what is left after it."""
        hold_id = hold_id_of(wish.call_id)
        wanted = Hold(amount or -(-wish.seconds * self._minute // 60), wish.seconds, self._clock())
        for _ in range(_TRIES):
            position = await self._position(workspace, hold_id)
            held = position.held
            after = held.grown(wanted) if held else wanted
            more = after.left - (held.left if held else 0)
            if after == held:
                return _answer(True, position.available, hold_id)
            if position.spendable < more:
                return _answer(False, position.available, hold_id if held else "")
            if await self._book.hold(workspace, hold_id, after, before=held):
                return _answer(True, position.available - more, hold_id)
            # Somebody was faster: look again at what is left.
        raise Conflict("others keep changing the same account")

    async def _position(self, workspace: str, hold_id: str) -> Position:
        """How the workspace stands when all that is over is let go of."""
        position = await self._book.position(workspace, hold_id)
        if not position.is_due:
            return position
        await self._book.sweep(workspace)
        return await self._book.position(workspace, hold_id)


def told(account: Account) -> Credit:
    """An account as people see it."""
    return Credit(
        balance=account.balance,
        held=account.held,
        available=account.available,
        enforced=account.enforced,
        overdraft=account.overdraft,
        thresholds=account.thresholds,
        grants=[
            GrantTold(grant.grant_id, grant.amount, grant.left, grant.granted_at, grant.priority, grant.expires_at)
            for grant in account.grants
        ],
    )


def _answer(allowed: bool, remaining: int, hold_id: str = "") -> CreditAnswer:
    return CreditAnswer(allowed, remaining, hold_id, "" if allowed else _NO_CREDIT)


def _workspace_of(wanted: str) -> str:
    """Another workspace than one's own only for who may do everything."""
    asking = current().principal
    return wanted if wanted and ALL in asking.scopes else asking.workspace


def _cursor(at: datetime, key: str) -> str:
    return f"{at.isoformat()}~{key}"


def _place(cursor: str) -> tuple[datetime, str]:
    at, _, key = cursor.partition("~")
    try:
        return datetime.fromisoformat(at), key
    except ValueError:
        raise BadInput("cursor: take the `next` of the page before") from None
