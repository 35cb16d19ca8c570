"""Places before an engine: the latest final first, finals before partials, partials in turn, and shed for finals."""

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriza.kernel.errors import Unavailable
from scriza.modules.asr.places import Places, Share
from tests.virtual_time import run_virtual


class Crowd:
    """Takes places and notes who was let in; everybody leaves when `leave` is set."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.inside: set[int] = set()
        self.most_inside = 0
        self.order: list[int] = []
        self.leave = asyncio.Event()

    async def final(self, number: int) -> None:
        async with self.places.one():
            await self._stay(number)

    async def partial(self, number: int, share: Share | None = None) -> int | None:
        return await self.places.left_over(share or Share(), lambda: self._stay(number))

    async def _stay(self, number: int) -> int:
        self.inside.add(number)
        self.most_inside = max(self.most_inside, len(self.inside))
        self.order.append(number)
        try:
            await self.leave.wait()
        finally:
            self.inside.remove(number)
        return number


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_as_many_as_there_are_places_are_let_in_and_the_latest_follows_first() -> None:
    crowd = Crowd(Places(2))
    async with asyncio.TaskGroup() as tasks:
        for number in range(6):
            tasks.create_task(crowd.final(number))
        await settled()
        assert crowd.inside == {0, 1}
        crowd.leave.set()
    assert crowd.order == [0, 1, 5, 4, 3, 2]
    assert crowd.most_inside == 2


async def test_recordings_are_served_in_the_order_of_asking() -> None:
    crowd = Crowd(Places(1, latest_first=False))
    async with asyncio.TaskGroup() as tasks:
        for number in range(4):
            tasks.create_task(crowd.final(number))
        await settled()
        crowd.leave.set()
    assert crowd.order == [0, 1, 2, 3]


@pytest.mark.parametrize("latest_first", [True, False])
async def test_too_many_who_wait_are_turned_away_and_may_come_back(latest_first: bool) -> None:
    places = Places(1, waiting=1, latest_first=latest_first)
    crowd = Crowd(places)
    async with places.one():
        first, second = asyncio.create_task(crowd.final(1)), asyncio.create_task(crowd.final(2))
        refused, waiting = (first, second) if latest_first else (second, first)
        await asyncio.wait([refused])
        with pytest.raises(Unavailable) as refusal:
            await refused
        assert refusal.value.retry_after == 1
    crowd.leave.set()
    await waiting
    await crowd.final(3)


async def test_who_gives_up_waiting_takes_no_place() -> None:
    places = Places(1, waiting=1)
    crowd = Crowd(places)
    async with places.one():
        waiting = [asyncio.create_task(crowd.final(1)), asyncio.create_task(crowd.partial(2))]
        await settled()
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
    crowd.leave.set()
    async with asyncio.timeout(30):
        await crowd.final(3)
        assert await crowd.partial(4) == 4
    assert crowd.order == [3, 4]


async def test_who_gives_up_at_the_moment_of_being_let_in_hands_the_place_on() -> None:
    places = Places(1)
    crowd = Crowd(places)
    async with places.one():
        gives_up, stays = asyncio.create_task(crowd.final(1)), asyncio.create_task(crowd.partial(2))
        await settled()
    gives_up.cancel()
    await settled()
    assert crowd.inside == {2}
    crowd.leave.set()
    await stays


async def test_one_of_several_places_is_kept_free_of_partials() -> None:
    crowd = Crowd(Places(2))
    async with asyncio.TaskGroup() as tasks:
        for number in (1, 2):
            tasks.create_task(crowd.partial(number))
        await settled()
        assert crowd.inside == {1}
        tasks.create_task(crowd.final(3))
        await settled()
        assert crowd.inside == {1, 3}
        crowd.leave.set()


async def test_a_partial_is_shed_for_a_final_and_only_one_for_each() -> None:
    crowd = Crowd(Places(3))
    partials = [asyncio.create_task(crowd.partial(number)) for number in (1, 2)]
    finals = [asyncio.create_task(crowd.final(number)) for number in (3, 4)]
    await settled()
    assert crowd.inside == {1, 3, 4}
    assert await partials[1] is None
    crowd.leave.set()
    assert await partials[0] == 1
    await asyncio.wait(finals)


async def test_a_partial_that_was_let_in_and_has_not_begun_is_shed_too() -> None:
    crowd = Crowd(Places(1))
    async with crowd.places.one():
        partial = asyncio.create_task(crowd.partial(1))
        await settled()
    async with asyncio.timeout(30), crowd.places.one():
        assert await partial is None
    assert crowd.order == []


async def test_a_partial_waits_while_finals_do() -> None:
    crowd = Crowd(Places(1))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(crowd.final(1))
        await settled()
        tasks.create_task(crowd.partial(2))
        await settled()
        tasks.create_task(crowd.final(3))
        await settled()
        crowd.leave.set()
    assert crowd.order == [1, 3, 2]


async def test_partials_of_several_calls_take_turns() -> None:
    places, order = Places(1), list[str]()

    async def work(name: str) -> None:
        order.append(name)
        await asyncio.sleep(0)

    async def talks(name: str) -> None:
        share = Share()
        for _ in range(4):
            await places.left_over(share, lambda: work(name))

    async with asyncio.TaskGroup() as tasks:
        for name in "abc":
            tasks.create_task(talks(name))
    assert [set(order[turn : turn + 3]) for turn in (0, 3, 6)] == [set("abc")] * 3


def test_partials_are_given_what_finals_leave_and_no_more() -> None:
    async def scene(final_s: float) -> int:
        """How many partials of 0.2 s two calls get in a minute, while a final of `final_s` comes every two seconds."""
        places, given = Places(1), list[int]()

        async def talks() -> None:
            share = Share()
            while asyncio.get_running_loop().time() < 60:
                given.append(await places.left_over(share, lambda: asyncio.sleep(0.2, 1)) or 0)
                await asyncio.sleep(0.3)

        async def asks() -> None:
            while asyncio.get_running_loop().time() < 60:
                async with places.one():
                    await asyncio.sleep(final_s)
                await asyncio.sleep(2 - final_s)

        async with asyncio.TaskGroup() as tasks:
            for who in (talks, talks, asks):
                tasks.create_task(who())
        return sum(given)

    idle, busy, full = (run_virtual(scene(final_s)) for final_s in (0.0, 0.6, 1.4))
    assert 100 < idle <= 160  # half of the minute in fifths of a second
    assert 30 < busy < idle * 0.6
    assert full < 10


def test_partials_that_take_long_are_tried_ever_more_rarely() -> None:
    async def scene() -> list[float]:
        places, share, begun = Places(1), Share(), list[float]()

        async def work() -> None:
            begun.append(asyncio.get_running_loop().time())
            await asyncio.sleep(0.8)

        while asyncio.get_running_loop().time() < 3600:
            await places.left_over(share, work)
            await asyncio.sleep(1)
        return begun

    begun = run_virtual(scene())
    waits = [later - earlier for earlier, later in pairwise(begun)]
    assert waits == sorted(waits)
    assert (30 < waits[0] < 33, 600 < waits[-1] < 603) == (True, True)


def test_partials_that_are_quick_again_come_again() -> None:
    async def scene() -> list[float]:
        places, share, begun = Places(1), Share(), list[float]()

        async def work() -> None:
            begun.append(asyncio.get_running_loop().time())
            await asyncio.sleep(0.8 if len(begun) == 1 else 0.1)

        while asyncio.get_running_loop().time() < 35:
            await places.left_over(share, work)
            await asyncio.sleep(1)
        return begun

    first, second, *_ = run_virtual(scene())
    assert (first, 30 < second < 33) == (0, True)


async def test_what_goes_wrong_in_a_partial_is_told_and_frees_its_place() -> None:
    places = Places(1)

    async def breaks() -> None:
        raise Unavailable("broken")

    with pytest.raises(Unavailable, match="broken"):
        await places.left_over(Share(), breaks)
    async with asyncio.timeout(30), places.one():
        pass


@given(st.lists(st.tuples(st.sampled_from(["final", "partial"]), st.booleans(), st.integers(0, 3)), max_size=20))
def test_whatever_comes_and_goes_no_place_is_lost_and_none_is_given_twice(acts: list[tuple[str, bool, int]]) -> None:
    async def scene() -> None:
        crowd = Crowd(Places(2, waiting=3))
        tasks: list[asyncio.Task[object]] = []
        for number, (kind, gives_up, steps) in enumerate(acts):
            come = crowd.final(number) if kind == "final" else crowd.partial(number)
            tasks.append(asyncio.create_task(come))
            for _ in range(steps):
                await asyncio.sleep(0)
            if gives_up:
                tasks[number // 2].cancel()
        crowd.leave.set()
        if tasks:
            await asyncio.wait(tasks, timeout=30)
        assert all(task.done() for task in tasks)
        assert crowd.most_inside <= 2
        async with asyncio.timeout(30), crowd.places.one(), crowd.places.one():
            pass

    asyncio.run(scene())
