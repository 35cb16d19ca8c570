"""Group commit: what several tasks want written at once is written together, and everybody learns how it went."""

import asyncio
from collections.abc import Sequence

import pytest

from scriza.kernel.group_commit import GroupCommit


class Disk:
    """Writes when it is told to go on."""

    def __init__(self) -> None:
        self.writes: list[list[int]] = []
        self.go_on = asyncio.Event()
        self.error: Exception | None = None

    async def write(self, items: Sequence[int]) -> None:
        self.writes.append(list(items))
        await self.go_on.wait()
        if self.error:
            raise self.error


async def started(*awaitables: asyncio.Task[None]) -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_what_gathers_while_a_write_is_under_way_is_written_in_one() -> None:
    disk = Disk()
    group = GroupCommit(disk.write)
    tasks = [asyncio.create_task(group.add(n)) for n in range(5)]
    await started()
    assert disk.writes == [[0, 1, 2, 3, 4]] or disk.writes == [[0]]
    more = [asyncio.create_task(group.add(n)) for n in range(5, 9)]
    await started()
    disk.go_on.set()
    await asyncio.gather(*tasks, *more)
    assert [item for write in disk.writes for item in write] == list(range(9))
    assert len(disk.writes) <= 3


async def test_nobody_returns_before_its_items_are_written() -> None:
    disk = Disk()
    group = GroupCommit(disk.write)
    tasks = [asyncio.create_task(group.add(n)) for n in range(3)]
    await started()
    assert not any(task.done() for task in tasks)
    disk.go_on.set()
    await asyncio.gather(*tasks)


async def test_a_failed_write_is_everybodys_failure_and_the_next_one_is_a_new_one() -> None:
    disk = Disk()
    disk.error = OSError("full")
    disk.go_on.set()
    group = GroupCommit(disk.write)
    results = await asyncio.gather(*(group.add(n) for n in range(4)), return_exceptions=True)
    assert [type(result) for result in results] == [OSError] * 4
    disk.error = None
    await group.add(9)
    assert disk.writes[-1] == [9]


async def test_when_the_writer_is_cancelled_another_writes_for_all() -> None:
    disk = Disk()
    group = GroupCommit(disk.write)
    first = asyncio.create_task(group.add(1))
    await started()
    others = [asyncio.create_task(group.add(n)) for n in (2, 3)]
    await started()
    first.cancel()
    disk.go_on.set()
    await asyncio.gather(*others)
    with pytest.raises(asyncio.CancelledError):
        await first
    assert {item for write in disk.writes[1:] for item in write} >= {2, 3}


async def test_a_write_has_a_bound() -> None:
    disk = Disk()
    disk.go_on.set()
    await GroupCommit(disk.write, size=4).add(*range(10))
    assert disk.writes == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
