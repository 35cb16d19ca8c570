"""What the shared state of one process adds to the contract: bounds, and a clock that tests can turn."""

import asyncio
from datetime import timedelta

from scriza_adapters.shared_state.memory import MemorySharedState
from tests.virtual_time import run_virtual

DAY = timedelta(days=1)


async def test_past_the_most_values_the_one_not_touched_for_longest_goes() -> None:
    state = MemorySharedState(most_values=2)
    await state.put("a", b"1", DAY)
    await state.put("b", b"2", DAY)
    await state.get("a")
    await state.put("c", b"3", DAY)
    assert [await state.get(key) for key in "abc"] == [b"1", None, b"3"]


async def test_past_the_most_bytes_as_many_go_as_must() -> None:
    state = MemorySharedState(most_bytes=100)
    for key in "abcd":
        await state.put(key, b"x" * 24, DAY)
    await state.put("e", b"x" * 49, DAY)
    assert [key for key in "abcde" if await state.get(key) is not None] == ["c", "d", "e"]


async def test_bytes_are_counted_right_when_values_are_replaced_and_deleted() -> None:
    state = MemorySharedState(most_bytes=100)
    for _ in range(20):
        await state.put("a", b"x" * 50, DAY)
        await state.replace("a", b"x" * 50, b"y" * 60, DAY)
    await state.put("b", b"x" * 38, DAY)
    assert len(state) == 2
    await state.delete("a")
    await state.put("c", b"x" * 60, DAY)
    assert await state.get("b") is not None


async def test_a_value_larger_than_everything_is_not_kept() -> None:
    state = MemorySharedState(most_bytes=10)
    await state.put("key", b"x" * 11, DAY)
    assert await state.get("key") is None


def test_a_value_lives_exactly_as_long_as_it_was_told_to() -> None:
    async def live() -> list[bytes | None]:
        state = MemorySharedState()
        await state.put("key", b"value", DAY)
        await asyncio.sleep(DAY.total_seconds() - 1)
        before = await state.get("key")
        await asyncio.sleep(1)
        return [before, await state.get("key")]

    assert run_virtual(live()) == [b"value", None]
