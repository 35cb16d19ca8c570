"""Deadlines, and watching while working, on a clock that jumps."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from scriza.kernel.errors import DeadlineExceeded
from scriza.wire.together import Turns, alongside, close, deadline
from tests.virtual_time import run_virtual


class Left(Exception):
    pass


async def leave_after(seconds: float) -> None:
    await asyncio.sleep(seconds)
    raise Left


def test_what_is_in_time_passes() -> None:
    async def work() -> str:
        async with deadline(10, "work"):
            await asyncio.sleep(9.9)
        return "done"

    assert run_virtual(work()) == "done"


def test_what_is_late_is_ended() -> None:
    async def work() -> None:
        async with deadline(10, "work"):
            await asyncio.sleep(10.1)

    with pytest.raises(DeadlineExceeded, match="work took longer than 10 s"):
        run_virtual(work())


def test_a_timeout_of_the_work_itself_stays_what_it_is() -> None:
    async def work() -> None:
        async with deadline(10, "work"), asyncio.timeout(1):
            await asyncio.sleep(5)

    with pytest.raises(TimeoutError):
        run_virtual(work())


def test_a_watch_ends_with_the_work() -> None:
    ended = []

    async def watch() -> None:
        try:
            await asyncio.sleep(100)
        finally:
            ended.append(asyncio.get_running_loop().time())

    async def work() -> None:
        async with alongside(watch(), watch()):
            await asyncio.sleep(1)

    run_virtual(work())
    assert ended == [1, 1]


def test_the_first_watch_that_raises_ends_the_work() -> None:
    cleaned = []

    async def work() -> None:
        async with alongside(leave_after(1), leave_after(2)):
            try:
                await asyncio.sleep(100)
            finally:
                await asyncio.sleep(5)
                cleaned.append(asyncio.get_running_loop().time())

    with pytest.raises(Left):
        run_virtual(work())
    assert cleaned == [6]


def test_an_error_of_the_work_comes_out_as_it_is() -> None:
    error = LookupError("nothing there")

    async def work() -> None:
        async with alongside(leave_after(2)):
            await asyncio.sleep(1)
            raise error

    with pytest.raises(LookupError) as raised:
        run_virtual(work())
    assert raised.value is error


def test_a_cancelled_work_stays_cancelled_and_its_watches_end() -> None:
    async def work() -> None:
        async with alongside(leave_after(100)):
            await asyncio.sleep(50)

    async def cancel() -> float:
        task = asyncio.create_task(work())
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return asyncio.get_running_loop().time()

    assert run_virtual(cancel()) == 1


def test_closing_awaits_a_generators_end_and_leaves_other_iterators_alone() -> None:
    ended = []

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            await asyncio.sleep(1)
            ended.append(True)

    async def work() -> None:
        items = numbers()
        await anext(items)
        await close(items)
        await close(iter([1]))

    run_virtual(work())
    assert ended == [True]


def test_who_never_waits_lets_others_run_now_and_then() -> None:
    order = []

    async def busy() -> None:
        turns = Turns(every=3)
        for number in range(7):
            order.append(str(number))
            await turns.take()

    async def other() -> None:
        order.append("other")

    async def work() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(busy())
            group.create_task(other())

    run_virtual(work())
    assert order.index("other") == 3
