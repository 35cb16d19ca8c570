"""Which keys an object may have, for every store alike."""

import re

from scriza.kernel.errors import BadInput

_KEY = re.compile(r"(?!\.)[A-Za-z0-9._-]{1,200}(/(?!\.)[A-Za-z0-9._-]{1,200}){0,15}")
"""Segments that begin with no dot: neither ``..`` nor anything that a directory hides."""


def checked(key: str) -> str:
    """The key. Raises BadInput when it is not one."""
    if not _KEY.fullmatch(key):
        raise BadInput("an object's key is made of up to 16 segments of A-Z a-z 0-9 . _ -")
    return key
