"""``scriza credit``: give a running Scriza's workspace credit, show how it stands, and what it was spent on."""

import argparse
import asyncio
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal

from scriza import data_dir, logs
from scriza.cli.target import target_of
from scriza.kernel.errors import BadInput, Unavailable
from scriza.kernel.principal import Principal, acting
from scriza.kernel.scopes import ALL
from scriza.ports.credit import Credit, GrantWish, LedgerPage, LedgerQuery, UsageBook, dollars
from scriza.settings import load
from scriza.wire import connect, disconnect

_AMOUNT = re.compile(r"\$?(\d{1,9}(\.\d{1,6})?)")
_MICRO = 1_000_000


def run(told: argparse.Namespace) -> int:
    """Grant, or show. Raises what the other side raises, and Unavailable when there is none."""
    settings = load()
    logs.configure(settings.log, "error")
    secrets = data_dir.secrets_of(settings, data_dir.prepare(settings.data_dir))
    with acting(Principal(subject="scriza credit", scopes=frozenset({ALL}))):
        lines = asyncio.run(_ask(target_of(told.to, settings), secrets.service_token, told))
    print("\n".join(lines))
    return 0


async def _ask(target: str, token: str, told: argparse.Namespace) -> list[str]:
    book = connect(UsageBook, target, token=token)
    try:
        match told.act:
            case "grant":
                return [f"Granted {dollars(micro_usd(told.amount))}.", *standing(await book.grant(wish_of(told)))]
            case "ledger":
                return list(ledger(await book.ledger(LedgerQuery(limit=told.limit, call_id=told.call))))
            case _:
                return list(standing(await book.credit()))
    except Unavailable as error:
        raise Unavailable(f"{target}: {error.detail}") from error
    finally:
        await disconnect(book)


def wish_of(told: argparse.Namespace) -> GrantWish:
    """The grant that the command asks for. Raises BadInput."""
    return GrantWish(
        amount=micro_usd(told.amount),
        grant_id=told.id,
        workspace=told.workspace,
        priority=told.priority,
        expires_at=_end_of(told.expires) if told.expires else None,
        note=told.note,
    )


def micro_usd(amount: str) -> int:
    """Dollars as people write them, ``25`` or ``25.50``, in micro-USD. Raises BadInput."""
    found = _AMOUNT.fullmatch(amount)
    if not found or not (exact := int(Decimal(found[1]) * _MICRO)):
        raise BadInput("write the amount in dollars, such as 25 or 25.50")
    return exact


def standing(credit: Credit) -> Iterator[str]:
    """How a workspace stands, for people."""
    yield f"Balance {dollars(credit.balance)}, of which {dollars(credit.held)} is held for live calls."
    if not credit.enforced:
        yield "Calls are not refused for want of credit until the first grant."
    if credit.overdraft:
        yield f"Calls go on down to {dollars(-credit.overdraft)}."
    for grant in credit.grants:
        expiry = f", until {grant.expires_at:%Y-%m-%d}" if grant.expires_at else ""
        yield f"  {grant.grant_id}: {dollars(grant.left)} left of {dollars(grant.amount)}{expiry}"


def ledger(page: LedgerPage) -> Iterator[str]:
    """Entries, newest first."""
    if not page.data:
        yield "There is nothing in the ledger."
    for line in page.data:
        about = " ".join(filter(None, (line.about, line.call_id)))
        yield f"{line.at:%Y-%m-%d %H:%M:%S}  {line.kind:<10} {dollars(line.amount):>14}  {about}"


def _end_of(day: str) -> datetime:
    try:
        return datetime.combine(date.fromisoformat(day), time.max, tzinfo=UTC).replace(microsecond=0)
    except ValueError:
        raise BadInput("--expires: write a day, such as 2027-01-31") from None
