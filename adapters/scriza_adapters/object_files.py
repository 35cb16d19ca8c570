"""Files that are whole and durable: what a directory of objects is made of."""

import contextlib
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from scriza.kernel.errors import NotFound

_TEMPORARY = "~"
"""How the name of a file begins that is being written. No key has it, so what a crash leaves is never read."""
LONGEST_HEAD = 1000
"""Bytes of a first line, its end included."""
_AGE_S = 600
"""Files are told apart by so many seconds in finding which are too old."""


def read(path: Path) -> tuple[bytes, bytes]:
    """The file's first line, without its end, and what follows. Raises NotFound.

    Nothing is copied, which would hold the interpreter's lock for as long as a recording is large.
    """
    try:
        with path.open("rb", buffering=0) as file:
            head, body = file.readline(LONGEST_HEAD), file.readall()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise NotFound("there is no such object") from None
    with contextlib.suppress(OSError):
        os.utime(path)  # for `prune`; somebody who may only read is served all the same
    return head.removesuffix(b"\n"), body


class Draft:
    """A file that is being written beside the place where it will be seen."""

    def __init__(self, path: Path, root: Path) -> None:
        _make_directory(path.parent, root)
        descriptor, self._temporary = tempfile.mkstemp(dir=path.parent, prefix=_TEMPORARY)
        self._file = os.fdopen(descriptor, "wb")
        self._path = path

    def write(self, content: bytes) -> None:
        """The next bytes."""
        self._file.write(content)

    def publish(self, *, new: bool = False) -> bool:
        """Make it the file, durably; if it must be `new`, then only where there is none, which is told by False."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        if not new:
            os.replace(self._temporary, self._path)
        else:
            try:
                os.link(self._temporary, self._path)
            except FileExistsError:
                return False
            finally:
                os.unlink(self._temporary)
        _sync_directory(self._path.parent)
        return True

    def discard(self) -> None:
        """Leave nothing behind."""
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._temporary)


def write(path: Path, root: Path, head: bytes, body: bytes, *, new: bool = False) -> bool:
    """Write a whole file of a first line and what follows; `new` as in `Draft.publish`."""
    draft = Draft(path, root)
    try:
        draft.write(head)
        draft.write(body)
        return draft.publish(new=new)
    except BaseException:
        draft.discard()
        raise


def remove(directory: Path) -> int:
    """Remove all files below, half-written ones too. Returns how many were whole."""
    whole = 0
    for path, _ in _files(directory):
        _forget(path)
        whole += not _is_temporary(path)
    for folder, _, _ in os.walk(directory, topdown=False):
        with contextlib.suppress(OSError):  # somebody writes there again
            os.rmdir(folder)
    return whole


def prune(directory: Path, most_bytes: int, *, unused: float, abandoned: float) -> int:
    """Forget what was not used for longest until `most_bytes` are left. Returns how many files that were.

    What was not used since `unused`, and what has been half-written since `abandoned`, goes whatever there is room for.
    Both are seconds of Unix time.

    There are two walks, of which the first finds out how old is too old. To sort all files at once would hold the
    interpreter's lock, and with it every live call, for tenths of a second.
    """
    sizes: Counter[int] = Counter()
    forgotten = 0
    for path, status in _files(directory):
        if _is_temporary(path):
            if status.st_mtime < abandoned:
                _forget(path)
        elif status.st_mtime < unused:
            _forget(path)
            forgotten += 1
        else:
            sizes[_age(status)] += status.st_size
    excess = sizes.total() - most_bytes
    edge = 0
    for edge in sorted(sizes):
        if excess <= sizes[edge]:
            break
        excess -= sizes[edge]
    if excess <= 0:
        return forgotten
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
