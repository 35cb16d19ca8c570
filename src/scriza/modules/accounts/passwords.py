"""Passwords: which ones will do, and how they are kept (argon2id, RFC 9106).

After OWASP ASVS 5.0, V6.2: at least 8 characters, none of the common ones, no rules about their composition.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from scriza.kernel.errors import BadInput, Unavailable

SHORTEST, LONGEST = 8, 256
_THREADS, _MOST_WAITING = 2, 32

T = TypeVar("T")


def check_password(password: str, *known: str) -> None:
    """Raises BadInput, with what to do, for a password that will not do; `known` are one's own name and address."""
    if len(password) < SHORTEST:
        raise BadInput(f"a password has at least {SHORTEST} characters", reason="password-too-short")
    if len(password) > LONGEST:
        raise BadInput(f"a password has at most {LONGEST} characters", reason="password-too-long")
    plain = password.casefold()
    if plain in _common():
        raise BadInput("this password is one of the first that are tried: choose another", reason="password-common")
    if plain in {part.casefold() for text in known for part in (text, text.partition("@")[0])}:
        raise BadInput("a password is not one's own name or address", reason="password-known")


def _fitting_nothing(hasher: PasswordHasher) -> str:
    """The form of a hash of the same cost: who has no account waits as long as who has one."""
    salt, digest = "c2FsdHNhbHRzYWx0c2FsdA", "bm8gcGFzc3dvcmQgaGFzIHRoaXMgdmVyeSBkaWdlc3Q"
    costs = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2id$v=19${costs}${salt}${digest}"


@cache
def _common() -> frozenset[str]:
    return frozenset(word for word in FREQUENCY_LISTS["passwords"] if len(word) >= SHORTEST)


class Passwords:
    """Hashes and verifies off the event loop, two at a time: each takes some 60 MB and a good part of a second.

    Raises Unavailable when too many wait, so that a flood of log-ins fills neither memory nor time.
    """

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher(type=Type.ID)
        self._nobodys = _fitting_nothing(self._hasher)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="passwords")
        self._waiting = 0

    async def hash(self, password: str) -> str:
        """What is kept of a password."""
        return await self._aside(lambda: self._hasher.hash(password))

    async def fits(self, kept: str, password: str) -> bool:
        """Whether it is the password; with nothing kept it never is, after as long a time."""
        return await self._aside(lambda: self._verify(kept or self._nobodys, password))

    def ages(self, kept: str) -> bool:
        """Whether a password was kept at another cost than is usual, and is to be hashed anew."""
        return self._hasher.check_needs_rehash(kept)

    def close(self) -> None:
        """Let go of the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _verify(self, kept: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _aside(self, work: Callable[[], T]) -> T:
        if self._waiting >= _MOST_WAITING:
            raise Unavailable("too many log-ins at the same time", retry_after=1)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1
