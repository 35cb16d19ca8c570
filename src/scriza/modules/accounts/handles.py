"""Credentials that are opaque to who holds them: an id to find them by, and a secret of which only a digest is kept.

The secret has 256 random bits, so that a plain SHA-256 of it is as hard to turn back as it is (unlike a password's).
"""

import hashlib
import hmac
import re
import secrets

import msgspec

_FORM = re.compile(r"(scz_[a-z]+)_([A-Za-z0-9-]{1,64})_([A-Za-z0-9-]{20,128})")


class Handle(msgspec.Struct, frozen=True):
    """What a credential says: its kind (``scz_refresh``), the id it is found by, and its secret."""

    kind: str
    id: str
    secret: str

    def __str__(self) -> str:
        return f"{self.kind}_{self.id}_{self.secret}"

    def __repr__(self) -> str:
        return f"Handle({self.kind}, …)"

    @property
    def digest(self) -> str:
        """What is kept of the secret."""
        return hashlib.sha256(self.secret.encode()).hexdigest()


def new_handle(kind: str, id_: str = "") -> Handle:
    """A credential; a new id is made unless it belongs to something that has one."""
    return Handle(f"scz_{kind}", id_ or secrets.token_hex(12), secrets.token_hex(32))


def read_handle(kind: str, text: str) -> Handle | None:
    """What the text says, if it is a credential of this kind."""
    found = _FORM.fullmatch(text)
    return Handle(*found.groups()) if found and found[1] == f"scz_{kind}" else None


def same(digest: str, other: str) -> bool:
    """Compares two digests without telling by time where they differ."""
    return hmac.compare_digest(digest.encode(), other.encode())
