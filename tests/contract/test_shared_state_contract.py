"""What every shared state promises: in this process, and in a real Redis."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from uuid import uuid4

import pytest

from scriza.ports.shared_state import SharedState
from scriza_adapters.shared_state.memory import MemorySharedState
from scriza_adapters.shared_state.redis import RedisSharedState
from tests.standins.redis_server import NEEDED, RedisServer, installed, redis_server

MINUTE = timedelta(minutes=1)
MOMENT = timedelta(milliseconds=40)
PATIENCE_S = 5.0


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    if not installed():
        pytest.skip(NEEDED)
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(params=["memory", "redis"])
async def state(request: pytest.FixtureRequest) -> AsyncIterator[SharedState]:
    kept: MemorySharedState | RedisSharedState = MemorySharedState()
    if request.param == "redis":
        kept = RedisSharedState(request.getfixturevalue("redis").url, deadline_s=PATIENCE_S)
    yield kept
    await kept.close()


@pytest.fixture
def key() -> str:
    return f"test:{uuid4().hex}"


async def gone(state: SharedState, key: str) -> bool:
    """Whether the value runs out; its time is real here, since Redis has no other."""
    for _ in range(2000):
        if await state.get(key) is None:
            return True
        await asyncio.sleep(0.01)
    return False


async def test_what_was_put_is_got_byte_by_byte(state: SharedState, key: str) -> None:
    value = bytes(range(256))
    await state.put(key, value, MINUTE)
    assert await state.get(key) == value
    await state.put(key, b"", MINUTE)
    assert await state.get(key) == b""


async def test_what_was_never_put_is_none(state: SharedState, key: str) -> None:
    assert await state.get(key) is None


async def test_a_value_is_gone_when_its_time_is_over(state: SharedState, key: str) -> None:
    await state.put(key, b"value", MOMENT)
    assert await gone(state, key)
    assert await state.put_new(key, b"another", MINUTE)
    assert await state.get(key) == b"another"


async def test_putting_again_begins_the_time_anew(state: SharedState, key: str) -> None:
    await state.put(key, b"old", MOMENT)
    await state.put(key, b"new", MINUTE)
    await asyncio.sleep(MOMENT.total_seconds() * 1.5)
    assert await state.get(key) == b"new"


async def test_of_many_who_put_the_same_new_key_one_succeeds(state: SharedState, key: str) -> None:
    values = [b"%d" % number for number in range(20)]
    won = await asyncio.gather(*(state.put_new(key, value, MINUTE) for value in values))
    assert won.count(True) == 1
    assert await state.get(key) == values[won.index(True)]


async def test_a_value_is_replaced_only_by_who_knows_it(state: SharedState, key: str) -> None:
    await state.put(key, b"mine", MINUTE)
    assert not await state.replace(key, b"yours", b"stolen", MINUTE)
    assert await state.get(key) == b"mine"
    assert await state.replace(key, b"mine", b"done", MINUTE)
    assert await state.get(key) == b"done"


async def test_nothing_is_not_replaced(state: SharedState, key: str) -> None:
    assert not await state.replace(key, b"", b"new", MINUTE)
    assert await state.get(key) is None


async def test_replacing_gives_the_new_value_its_own_time(state: SharedState, key: str) -> None:
    await state.put(key, b"claim", MINUTE)
    await state.replace(key, b"claim", b"claim", MOMENT)
    assert await gone(state, key)


async def test_a_value_is_deleted_only_by_who_knows_it_or_does_not_ask(state: SharedState, key: str) -> None:
    await state.put(key, b"mine", MINUTE)
    assert not await state.delete(key, b"yours")
    assert await state.delete(key, b"mine")
    assert not await state.delete(key, b"mine")
    await state.put(key, b"mine", MINUTE)
    assert await state.delete(key)
    assert not await state.delete(key)
    assert await state.get(key) is None


async def test_a_counter_counts_everybody(state: SharedState, key: str) -> None:
    counts = await asyncio.gather(*(state.add(key, 3, MINUTE) for _ in range(10)))
    assert sorted(counts) == [3 * number for number in range(1, 11)]
    assert await state.add(key, -30, MINUTE) == 0


async def test_a_counter_lives_from_its_first_use_not_from_its_last(state: SharedState, key: str) -> None:
    first_use = timedelta(seconds=2)  # longer than a busy machine takes to the second one
    await state.add(key, 1, first_use)
    assert await state.add(key, 1, MINUTE) == 2
    assert await gone(state, key)
    assert await state.add(key, 1, MINUTE) == 1


async def test_keys_are_told_apart_and_may_hold_anything(state: SharedState, key: str) -> None:
    await state.put(f"{key} ü\n*", b"a", MINUTE)
    await state.put(f"{key} ü\n", b"b", MINUTE)
    assert await state.get(f"{key} ü\n*") == b"a"
    assert await state.get(f"{key} ü\n") == b"b"


async def test_keys_are_found_by_how_they_begin(state: SharedState, key: str) -> None:
    for name in ("a/1", "a/2", "a*/3", "b/1"):
        await state.put(f"{key}/{name}", b"x", MINUTE)
    await state.put(f"{key}/a/gone", b"x", MOMENT)
    assert await gone(state, f"{key}/a/gone")
    assert {found async for found in state.keys(f"{key}/a/")} == {f"{key}/a/1", f"{key}/a/2"}
    assert {found async for found in state.keys(f"{key}/a*/")} == {f"{key}/a*/3"}
    assert [found async for found in state.keys(f"{key}/c")] == []


async def test_a_walk_through_many_keys_misses_none(state: SharedState, key: str) -> None:
    for number in range(2500):
        await state.put(f"{key}/{number}", b"x", MINUTE)
    assert len({found async for found in state.keys(f"{key}/")}) == 2500
