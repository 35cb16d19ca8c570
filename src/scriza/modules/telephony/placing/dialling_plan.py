"""What a phone number tells of itself, by the plans of the world's numbering: the one file that knows `phonenumbers`.

https://github.com/google/libphonenumber. What is needed of the plans is read when a number first needs it, which takes
tens of milliseconds: who serves calls asks by `looked_up`, and lets `read_plans` go before.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from typing import Literal

import msgspec

from scriza.kernel.errors import BadInput


class Destination(msgspec.Struct, frozen=True):
    """A number that can be dialled.

    `country` is ISO 3166-1 alpha-2, or ``001`` for numbers of no country; `zones` are the IANA time zones in which its
    owner may be, none when that is not known.
    """

    number: str
    country: str
    zones: tuple[str, ...]
    kind: Literal["ordinary", "premium"] = "ordinary"


def read_plans(countries: Iterable[str], sender: str = "") -> None:
    """Read what the numbers of all countries need, and of these, and of the one in which `sender` (E.164) is."""
    from phonenumbers import PhoneNumberFormat, example_number, format_number

    examples = [example_number(country) for country in ("US", *countries)]
    for number in (*(format_number(number, PhoneNumberFormat.E164) for number in examples if number), sender):
        with suppress(BadInput):
            destination(number)


async def looked_up(number: str) -> Destination:
    """See `destination`; nothing waits for it but the caller."""
    return await asyncio.to_thread(destination, number)


async def zone_of(number: str) -> str:
    """The IANA time zone of a number, the first of those that its owner may be in; empty when it is not known."""
    with suppress(BadInput):
        return next(iter((await looked_up(number)).zones), "")
    return ""


@lru_cache(maxsize=4096)
def destination(number: str) -> Destination:
    """What is known of an E.164 number. Raises BadInput for what is none, or is given to nobody in its country."""
    from phonenumbers import (
        NumberParseException,
        PhoneNumberFormat,
        PhoneNumberType,
        format_number,
        is_valid_number,
        number_type,
        parse,
        region_code_for_number,
    )
    from phonenumbers.timezone import UNKNOWN_TIMEZONE, time_zones_for_number

    try:
        parsed = parse(number)
    except NumberParseException:
        parsed = None
    if parsed is None or not is_valid_number(parsed) or format_number(parsed, PhoneNumberFormat.E164) != number:
        raise BadInput("a phone number is written in E.164, such as +14155550123, and exists", reason="not-e164")
    costly = {PhoneNumberType.PREMIUM_RATE, PhoneNumberType.SHARED_COST, PhoneNumberType.PERSONAL_NUMBER}
    return Destination(
        number=number,
        country=region_code_for_number(parsed) or "001",
        zones=tuple(zone for zone in time_zones_for_number(parsed) if zone != UNKNOWN_TIMEZONE),
        kind="premium" if number_type(parsed) in costly else "ordinary",
    )
