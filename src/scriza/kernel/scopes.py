"""What a credential may open: each operation of a port names one scope, and a principal holds some."""

from enum import StrEnum


class Scope(StrEnum):
    """One kind of act. Who may read does not thereby change."""

    CALLS_READ = "calls:read"
    CALLS_PLACE = "calls:place"
    CALLS_STOP = "calls:stop"
    NUMBERS_WRITE = "numbers:write"
    """Phone numbers, where they lead, and the do-not-call list."""
    PLAYBOOKS_READ = "playbooks:read"
    PLAYBOOKS_WRITE = "playbooks:write"
    PLAYBOOKS_PUBLISH = "playbooks:publish"
    CONVERSATIONS = "conversations"
    MEMORY_READ = "memory:read"
    MEMORY_WRITE = "memory:write"
    MEMORY_FORGET = "memory:forget"
    REPORTS_READ = "reports:read"
    USAGE_READ = "usage:read"
    WEBHOOKS_WRITE = "webhooks:write"
    """Where events are told, and what became of that."""
    CREDIT_CHECK = "credit:check"
    CREDIT_GRANT = "credit:grant"
    USERS_READ = "users:read"
    USERS_WRITE = "users:write"
    KEYS_WRITE = "keys:write"
    AUDIT_READ = "audit:read"
    ENGINES = "engines"
    """The engines themselves: ``/v1/turn``, ``/v1/speak``, ``/v1/transcribe`` and their streams."""
    SELF = "self"
    """One's own account; every person holds it, and no key does."""


ALL = "*"
"""Held by other processes of ours; opens everything, also what names no scope."""


def opens(held: frozenset[str], needed: str) -> bool:
    """Whether who holds these scopes may do what needs `needed`; an empty one is for our own processes only."""
    return ALL in held or (bool(needed) and needed in held)
