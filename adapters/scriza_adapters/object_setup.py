"""What `scriza objects init` asks of a store of objects, and how it tells what came of it."""

from typing import Literal

import msgspec


class Lifetimes(msgspec.Struct, frozen=True):
    """How long objects are kept, in days; 0 keeps them for good."""

    clips: int
    recordings: int


class Step(msgspec.Struct, frozen=True):
    """One thing that was looked at or done: it is `ok`, a `note` to know of, or `bad`: Scriza cannot work so."""

    verdict: Literal["ok", "note", "bad"]
    text: str
