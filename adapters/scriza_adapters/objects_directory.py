"""Objects in a directory: whole, durable, and opened by signed URLs of our own."""

import asyncio
import contextlib
import errno
import hashlib
import hmac
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.errors import BadInput, DeadlineExceeded, Forbidden, NotFound, Unavailable
from scriza.ports.objects import StoredObject
from scriza_adapters.object_keys import checked

T = TypeVar("T")

_THREADS = 4
_DEADLINE_S = 10.0
_PRUNE_DEADLINE_S = 300.0
_TEMPORARY = "~"
"""How the name of a file begins that is being written. No key has it, so what a crash leaves is never read."""
_ABANDONED_S = 3600
_AGE_S = 600
"""Files are told apart by so many seconds in finding which are too old."""


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
        if not content_type.isprintable() or not content_type.isascii():
            raise BadInput("a content type is printable ASCII")
        path = self._path(key)
        await self._run(lambda: _write(path, self._root, content_type.encode() + b"\n" + body))

    async def get(self, key: str) -> StoredObject:
        """The object. Raises NotFound."""
        path = self._path(key)
        content_type, _, body = (await self._run(lambda: _read(path))).partition(b"\n")
        return StoredObject(body, content_type.decode("ascii", "replace"))

    async def delete(self, key: str) -> None:
        """Forget the object."""
        path = self._path(key)
        await self._run(lambda: path.unlink(missing_ok=True))

    async def prune(self, prefix: str, most_bytes: int) -> int:
        """Keep what is under ``prefix/`` from growing without end: forget what was not written or read for longest.

        Half-written files that a crash left an hour ago go as well. Returns how many objects were forgotten.
        """
        directory = self._path(prefix)
        before = self._clock().timestamp() - _ABANDONED_S
        return await self._run(lambda: _prune(directory, most_bytes, before), _PRUNE_DEADLINE_S)

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


def _read(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise NotFound("there is no such object") from None
    with contextlib.suppress(OSError):
        os.utime(path)  # for `prune`; somebody who may only read is served all the same
    return content


def _write(path: Path, root: Path, content: bytes) -> None:
    _make_directory(path.parent, root)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=_TEMPORARY)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    _sync_directory(path.parent)


def _prune(directory: Path, most_bytes: int, before: float) -> int:
    """Two walks, of which the first finds out how old is too old.

    To sort all files at once would hold the interpreter's lock, and with it every live call, for tenths of a second.
    """
    sizes: Counter[int] = Counter()
    for path, status in _files(directory):
        if not _is_temporary(path):
            sizes[_age(status)] += status.st_size
        elif status.st_mtime < before:
            _forget(path)
    excess = sizes.total() - most_bytes
    edge = 0
    for edge in sorted(sizes):
        if excess <= sizes[edge]:
            break
        excess -= sizes[edge]
    if excess <= 0:
        return 0
    forgotten = 0
    at_the_edge: list[tuple[float, int, str]] = []
    for path, status in _files(directory):
        if _is_temporary(path) or _age(status) > edge:
            continue
        if _age(status) == edge:
            at_the_edge.append((status.st_mtime, status.st_size, path))
        else:
            _forget(path)
            forgotten += 1
    for _, size, path in sorted(at_the_edge):
        if excess <= 0:
            break
        _forget(path)
        excess -= size
        forgotten += 1
    return forgotten


def _files(directory: Path) -> Iterator[tuple[str, os.stat_result]]:
    for folder, _, names in os.walk(directory):
        for name in names:
            path = os.path.join(folder, name)
            with contextlib.suppress(FileNotFoundError):  # somebody else was quicker
                yield path, os.stat(path)


def _age(status: os.stat_result) -> int:
    return int(status.st_mtime // _AGE_S)


def _is_temporary(path: str) -> bool:
    return os.path.basename(path).startswith(_TEMPORARY)


def _forget(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _make_directory(directory: Path, root: Path) -> None:
    if directory.is_dir():
        return
    if directory != root:
        _make_directory(directory.parent, root)
    directory.mkdir(parents=directory == root, exist_ok=True)
    _sync_directory(directory.parent)


def _sync_directory(directory: Path) -> None:
    # The rename itself is durable only with the directory that holds the name.
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
