"""Credit as a value: what is burnt first, what is debt, what is held, and three sums that always hold."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from scriza.modules.usage.account import (
    Account,
    Entry,
    Grant,
    Hold,
    crossings,
    debited,
    expired,
    granted,
    hold_id_of,
    released,
    replaced,
)

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


def grant(name: str, amount: int, *, priority: int = 10, days: int | None = None, age: int = 0) -> Grant:
    expires_at = None if days is None else NOON + timedelta(days=days)
    return Grant(name, amount, amount, NOON - timedelta(hours=age), priority, expires_at)


def spent(amount: int, key: str = "x", call_id: str = "") -> Entry:
    return Entry(key=key, kind="usage", amount=-amount, at=NOON, call_id=call_id)


def holding(account: Account, call_id: str, hold: Hold) -> Account:
    return replaced(account, holds={**account.holds, hold_id_of(call_id): hold})


def having(*grants: Grant, **fields: object) -> Account:
    account = Account(workspace="default", **fields)
    for given_ in grants:
        account, _ = granted(account, given_)
    return account


def left(account: Account) -> dict[str, int]:
    return {given_.grant_id: given_.left for given_ in account.grants}


def test_grants_are_burnt_by_priority_then_expiry_then_age() -> None:
    account = having(
        grant("last", 10, priority=20, days=1),
        grant("forever", 10),
        grant("soon", 10, days=1),
        grant("later", 10, days=9),
        grant("older", 10, days=9, age=5),
        grant("first", 10, priority=1),
    )
    burnt = []
    while account.grants:
        burnt.append(account.grants[0].grant_id)
        account = debited(account, [spent(10)])
    assert burnt == ["first", "soon", "older", "later", "forever", "last"]


def test_what_no_grant_covers_is_debt_and_the_next_grant_pays_it_first() -> None:
    account = debited(having(grant("a", 10)), [spent(25)])
    assert (account.balance, account.debt, account.grants) == (-15, 15, [])
    account, entries = granted(account, grant("b", 20))
    assert (account.balance, account.debt, left(account)) == (5, 0, {"b": 5})
    assert [entry.amount for entry in entries] == [20]


def test_credit_that_expires_takes_with_it_only_what_was_not_burnt() -> None:
    account = debited(having(grant("a", 10, days=1), grant("b", 10)), [spent(4)])
    account, entries = expired(account, NOON + timedelta(days=1))
    assert [(entry.key, entry.amount) for entry in entries] == [("expiry:a", -6)]
    assert account.balance == 10
    assert expired(account, NOON + timedelta(days=2)) == (account, [])


def test_until_the_first_grant_nothing_is_refused() -> None:
    assert Account(workspace="default").spendable > 10**12
    assert having(grant("a", 10)).spendable == 10
    assert having(grant("a", 10), overdraft=1).spendable == 11


def test_what_is_held_for_one_call_is_its_own_and_not_there_for_another() -> None:
    account = holding(having(grant("a", 10)), "CA1", Hold(8, 300, NOON))
    assert (account.balance, account.available, account.spendable) == (10, 2, 2)
    assert (account.held_for("CA1"), account.held_for("CA2")) == (8, 0)
    assert released(account, "CA1").available == 10
    assert account.due_at == NOON + timedelta(minutes=15)
    assert expired(account, account.due_at)[0].available == 10


def test_what_a_call_uses_is_taken_out_of_its_hold_and_counts_once() -> None:
    account = holding(having(grant("a", 20)), "CA1", Hold(8, 300, NOON))
    account = debited(account, [spent(5, call_id="CA1"), spent(1, call_id="CA2")])
    assert (account.balance, account.held, account.available) == (14, 3, 11)
    account = debited(account, [spent(5, call_id="CA1")])
    assert (account.balance, account.held, account.available) == (9, 0, 9)


def test_what_a_call_is_paid_back_never_sets_more_aside_than_was_asked_for() -> None:
    account = holding(having(grant("a", 20)), "CA1", Hold(8, 300, NOON, used=1))
    back = Entry(key="c", kind="correction", amount=3, at=NOON, call_id="CA1")
    account = debited(account, [back])
    assert (account.balance, account.held, account.available) == (23, 8, 15)


def test_a_hold_grows_by_what_is_wished_for_in_all_and_never_shrinks() -> None:
    hold = Hold(8, 300, NOON, used=3)
    grown = hold.grown(Hold(12, 600, NOON + timedelta(minutes=4)))
    assert grown == Hold(12, 600, NOON, used=3)
    assert (grown.left, grown.lapses_at) == (9, NOON + timedelta(minutes=20))
    assert grown.grown(hold) == grown


def test_a_threshold_is_told_once_until_there_is_credit_above_it_again() -> None:
    account = having(grant("a", 100), thresholds=[50, 20])
    account, below = crossings(debited(account, [spent(60)]))
    assert below == [50]
    account, below = crossings(debited(account, [spent(5)]))
    assert below == []
    account, below = crossings(debited(account, [spent(20)]))
    assert below == [20]
    account, _ = granted(account, grant("b", 40))
    assert account.crossed == []
    assert crossings(debited(account, [spent(10)]))[1] == [50]


@given(st.lists(st.integers(0, 1000), max_size=20), st.lists(st.integers(1, 1000), max_size=8))
def test_the_order_of_what_was_used_does_not_matter(amounts: list[int], grants: list[int]) -> None:
    account = having(*(grant(f"g{number}", amount, age=number) for number, amount in enumerate(grants)))
    one_by_one = account
    for amount in reversed(amounts):
        one_by_one = debited(one_by_one, [spent(amount)])
    assert debited(account, [spent(amount) for amount in amounts]) == one_by_one


class Ledgers(RuleBasedStateMachine):
    """Whatever is done in whatever order, the ledger, the grants and the holds agree."""

    def __init__(self) -> None:
        super().__init__()
        self.account = Account(workspace="default", thresholds=[500, 100])
        self.ledger: list[Entry] = []
        self.now = NOON
        self.count = 0

    @rule(amount=st.integers(1, 1000), priority=st.integers(0, 3), days=st.none() | st.integers(1, 5))
    def give(self, amount: int, priority: int, days: int | None) -> None:
        self.count += 1
        expires_at = None if days is None else self.now + timedelta(days=days)
        given_ = Grant(f"g{self.count}", amount, amount, self.now, priority, expires_at)
        self.account, entries = granted(self.account, given_)
        self.ledger += entries

    @rule(amounts=st.lists(st.integers(0, 400), min_size=1, max_size=4))
    def use(self, amounts: list[int]) -> None:
        entries = [spent(amount, f"{len(self.ledger)}/{number}") for number, amount in enumerate(amounts)]
        self.account = debited(self.account, entries)
        self.ledger += entries

    @rule(amount=st.integers(1, 300))
    def correct(self, amount: int) -> None:
        entry = Entry(key=f"c{len(self.ledger)}", kind="correction", amount=amount, at=self.now)
        self.account = debited(self.account, [entry])
        self.ledger.append(entry)

    @rule(hours=st.integers(1, 60))
    def wait(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        self.account, entries = expired(self.account, self.now)
        self.ledger += entries

    @rule(call=st.integers(0, 5), amount=st.integers(1, 300), seconds=st.sampled_from([60, 3600]))
    def hold(self, call: int, amount: int, seconds: int) -> None:
        """Begins a call's hold, or lets it grow."""
        call_id, wish = f"CA{call}", Hold(amount, seconds, self.now)
        before = self.account.holds.get(hold_id_of(call_id))
        after = before.grown(wish) if before else wish
        if self.account.spendable >= after.left - (before.left if before else 0):
            self.account = holding(self.account, call_id, after)
            if before is None or after.left > before.left:
                assert not self.account.enforced or self.account.available >= -self.account.overdraft

    @rule(call=st.integers(0, 5), amount=st.integers(0, 400))
    def use_in_a_call(self, call: int, amount: int) -> None:
        before, entry = self.account, spent(amount, f"{len(self.ledger)}", f"CA{call}")
        self.account = debited(before, [entry])
        self.ledger.append(entry)
        own = before.held_for(f"CA{call}")
        assert before.available - self.account.available == max(0, amount - own)

    @rule(call=st.integers(0, 5))
    def settle(self, call: int) -> None:
        before = self.account
        self.account = released(before, f"CA{call}")
        assert self.account.balance == before.balance
        assert self.account.held_for(f"CA{call}") == 0

    @invariant()
    def the_balance_is_the_ledgers_sum(self) -> None:
        assert self.account.balance == sum(entry.amount for entry in self.ledger)

    @invariant()
    def what_is_available_is_the_balance_less_the_holds(self) -> None:
        assert self.account.available == self.account.balance - sum(h.left for h in self.account.holds.values())

    @invariant()
    def nothing_left_is_below_zero_and_there_is_no_debt_beside_credit(self) -> None:
        assert all(given_.left > 0 for given_ in self.account.grants)
        assert self.account.debt == 0 or not self.account.grants
        assert self.account.debt >= 0

    @invariant()
    def every_cause_is_one_line(self) -> None:
        assert len({entry.key for entry in self.ledger}) == len(self.ledger)


TestLedgers = Ledgers.TestCase
