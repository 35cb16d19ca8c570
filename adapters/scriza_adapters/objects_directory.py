"""Objects in a directory: whole, durable, and opened by signed URLs of our own."""

import asyncio
import errno
import hashlib
import hmac
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.errors import BadInput, DeadlineExceeded, Forbidden, Unavailable
from scriza.ports.objects import StoredObject
from scriza_adapters import object_files
from scriza_adapters.object_keys import checked

T = TypeVar("T")

_THREADS = 4
_DEADLINE_S = 10.0
_PRUNE_DEADLINE_S = 300.0
_ABANDONED_S = 3600
_PIECE_BYTES = 1024 * 1024
"""What of a stream is held in memory."""


class DirectoryObjects:
    """Implements `ports.objects.Objects` under `root`. A file is the content type in its first line, then the body.

    `url` is where ``/objects/`` is served, and `key` the secret that signs its URLs: every process that shares the
    directory has the same.
    """

    def __init__(self, root: Path, *, url: str, key: str, clock: WallClock = utc_now) -> None:
        self._root = root
        self._url = url.rstrip("/")
        self._key = key.encode()
        self._clock = clock
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="objects")

    async def put(self, key: str, body: bytes, content_type: str) -> None:
        """Store durably. Raises BadInput, Unavailable when the disk is full or not writable."""
        path, head = self._path(key), _head(content_type)
        await self._run(lambda: object_files.write(path, self._root, head, body))

    async def put_new(self, key: str, body: bytes, content_type: str) -> bool:
        """Store durably unless there is an object. Raises what `put` raises."""
        path, head = self._path(key), _head(content_type)
        return await self._run(lambda: object_files.write(path, self._root, head, body, new=True))

    async def put_stream(self, key: str, parts: AsyncIterator[bytes], content_type: str) -> int:
        """Store what comes. Raises what `put` and `parts` raise."""
        path, head = self._path(key), _head(content_type)
        draft = await self._run(lambda: object_files.Draft(path, self._root))
        held, stored = bytearray(head), 0
        try:
            async for part in parts:
                held += part
                stored += len(part)
                if len(held) >= _PIECE_BYTES:
                    await self._run(partial(draft.write, bytes(held)))
                    held.clear()
            await self._run(partial(draft.write, bytes(held)))
            await self._run(draft.publish)
        except BaseException:
            await self._run(draft.discard)
            raise
        return stored

    async def get(self, key: str) -> StoredObject:
        """The object. Raises NotFound."""
        path = self._path(key)
        content_type, body = await self._run(lambda: object_files.read(path))
        return StoredObject(body, content_type.decode("ascii", "replace"))

    async def delete(self, key: str) -> None:
        """Forget the object."""
        path = self._path(key)
        await self._run(lambda: path.unlink(missing_ok=True))

    async def delete_all(self, folder: str) -> int:
        """Forget a folder."""
        path = self._path(folder)
        return await self._run(lambda: object_files.remove(path), _PRUNE_DEADLINE_S)

    async def prune(self, prefix: str, most_bytes: int, *, unused_for: timedelta = timedelta.max) -> int:
        """Keep what is under ``prefix/`` from growing without end: forget what was not written or read for longest.

        What was not for so long as `unused_for` goes even where there is room, and so do half-written files that a
        crash left an hour ago. Returns how many objects were forgotten.
        """
        directory, now = self._path(prefix), self._clock().timestamp()
        unused, abandoned = now - unused_for.total_seconds(), now - _ABANDONED_S
        return await self._run(
            lambda: object_files.prune(directory, most_bytes, unused=unused, abandoned=abandoned), _PRUNE_DEADLINE_S
        )

    async def signed_url(self, key: str, expires_in: timedelta) -> str:
        """A URL under `url` that opens this object until then, to the second."""
        expires = str(int((self._clock() + expires_in).timestamp()))
        signature = self._signature(checked(key), expires).decode()
        return f"{self._url}/objects/{key}?expires={expires}&signature={signature}"

    async def open(self, key: str, expires: str, signature: str) -> StoredObject:
        """The object that a signed URL names. Raises Forbidden when it was not signed here or has expired, NotFound."""
        signed = hmac.compare_digest(self._signature(checked(key), expires), signature.encode(errors="replace"))
        if not signed or int(expires) <= self._clock().timestamp():
            raise Forbidden("this URL was not signed here or has expired")
        return await self.get(key)

    async def close(self) -> None:
        """Let go of the threads."""
        self._threads.shutdown(wait=False)

    def _signature(self, key: str, expires: str) -> bytes:
        # A key has no line end, so no other pair of key and time gives the same text.
        signed = f"{key}\n{expires}".encode(errors="replace")
        return hmac.new(self._key, signed, hashlib.sha256).hexdigest().encode()

    def _path(self, key: str) -> Path:
        return self._root / checked(key)

    async def _run(self, work: Callable[[], T], deadline: float = _DEADLINE_S) -> T:
        try:
            async with asyncio.timeout(deadline):
                return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except TimeoutError as error:
            raise DeadlineExceeded("the objects' disk does not answer") from error
        except OSError as error:
            full = error.errno in {errno.ENOSPC, errno.EDQUOT}
            raise Unavailable("the objects' disk is full" if full else f"objects: {error.strerror}") from error


def _head(content_type: str) -> bytes:
    if not (content_type.isprintable() and content_type.isascii() and len(content_type) < object_files.LONGEST_HEAD):
        raise BadInput("a content type is printable ASCII, and short")
    return content_type.encode() + b"\n"
