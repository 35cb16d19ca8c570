"""Places before an engine: first come, first served; partials only where nobody else waits."""

import asyncio

import pytest

from scriza.kernel.errors import Unavailable
from scriza.modules.asr.places import Places


async def test_as_many_as_there_are_places_are_let_in_and_the_others_follow_in_order() -> None:
    places, inside, order = Places(2), set[int](), list[int]()
    leave = asyncio.Event()

    async def take(number: int) -> None:
        async with places.one():
            inside.add(number)
            order.append(number)
            await leave.wait()
            inside.remove(number)

    async with asyncio.TaskGroup() as tasks:
        for number in range(6):
            tasks.create_task(take(number))
        await asyncio.sleep(0)
        assert inside == {0, 1}
        leave.set()
    assert order == [0, 1, 2, 3, 4, 5]


async def test_too_many_who_wait_are_turned_away_and_may_come_back() -> None:
    places = Places(1, waiting=1)
    async with places.one():
        waiting = asyncio.create_task(_take(places))
        await asyncio.sleep(0)
        with pytest.raises(Unavailable) as refusal:
            await _take(places)
        assert refusal.value.retry_after == 1
    await waiting
    await _take(places)


async def test_who_gives_up_waiting_takes_no_place() -> None:
    places = Places(1, waiting=1)
    async with places.one():
        waiting = asyncio.create_task(_take(places))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        assert not places.spare
    assert places.spare
    await _take(places)


async def test_one_of_several_places_is_kept_free_of_partials() -> None:
    places = Places(2)
    assert places.spare
    async with places.one():
        assert not places.spare
    assert places.spare


async def _take(places: Places) -> None:
    async with places.one():
        pass
