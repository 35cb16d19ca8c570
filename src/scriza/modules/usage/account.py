"""A workspace's credit as a value: grants, holds, what is left, and what every change of it writes into the ledger.

Pure: each function takes an account and a time and returns the changed account and its entries. Money is in micro-USD,
whole numbers only. Three sums hold at all times, and are tested as properties:

- the balance is the sum of all entries of the ledger;
- the balance is what is left of the grants, less the debt;
- what is available is the balance less the holds.

Grants are burnt in the order of their priority, then of their expiry, then of their age (as OpenMeter's credit engine
does); what no grant covers is debt, which the next grant pays first. A hold sets credit aside for a live call. What the
call uses is taken out of its hold, so that it does not count twice against what others may have; the rest is let go of
when the call ends, or when the hold's time is over.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec

from scriza.kernel.ids import derived_id

GRACE = timedelta(minutes=10)
"""A hold outlives the time that it was asked for by so much: the call's end may be heard of late."""
NEVER = datetime(9999, 1, 1, tzinfo=UTC)
NO_END = 10**18

replaced = msgspec.structs.replace

EntryKind = Literal["grant", "usage", "call", "expiry", "correction"]


class Grant(msgspec.Struct, frozen=True):
    """Credit that was given; `left` of `amount` is not burnt. A lower `priority` is burnt first."""

    grant_id: str
    amount: int
    left: int
    granted_at: datetime
    priority: int = 10
    expires_at: datetime | None = None

    @property
    def burns(self) -> tuple[int, bool, float, float, str]:
        """Its place in the order of burning."""
        expiry = self.expires_at
        return (
            self.priority,
            expiry is None,
            expiry.timestamp() if expiry else 0.0,
            self.granted_at.timestamp(),
            self.grant_id,
        )


class Hold(msgspec.Struct, frozen=True, array_like=True):
    """Credit set aside for so many seconds of a call, all in all; `used` of it the call has burnt already.

    An array when it is written: an account has one for each live call, and every check writes the account.
    """

    amount: int
    seconds: int
    began_at: datetime
    used: int = 0

    @property
    def left(self) -> int:
        """Still set aside."""
        return max(0, self.amount - self.used)

    @property
    def lapses_at(self) -> datetime:
        """When nobody has settled it until then, it is over."""
        return self.began_at + timedelta(seconds=self.seconds) + GRACE

    def grown(self, wish: "Hold") -> "Hold":
        """With as much, for as long, as is wished for in all, if that is more."""
        return replaced(self, amount=max(self.amount, wish.amount), seconds=max(self.seconds, wish.seconds))


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the ledger. `key` is the same for the same cause, so that no cause counts twice."""

    key: str
    kind: EntryKind
    amount: int
    """Positive adds to the balance."""
    at: datetime
    """When it happened, not when it was heard of."""
    call_id: str = ""
    about: str = ""
    """The grant, the model, the engine: what an invoice shows."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A workspace's credit."""

    workspace: str
    grants: list[Grant] = []
    """Those with something left, in the order of burning."""
    debt: int = 0
    holds: dict[str, Hold] = {}
    """By `hold_id_of` their calls."""
    enforced: bool = False
    """Calls are refused without credit. Until the first grant nothing is."""
    overdraft: int = 0
    """So far below zero the available credit may go."""
    thresholds: list[int] = []
    """Balances below which somebody is to be told, once each until it is above again."""
    crossed: list[int] = []
    """Thresholds that have been told of."""
    revision: int = 0

    @property
    def balance(self) -> int:
        """Credit less debt."""
        return sum(grant.left for grant in self.grants) - self.debt

    @property
    def held(self) -> int:
        """Set aside for live calls."""
        return sum(hold.left for hold in self.holds.values())

    def held_for(self, call_id: str) -> int:
        """Set aside for one call."""
        hold = self.holds.get(hold_id_of(call_id))
        return hold.left if hold else 0

    @property
    def available(self) -> int:
        """What a new call may count on."""
        return self.balance - self.held

    @property
    def spendable(self) -> int:
        """Of this much a check says yes: what is available and the overdraft, or as good as no end."""
        return self.available + self.overdraft if self.enforced else NO_END

    @property
    def due_at(self) -> datetime:
        """When something of it is over: a grant, or a hold."""
        grants = [grant.expires_at for grant in self.grants if grant.expires_at is not None]
        return min([*grants, *(hold.lapses_at for hold in self.holds.values())], default=NEVER)


def hold_id_of(call_id: str) -> str:
    """A call has one hold. No dots: it is a field's name in the store."""
    return derived_id("hold", call_id)


def granted(account: Account, grant: Grant) -> tuple[Account, list[Entry]]:
    """With more credit; debt is paid from it first."""
    changed = replaced(_with(account, grant), enforced=True)
    entry = Entry(
        key=f"grant:{grant.grant_id}", kind="grant", amount=grant.amount, at=grant.granted_at, about=grant.grant_id
    )
    return _rearmed(changed), [entry]


def debited(account: Account, entries: Sequence[Entry]) -> Account:
    """With the entries' amounts, which are negative, taken from the grants, or added to the debt.

    What is held for their calls shrinks by as much. Corrections may be positive; when all together are, they are credit
    without an end.
    """
    account = _used_of_holds(account, entries)
    owed = -sum(entry.amount for entry in entries)
    if owed < 0:
        return _rearmed(_with(account, Grant(entries[0].key, -owed, -owed, entries[0].at)))
    grants: list[Grant] = []
    for grant in account.grants:
        burnt = min(grant.left, owed)
        owed -= burnt
        if grant.left - burnt:
            grants.append(replaced(grant, left=grant.left - burnt))
    return replaced(account, grants=grants, debt=account.debt + owed)


def expired(account: Account, now: datetime) -> tuple[Account, list[Entry]]:
    """Without the grants and the holds whose time is over."""
    over = [grant for grant in account.grants if grant.expires_at is not None and grant.expires_at <= now]
    entries = [
        Entry(
            key=f"expiry:{grant.grant_id}",
            kind="expiry",
            amount=-grant.left,
            at=grant.expires_at or now,
            about=grant.grant_id,
        )
        for grant in over
    ]
    holds = {hold_id: hold for hold_id, hold in account.holds.items() if hold.lapses_at > now}
    grants = [grant for grant in account.grants if grant not in over]
    if not over and len(holds) == len(account.holds):
        return account, []
    return replaced(account, grants=grants, holds=holds), entries


def released(account: Account, call_id: str) -> Account:
    """Without the call's hold: it has ended."""
    hold_id = hold_id_of(call_id)
    if hold_id not in account.holds:
        return account
    return replaced(account, holds={id_: hold for id_, hold in account.holds.items() if id_ != hold_id})


def crossings(account: Account) -> tuple[Account, list[int]]:
    """The thresholds that the balance has fallen below and nobody was told of, highest first; each is told once."""
    below = [
        threshold
        for threshold in sorted(account.thresholds, reverse=True)
        if account.balance < threshold and threshold not in account.crossed
    ]
    return (replaced(account, crossed=[*account.crossed, *below]) if below else account), below


def _used_of_holds(account: Account, entries: Sequence[Entry]) -> Account:
    holds = dict(account.holds)
    for entry in entries:
        hold_id = hold_id_of(entry.call_id) if entry.call_id else ""
        if hold_id in holds:
            hold = holds[hold_id]
            # What is paid back may have been used before there was a hold.
            holds[hold_id] = replaced(hold, used=max(0, hold.used - entry.amount))
    return replaced(account, holds=holds) if holds else account


def _rearmed(account: Account) -> Account:
    """Thresholds that the balance has reached again may be told of again."""
    return replaced(account, crossed=[threshold for threshold in account.crossed if account.balance < threshold])


def _with(account: Account, grant: Grant) -> Account:
    """With what is left of the grant when the debt has been paid from it."""
    paid = min(account.debt, grant.left)
    kept = [replaced(grant, left=grant.left - paid)] if grant.left > paid else []
    grants = sorted([*account.grants, *kept], key=lambda grant: grant.burns)
    return replaced(account, grants=grants, debt=account.debt - paid)
