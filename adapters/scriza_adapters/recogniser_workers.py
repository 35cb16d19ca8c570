"""The worker processes of a recogniser: some for live calls, and one for recordings, which take long."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

import msgspec
from typing_extensions import TypeForm

from scriza.worker import Worker

T = TypeVar("T")


class RecogniserWorkers:
    """`places` processes for live calls and one for recordings, each made by `make`, which gets its name.

    Each is started when it is first needed.
    """

    def __init__(self, make: Callable[[str], Worker], name: str, places: int) -> None:
        self._calls = {make(f"{name} {number}"): 0 for number in range(1, places + 1)}
        """How much each has to do."""
        self._recordings = make(f"{name} for recordings")

    async def start(self) -> None:
        """Start the processes for calls. Raises Unavailable when they do not start."""
        await asyncio.gather(*(worker.start() for worker in self._calls))

    async def close(self) -> None:
        """End the processes."""
        await asyncio.gather(*(worker.close() for worker in (*self._calls, self._recordings)))

    async def call(
        self, request: msgspec.Struct, reply_type: TypeForm[T], *, deadline: float, recording: bool = False
    ) -> T:
        """Ask the process for recordings, or that for calls which has the least to do. Raises as `Worker.call`."""
        if recording:
            return await self._recordings.call(request, reply_type, deadline=deadline)
        worker = min(self._calls, key=self._calls.__getitem__)
        self._calls[worker] += 1
        try:
            return await worker.call(request, reply_type, deadline=deadline)
        finally:
            self._calls[worker] -= 1

    async def call_all(self, request: msgspec.Struct, reply_type: TypeForm[T], *, deadline: float) -> list[T]:
        """Ask every process for calls. Raises as `Worker.call`."""
        return await asyncio.gather(*(worker.call(request, reply_type, deadline=deadline) for worker in self._calls))
