"""Names for people that tell them apart without telling who they are."""

import hashlib
import hmac
from collections.abc import Callable

NameOf = Callable[[str, str], str]
"""Gives the pseudonym of a number in a workspace: workspace first."""


def pseudonym(key: str, workspace: str, number: str) -> str:
    """The same ``who_…`` for the same E.164 number in one workspace; without `key` nobody gets back to the number."""
    digest = hmac.new(key.encode(), f"{workspace}\x1f{number}".encode(), hashlib.sha256).hexdigest()
    return f"who_{digest[:32]}"
