"""What `scriza doctor` says, a line each."""

from typing import Literal

import msgspec

Verdict = Literal["ok", "note", "bad"]


class Finding(msgspec.Struct, frozen=True):
    """What was found: `ok`, a `note` to know of, or `bad`: Scriza cannot work so."""

    verdict: Verdict
    what: str
    text: str
