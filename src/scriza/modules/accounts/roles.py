"""Which scopes a role has, and who may give it."""

from scriza.kernel.scopes import Scope
from scriza.ports.accounts import Role

_READING = frozenset({Scope.CALLS_READ, Scope.PLAYBOOKS_READ, Scope.MEMORY_READ, Scope.REPORTS_READ})
_LEADING = _READING | {
    *(Scope.CALLS_PLACE, Scope.CALLS_STOP, Scope.PLAYBOOKS_WRITE, Scope.PLAYBOOKS_PUBLISH, Scope.CONVERSATIONS),
    *(Scope.MEMORY_WRITE, Scope.USAGE_READ, Scope.USERS_READ),
}
_ALL = frozenset(Scope)

SCOPES: dict[Role, frozenset[Scope]] = {
    "viewer": _READING | {Scope.SELF},
    "manager": _LEADING | {Scope.SELF},
    "admin": _ALL,
    "owner": _ALL,
    "service": frozenset({Scope.ENGINES, Scope.CREDIT_CHECK, Scope.CALLS_READ, Scope.CALLS_PLACE}),
}
_RANKS: dict[Role, int] = {"service": 0, "viewer": 0, "manager": 1, "admin": 2, "owner": 3}


def scopes_of(role: Role) -> frozenset[str]:
    """As a principal holds them."""
    return frozenset(scope.value for scope in SCOPES[role])


def may_give(giver: Role, role: Role) -> bool:
    """Nobody makes, or changes, anybody above themselves."""
    return _RANKS[giver] >= _RANKS[role]
