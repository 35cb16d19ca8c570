"""A cancellation that a library forgets is told all the same."""

import asyncio
from contextlib import suppress

import pytest

from scriza.kernel.cancellation import cancellation_heeded


async def answered_and_cancelled_at_once() -> asyncio.Task[str]:
    """A task whose request is answered in the very step of the loop in which it is cancelled."""
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def ask() -> str:
        with cancellation_heeded():
            return await asyncio.wait_for(answer, 60)

    task = asyncio.create_task(ask())
    await asyncio.sleep(0)
    answer.set_result("an answer")
    task.cancel()
    return task


async def test_a_task_is_cancelled_also_in_the_moment_of_its_answer() -> None:
    task = await answered_and_cancelled_at_once()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_deadline_that_a_library_forgets_is_still_a_deadline() -> None:
    async def ask() -> None:
        async with asyncio.timeout(0.001):
            with cancellation_heeded(), suppress(asyncio.CancelledError):
                await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await ask()


async def test_what_a_task_does_once_it_is_cancelled_is_left_alone() -> None:
    done = []

    async def clean_up() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            with cancellation_heeded():
                await asyncio.sleep(0)
                done.append("the last words")

    task = asyncio.create_task(clean_up())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == ["the last words"]


async def test_errors_come_out_as_they_are() -> None:
    with pytest.raises(ValueError, match="of its own"), cancellation_heeded():
        raise ValueError("of its own")
