"""``scriza credit``: amounts as people write them, to the micro-dollar, and what it shows."""

from argparse import Namespace
from datetime import UTC, datetime

import pytest

from scriza.cli import parser
from scriza.cli.credit import ledger, micro_usd, standing, wish_of
from scriza.kernel.errors import BadInput
from scriza.ports.credit import Credit, GrantTold, LedgerLine, LedgerPage, dollars

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "exact"),
    [("25", 25_000_000), ("$25.50", 25_500_000), ("0.000001", 1), ("0.1", 100_000), ("999999999", 999_999_999_000_000)],
)
def test_an_amount_is_read_exactly(written: str, exact: int) -> None:
    assert micro_usd(written) == exact


@pytest.mark.parametrize("written", ["", "0", "0.0", "-5", "1e3", "25,50", "0.0000001", "1234567890", "25 USD", "NaN"])
def test_what_is_no_amount_is_refused_with_an_example(written: str) -> None:
    with pytest.raises(BadInput, match="such as 25"):
        micro_usd(written)


@pytest.mark.parametrize(
    ("amount", "shown"),
    [(0, "$0.00"), (1, "$0.000001"), (25_500_000, "$25.50"), (-1_250_000, "-$1.25"), (-350, "-$0.00035")],
)
def test_money_is_shown_to_its_last_digit_and_cents_at_least(amount: int, shown: str) -> None:
    assert dollars(amount) == shown


def asked(*arguments: str) -> Namespace:
    return parser().parse_args(["credit", *arguments])


def test_a_grant_is_what_the_options_say() -> None:
    told = asked("grant", "25", "--workspace", "acme", "--expires", "2027-01-31", "--priority", "1", "--note", "trial")
    wish = wish_of(told)
    assert (wish.amount, wish.workspace, wish.priority, wish.note) == (25_000_000, "acme", 1, "trial")
    assert wish.expires_at == datetime(2027, 1, 31, 23, 59, 59, tzinfo=UTC)
    with pytest.raises(BadInput, match="--expires"):
        wish_of(asked("grant", "25", "--expires", "soon"))


def test_how_a_workspace_stands_is_told_in_sentences() -> None:
    grants = [GrantTold("trial", 5_000_000, 4_000_000, NOON, 1, NOON)]
    assert list(standing(Credit(4_000_000, 200_000, 3_800_000, True, 1_000_000, [], grants))) == [
        "Balance $4.00, of which $0.20 is held for live calls.",
        "Calls go on down to -$1.00.",
        "  trial: $4.00 left of $5.00, until 2026-11-30",
    ]
    assert "until the first grant" in "".join(standing(Credit(0, 0, 0, False, 0, [], [])))


def test_the_ledger_is_told_line_by_line() -> None:
    page = LedgerPage([LedgerLine("k", "usage", -18_125, NOON, "CA1", "gpt-4o")])
    assert list(ledger(page)) == ["2026-11-30 12:00:00  usage          -$0.018125  gpt-4o CA1"]
    assert list(ledger(LedgerPage([]))) == ["There is nothing in the ledger."]
