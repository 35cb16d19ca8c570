"""Cancellation that does not get lost in a library."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def cancellation_heeded() -> Iterator[None]:
    """Raise CancelledError at the end when the task was cancelled inside, and what it waited for has not told.

    Up to Python 3.11 `asyncio.wait_for` forgets a cancellation that comes while what it waits for is done already
    (cpython issue 86296), and drivers use it for every request. The task's owner would wait for it for ever. A deadline
    around this (`asyncio.timeout`) cancels in the same way and tells its own cancellation from others'.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    try:
        yield
    finally:
        if task and task.cancelling() > before:
            raise asyncio.CancelledError
