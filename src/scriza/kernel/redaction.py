"""Keeping personal data out of logs: one function per kind of value, pure."""

import re

_NUMBER = re.compile(
    r"(\+|%(?:25)*2B|\btel:|\b(?:(?:forwarded)?from|to|caller|called|phone|number)=)([1-9]\d{6,14})", re.IGNORECASE
)
"""An E.164 number behind what says that it is one, since a row of digits alone may as well be a duration or an id."""


def mask_phone(number: str) -> str:
    """``+14155550123`` becomes ``+1•••••••••23``: enough to tell two callers apart, not enough to call them."""
    if len(number) < 6:
        return "•" * len(number)
    return number[:2] + "•" * (len(number) - 4) + number[-2:]


def redact(text: str) -> str:
    """The text with every E.164 number in it masked: behind a plus sign, ``%2B``, ``tel:``, or as in ``From=…``."""
    return _NUMBER.sub(lambda match: match[1] + mask_phone(f"+{match[2]}")[1:], text)
