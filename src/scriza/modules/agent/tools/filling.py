"""Keeps the line from falling silent while a tool runs.

A filler is spoken when the caller has heard nothing of this answer and the next words are not there within 400 ms of
the tool's beginning; on a phone, a pause gets noticed from about half a second on, and this one comes on top of the
model's. What counts is the next words, not the tool's end: a tool that answers at once is followed by a model that has
yet to speak. Where the model has announced what it does, or a filler was spoken, the next one is due after five
seconds.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from itertools import cycle
from typing import TypeVar

import msgspec

FIRST_AFTER_S = 0.4
NEXT_AFTER_S = 5.0


class Working(msgspec.Struct, frozen=True):
    """A tool has begun to run. `fillers` are lines for the time until the next words, best first."""

    fillers: tuple[str, ...]


class Filler(msgspec.Struct, frozen=True):
    """A line to be spoken meanwhile."""

    text: str


P = TypeVar("P")


async def filled(parts: AsyncGenerator[P | Working, None]) -> AsyncGenerator[P | Filler, None]:
    """The parts in their order, with fillers where they are late.

    The parts are made in a task of their own, one ahead at most; leaving this closes them, and what they raise is
    raised here.
    """
    queue: asyncio.Queue[P | Working | _End] = asyncio.Queue(maxsize=1)
    making = asyncio.create_task(_pump(parts, queue))
    loop = asyncio.get_running_loop()
    lines: Iterator[str] = iter(())
    silent = True
    due: float | None = None
    try:
        while True:
            limit = asyncio.timeout_at(due)
            try:
                async with limit:
                    part = await queue.get()
            except TimeoutError:
                if not limit.expired():
                    raise
                filler = next(lines, None)
                due = None
                if filler is not None:
                    yield Filler(filler)
                    silent, due = False, loop.time() + NEXT_AFTER_S
                continue
            match part:
                case _End():
                    break
                case Working():
                    lines = cycle(part.fillers)
                    if due is None:  # else the caller waits since an earlier one
                        due = loop.time() + (FIRST_AFTER_S if silent else NEXT_AFTER_S)
                case _:
                    silent, due = False, None
                    yield part
        await making
    finally:
        making.cancel()
        await asyncio.wait([making])


class _End:
    """Nothing follows."""


async def _pump(parts: AsyncGenerator[P | Working, None], queue: "asyncio.Queue[P | Working | _End]") -> None:
    async with aclosing(parts):
        try:
            async for part in parts:
                await queue.put(part)
        finally:
            # Also what the parts raise is waited for behind those that were made before.
            if not (task := asyncio.current_task()) or not task.cancelling():
                await queue.put(_End())
