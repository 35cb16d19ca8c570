"""Identifiers: random ones for new things, deterministic ones for things that may be told twice."""

import hashlib
import secrets

DEFAULT_WORKSPACE = "default"


def new_id(prefix: str) -> str:
    """A random id such as ``req_9f1c…``: the prefix says what it names, 96 random bits follow."""
    return f"{prefix}_{secrets.token_hex(12)}"


def derived_id(prefix: str, *parts: str) -> str:
    """The same id for the same parts, whoever computes it and however often."""
    digest = hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
    return f"{prefix}_{digest[:32]}"
