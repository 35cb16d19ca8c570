"""``Idempotency-Key``: what was asked under a key is done once; asked again, the first reply is given again.

After draft-ietf-httpapi-idempotency-key-header-07. Within a workspace a key belongs to one request, its operation and
all that it says; the same key with another one is KeyReused (422), and Conflict (409) while the first is under way. A
reply is kept for 24 hours, unless it is too large. A claim that nobody renews, since its process has died, runs out.
"""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Protocol

import msgspec
import structlog

from scriza.kernel.errors import BadInput, Conflict, KeyReused, ScrizaError
from scriza.kernel.ids import new_id
from scriza.kernel.operation import Operation
from scriza.wire import problems
from scriza.wire.codec import encode

HEADER = "Idempotency-Key"
REPLAYED = b"idempotency-replayed"

_log = structlog.get_logger()

_QUOTED = re.compile(r'"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])+)"(?:;.*)?')
"""A structured field's string (RFC 8941, section 3.3.3), perhaps with parameters."""
_BARE = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]+")
_LONGEST_KEY = 255
_AGAIN_AFTER_S = 1

_canonical = msgspec.json.Encoder(order="deterministic").encode


class Records(Protocol):
    """Where claims and replies are kept: what is asked here of `scriza.ports.shared_state.SharedState`."""

    async def get(self, key: str) -> bytes | None:
        """The value."""
        ...

    async def put_new(self, key: str, value: bytes, ttl: timedelta) -> bool:
        """Keep a value unless there is one."""
        ...

    async def replace(self, key: str, old: bytes, new: bytes, ttl: timedelta) -> bool:
        """Put `new` in the place of `old`."""
        ...

    async def delete(self, key: str, value: bytes | None = None) -> bool:
        """Forget the key if it holds this value."""
        ...

    def keys(self, prefix: str) -> AsyncIterator[str]:
        """The keys that begin so."""
        ...


class Reply(msgspec.Struct, frozen=True, array_like=True):
    """A whole answer, as it was sent."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class _Record(msgspec.Struct, frozen=True, array_like=True):
    fingerprint: bytes
    claim: str
    reply: Reply | None = None


_encode = msgspec.msgpack.Encoder().encode
_records = msgspec.msgpack.Decoder(_Record)


class Replays:
    """Claims keys in `records`, and finds the replies that are kept there for `ttl`.

    A claim is good for `lease` and renewed while its request is worked on. Replies of more than `most_bytes` are not
    kept: their key is free again.
    """

    def __init__(
        self,
        records: Records,
        *,
        ttl: timedelta = timedelta(hours=24),
        lease: timedelta = timedelta(seconds=30),
        most_bytes: int = 1024 * 1024,
    ) -> None:
        self._records = records
        self._ttl = ttl
        self._lease = lease
        self.most_bytes = most_bytes

    async def claim(self, workspace: str, key: str, fingerprint: bytes) -> "Claim | Reply":
        """The right to answer under the key, or the reply that was given.

        Raises KeyReused, Conflict, and what the records raise.
        """
        address = _address(workspace) + hashlib.sha256(key.encode()).hexdigest()
        mine = _encode(_Record(fingerprint, new_id("claim")))
        if await self._records.put_new(address, mine, self._lease):
            return Claim(self._records, address, mine, self._lease, self._ttl)
        held = await self._records.get(address)
        found = None if held is None else _records.decode(held)
        if found is not None and found.fingerprint != fingerprint:
            raise KeyReused(f"this {HEADER} was used for another request")
        if found is None or found.reply is None:
            raise Conflict(f"the request with this {HEADER} is still being answered", retry_after=_AGAIN_AFTER_S)
        return found.reply

    async def forget(self, workspace: str) -> int:
        """Erase what was answered in a workspace; returns how many replies that were.

        Their keys stay used: what was done under them is not done again. Raises what the records raise.
        """
        erased = 0
        async for address in self._records.keys(_address(workspace)):
            held = await self._records.get(address)
            record = None if held is None else _records.decode(held)
            if held and record and record.reply and record.reply != _ERASED:
                without = _encode(msgspec.structs.replace(record, reply=_ERASED))
                erased += await self._records.replace(address, held, without, self._ttl)
        return erased


class Claim:
    """The right to answer under a key, until it is kept, given back, or not renewed in time."""

    def __init__(self, records: Records, address: str, mine: bytes, lease: timedelta, ttl: timedelta) -> None:
        self._records = records
        self._address = address
        self._mine = mine
        self._lease = lease
        self._ttl = ttl
        self._over = False

    async def renewed(self) -> None:
        """Renew it until cancelled."""
        while True:
            await asyncio.sleep(self._lease.total_seconds() / 3)
            await self._replace(self._mine, self._lease)

    async def keep(self, reply: Reply) -> None:
        """From now on, this is the reply. One that cannot be kept is a warning in the log: it is given all the same."""
        self._over = True
        record = msgspec.structs.replace(_records.decode(self._mine), reply=reply)
        await self._replace(_encode(record), self._ttl)

    async def give_back(self) -> None:
        """Free the key, unless the reply was kept."""
        if self._over:
            return
        self._over = True
        try:
            await self._records.delete(self._address, self._mine)
        except ScrizaError as error:
            _log.warning("idempotency.not_freed", reason=error.slug)

    async def _replace(self, new: bytes, ttl: timedelta) -> None:
        try:
            held = await self._records.replace(self._address, self._mine, new, ttl)
        except ScrizaError as error:
            _log.warning("idempotency.not_kept", reason=error.slug)
        else:
            if not held:
                _log.warning("idempotency.not_kept", reason="the claim was lost")


def refusal(error: ScrizaError, request_id: str) -> Reply:
    """The answer that says why there is none."""
    problem = error.problem(request_id)
    body = encode(problem)
    headers = [(b"content-type", problems.MEDIA_TYPE.encode()), (b"content-length", b"%d" % len(body))]
    if problem.retry_after is not None:
        headers.append((b"retry-after", b"%d" % problem.retry_after))
    return Reply(problem.status, headers, body)


_ERASED = refusal(Conflict(f"what was asked under this {HEADER} was done; the reply is erased"), "")


def _address(workspace: str) -> str:
    return f"idempotency:2:{workspace}:"


def key_of(header: str) -> str:
    """The key in a header's value: a quoted string, or bare, as many clients send it. Raises BadInput."""
    value = header.strip()
    quoted = _QUOTED.fullmatch(value)
    key = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else value if _BARE.fullmatch(value) else ""
    if not 1 <= len(key) <= _LONGEST_KEY:
        raise BadInput(f"{HEADER} must be a string of 1 to {_LONGEST_KEY} printable ASCII characters, in quotes")
    return key


def fingerprint(operation: Operation, arguments: list[object]) -> bytes:
    """What is asked, whatever its spelling: the operation and its decoded arguments."""
    return hashlib.sha256(_canonical([operation.verb, operation.path, *arguments])).digest()
