"""Secrets by reference: a setting says where its secret is instead of what it is.

``env:NAME`` is another variable, ``file:/path`` a mounted file, ``vault:MOUNT/PATH#FIELD`` a field of a secret in the
KV store (version 2) of Vault. They are read once, at the start.
"""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from scriza.kernel.errors import ScrizaError

_REFERENCE = re.compile(r"(env|file|vault):(.+)", re.DOTALL)
_IN_VAULT = re.compile(r"([A-Za-z0-9_-]+)/([A-Za-z0-9_./-]+)#([A-Za-z0-9_.-]+)")

ReadVault = Callable[[str, str, str], str]
"""Tells the field of a secret by mount, path and field. Raises ScrizaError."""


class Unresolved(ValueError):
    """A reference leads nowhere. The text names the place, never what is there."""


def is_reference(value: str) -> bool:
    """Whether the value only says where the secret is."""
    return bool(_REFERENCE.fullmatch(value))


def resolved(reference: str, read_vault: ReadVault, environment: Mapping[str, str] = os.environ) -> str:
    """The secret. Raises Unresolved."""
    found = _REFERENCE.fullmatch(reference)
    assert found, "only references are resolved"
    kind, place = found[1], found[2]
    match kind:
        case "env":
            secret = environment.get(place, "")
            told = f"{place} is not set"
        case "file":
            secret, told = _read(Path(place)), f"{place} is empty"
        case _:
            where = _IN_VAULT.fullmatch(place)
            if where is None:
                raise Unresolved("write vault:MOUNT/PATH#FIELD")
            try:
                secret, told = read_vault(*where.groups()), f"{place} is empty"
            except ScrizaError as error:
                raise Unresolved(error.detail) from None
    if not secret:
        raise Unresolved(told)
    return secret


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise Unresolved(f"{path} cannot be read: {reason}") from None
