"""What is known of callers: the `Memory` port's `recall`, told by the test, which can be slow or gone."""

import asyncio

from scriza.kernel.errors import ScrizaError
from scriza.ports.memory import CallerMemory, Recall


class Recollections:
    """Recalls what the test has put in, by number."""

    def __init__(self, known: dict[str, CallerMemory] | None = None) -> None:
        self.known = known or {}
        self.asked: list[str] = []
        self.failure: ScrizaError | None = None
        self.stuck = False
        """Does not answer any more."""

    async def recall(self, asked: Recall) -> CallerMemory:
        self.asked.append(asked.number)
        if self.failure is not None:
            raise self.failure
        if self.stuck:
            await asyncio.Event().wait()
        return self.known.get(asked.number, CallerMemory())
