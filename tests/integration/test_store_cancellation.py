"""A task that asks the store can be cancelled at any moment: its owner never waits for it in vain."""

import asyncio
from itertools import count

from scriza_adapters.mongo.store import MongoStore
from tests.standins.store_process import told

_MOMENTS = 150


async def ends(task: asyncio.Task[None], after_steps: int) -> bool:
    """Cancel the task, once, after so many steps of the loop."""
    for _ in range(after_steps):
        await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=5)
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=1)
    return bool(done)


async def test_a_task_that_asks_ever_again_ends_when_it_is_cancelled(store: MongoStore) -> None:
    async def ask() -> None:
        while True:
            await store.ping()

    for steps in range(_MOMENTS):
        assert await ends(asyncio.create_task(ask()), steps), f"a cancellation after {steps} steps was lost"


async def test_a_task_that_writes_ever_again_ends_when_it_is_cancelled(store: MongoStore) -> None:
    async def write(first: int) -> None:
        for number in count(first):
            await store.outbox.publish(told(number, "CA1"))

    for steps in range(_MOMENTS):
        writing = asyncio.create_task(write(steps * 1000))
        assert await ends(writing, steps), f"a cancellation after {steps} steps was lost"
