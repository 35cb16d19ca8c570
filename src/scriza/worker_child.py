"""The child's side of a worker, and the frames that pass between both sides.

``python -m scriza.worker_child package.module:function PARENT_PID``. A frame is one byte of kind, four bytes of length
(big-endian) and a msgpack body. The first frame carries the settings; ``entry(settings)`` answers with the handler,
which serves one request after the other until standard input ends.

Only light modules are imported here, for the child starts by importing them.
"""

import ctypes
import importlib
import os
import queue
import signal
import struct
import sys
import threading
import traceback
from collections.abc import Callable
from enum import IntEnum
from typing import BinaryIO

import msgspec

from scriza.kernel.errors import ScrizaError, UpstreamFailed

Emit = Callable[[msgspec.Struct], None]
"""Sends one reply. After a cancellation it sends nothing."""

Cancelled = Callable[[], bool]
"""Whether the request is no longer wanted; a handler asks between pieces of work and returns early."""

Handler = Callable[[bytes, Emit, Cancelled], None]
"""Serves one request, given as msgpack. A ScrizaError that it raises is raised in the parent as well."""

Entry = Callable[[bytes], Handler]
"""Loads what the handler needs; given the settings as msgpack, empty when there are none."""

HEAD = struct.Struct("!BI")
LARGEST = 64 * 1024 * 1024
"""Bytes of the largest body; a longer one means that the frames are out of step."""


class Kind(IntEnum):
    """What a frame is. The first three go to the child, the others come from it."""

    SETTINGS = 1
    REQUEST = 2
    CANCEL = 3
    READY = 4
    REPLY = 5
    DONE = 6
    PROBLEM = 7


def frame(kind: Kind, body: bytes = b"") -> bytes:
    """One frame, ready to be written."""
    return HEAD.pack(kind, len(body)) + body


def main(entry: str, parent: int) -> None:
    """Serve requests until the parent closes the pipe or dies."""
    _die_with(parent)
    source, sink = _own_pipes()
    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    cancelled = threading.Event()
    threading.Thread(target=_read, args=(source, requests, cancelled), daemon=True).start()

    def send(kind: Kind, body: bytes = b"") -> None:
        sink.write(frame(kind, body))
        sink.flush()

    def emit(reply: msgspec.Struct) -> None:
        if not cancelled.is_set():
            send(Kind.REPLY, msgspec.msgpack.encode(reply))

    settings = requests.get()
    try:
        module, _, function = entry.partition(":")
        loader: Entry = getattr(importlib.import_module(module), function)
        handle = loader(settings)
    except Exception as error:  # the outermost shell: the parent is told
        send(Kind.PROBLEM, _problem(error))
        return
    send(Kind.READY)
    while True:
        request = requests.get()
        try:
            handle(request, emit, cancelled.is_set)
        except Exception as error:  # the outermost shell: the parent is told
            send(Kind.PROBLEM, _problem(error))
        else:
            send(Kind.DONE)


def _read(source: BinaryIO, requests: "queue.SimpleQueue[bytes]", cancelled: threading.Event) -> None:
    while len(head := source.read(HEAD.size)) == HEAD.size:
        kind, size = HEAD.unpack(head)
        body = source.read(size)
        if kind == Kind.CANCEL:
            cancelled.set()
        else:
            # The parent sends a request only when the one before has been answered, so the flag has no other reader.
            cancelled.clear()
            requests.put(body)
    os._exit(0)  # the parent has closed the pipe or died; a handler deep in a library cannot be asked to stop


def _own_pipes() -> tuple[BinaryIO, BinaryIO]:
    # Frames get descriptors of their own; what a library prints to standard output goes to standard error.
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return source, sink


def _die_with(parent: int) -> None:
    # A child inside a library call that keeps the interpreter to itself does not see its input end. Linux can kill it.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:
        os._exit(0)


def _problem(error: Exception) -> bytes:
    if not isinstance(error, ScrizaError):
        # The message may hold what a caller said; the place where it happened does not.
        sys.stderr.write("".join(traceback.format_tb(error.__traceback__)) + f"{type(error).__name__}\n")
        error = UpstreamFailed(f"{type(error).__name__} in a worker process")
    return msgspec.msgpack.encode(error.problem())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
