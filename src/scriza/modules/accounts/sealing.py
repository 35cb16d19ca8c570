"""Secrets that have to be read again (signing keys, seeds of authenticators) are kept sealed: AES-256-GCM.

Whoever reads the store without the key, which is in the environment or in the data directory, cannot open them.
"""

import hashlib
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from scriza.kernel.errors import Unavailable

_NONCE_BYTES = 12


class Seal:
    """Seals by a key; `about` binds a sealed secret to what it belongs to, so that it opens nowhere else."""

    def __init__(self, key: str) -> None:
        self._cipher = AESGCM(hashlib.sha256(f"scriza seal\n{key}".encode()).digest())

    def seal(self, secret: bytes, about: str) -> bytes:
        """Sealed, another each time."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, secret, about.encode())

    def open(self, sealed: bytes, about: str) -> bytes:
        """Raises Unavailable when it was sealed by another key, or is not whole."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], about.encode())
        except (InvalidTag, ValueError) as error:
            raise Unavailable("SCRIZA_ACCOUNTS_KEY is not the one that the accounts were made with") from error
