"""Amounts of money in minor units, by ISO 4217."""

import re
from decimal import Decimal, InvalidOperation

from scriza.kernel.currencies import minor_digits

_SIGNS = {
    "€": "EUR",
    "£": "GBP",
    "₹": "INR",
    "US$": "USD",
    "A$": "AUD",
    "C$": "CAD",
    "S$": "SGD",
    "₪": "ILS",
    "₩": "KRW",
}
_DOLLARS = {"US": "USD", "CA": "CAD", "AU": "AUD", "NZ": "NZD", "SG": "SGD", "HK": "HKD"}
"""What a dollar sign alone means, by the region of the playbook's locale."""
_WRITTEN = re.compile(r"\s*(?P<before>[^\d\s.,-]*)\s*(?P<number>\d[\d.,' \u00a0\u202f]*)\s*(?P<after>[^\d\s.,-]*)\s*")
_GROUPED = re.compile(r"\d{1,3}(,\d{2,3})*(\.\d+)?")
"""Commas between thousands, or as India writes them; a point before the fraction."""
MOST = 10**12
"""Minor units that a price may have."""


class NoAmount(ValueError):
    """It cannot be told what an amount means; the message says why."""


def minor_units(amount: object, currency: str, region: str) -> tuple[int, str]:
    """An amount as it is written, ``19``, ``"19.00"`` or ``"$1,299"``, in minor units, with its currency.

    `currency` is the one that stands beside it, or empty. Raises NoAmount for what has two meanings or none.
    """
    match amount:
        case bool():
            raise NoAmount("an amount is a number")
        case int() | float():
            number, own = repr(amount), ""
        case str():
            number, own = _taken_apart(amount, region)
        case _:
            raise NoAmount("an amount is a number")
    if own and currency and own != currency:
        raise NoAmount(f"the amount is in {own}, and the currency beside it is {currency}")
    chosen = own or currency
    if not chosen:
        raise NoAmount("the amount has no currency")
    try:
        minor = Decimal(number).scaleb(minor_digits(chosen))
    except InvalidOperation:
        raise NoAmount("an amount is a number") from None
    if not minor.is_finite() or minor < 0 or minor > MOST:
        raise NoAmount("an amount is zero or more, and not astronomical")
    if minor != minor.to_integral_value():
        raise NoAmount(f"{chosen} has no fractions so small")
    return int(minor), chosen


def _taken_apart(text: str, region: str) -> tuple[str, str]:
    """The digits and the currency of a written amount."""
    found = _WRITTEN.fullmatch(text)
    if found is None or (found["before"] and found["after"]):
        raise NoAmount("an amount is a number with its currency, such as 19.00 USD")
    number = re.sub(r"['\s]", "", found["number"]).strip("\u00a0\u202f")
    if not _GROUPED.fullmatch(number) and not re.fullmatch(r"\d+(\.\d+)?", number):
        raise NoAmount("it is not certain which of its marks is the decimal point")
    if re.fullmatch(r"\d+,\d\d", number):
        raise NoAmount("it is not certain whether its comma is the decimal point")
    return number.replace(",", ""), _currency(found["before"] or found["after"], region)


def _currency(written: str, region: str) -> str:
    if written == "$":
        return _DOLLARS.get(region, "")
    return _SIGNS.get(written) or written.upper()
