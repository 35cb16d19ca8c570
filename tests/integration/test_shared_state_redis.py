"""What Redis alone brings: several processes, a server that goes away, one that does not answer, and its keys."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import structlog
from redis.asyncio import Redis

from scriza.kernel.errors import DeadlineExceeded, Unavailable
from scriza_adapters.shared_state.redis import RedisSharedState
from tests.standins.redis_server import NEEDED, RedisServer, installed, redis_server

MINUTE = timedelta(minutes=1)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    if not installed():
        pytest.skip(NEEDED)
    with redis_server(tmp_path / "redis") as running:
        yield running


@pytest.fixture
async def state(server: RedisServer) -> AsyncIterator[RedisSharedState]:
    state = RedisSharedState(server.url, deadline_s=5)
    yield state
    await state.close()


async def test_another_process_sees_what_this_one_has_put(server: RedisServer, state: RedisSharedState) -> None:
    other = RedisSharedState(server.url)
    await state.put("greeting", b"hello", MINUTE)
    assert await other.get("greeting") == b"hello"
    assert not await other.put_new("greeting", b"mine", MINUTE)
    await other.close()


async def test_all_keys_are_in_a_space_of_their_own_and_none_stays_for_ever(
    server: RedisServer, state: RedisSharedState
) -> None:
    await state.put("one", b"1", MINUTE)
    await state.put_new("two", b"2", MINUTE)
    await state.replace("two", b"2", b"3", MINUTE)
    await state.add("three", 1, MINUTE)
    async with Redis.from_url(server.url) as plain:
        keys = sorted(await plain.keys("*"))
        assert keys == [b"scriza:one", b"scriza:three", b"scriza:two"]
        assert all([50_000 < await plain.pttl(key) <= 60_000 for key in keys])


async def test_a_server_that_was_restarted_is_found_again(server: RedisServer, state: RedisSharedState) -> None:
    await state.put("key", b"before", MINUTE)
    server.stop()
    with pytest.raises(Unavailable):
        await state.get("key")
    server.start()
    assert await state.get("key") is None
    assert await state.put_new("key", b"after", MINUTE)
    assert await state.replace("key", b"after", b"and so on", MINUTE)  # its scripts are unknown to the new server


async def test_a_connection_that_was_closed_while_it_was_idle_costs_no_act(
    server: RedisServer, state: RedisSharedState
) -> None:
    await state.put("key", b"value", MINUTE)
    async with Redis.from_url(server.url) as plain:
        await plain.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    assert await state.put_new("key", b"other", MINUTE) is False


async def test_a_server_that_does_not_answer_is_given_up_after_the_deadline(server: RedisServer) -> None:
    state = RedisSharedState(server.url, deadline_s=2)
    await state.ping()
    with server.paused(), pytest.raises(DeadlineExceeded):
        await state.get("key")
    await state.put("key", b"value", MINUTE)
    assert await state.get("key") == b"value"
    await state.close()


async def test_what_is_raised_and_logged_holds_no_password() -> None:
    state = RedisSharedState("redis://user:sesame@127.0.0.1:1/0")
    with structlog.testing.capture_logs() as logs, pytest.raises(Unavailable) as raised:
        await state.ping()
    assert "127.0.0.1" not in raised.value.detail
    assert logs
    assert "sesame" not in str(logs)
    await state.close()


async def test_a_wrong_password_is_told_as_such_and_not_shown(tmp_path: Path) -> None:
    if not installed():
        pytest.skip(NEEDED)
    with redis_server(tmp_path / "redis", password="sesame") as server:
        for url in (server.url, server.url.replace("//", "//:wr0ng@")):
            state = RedisSharedState(url)
            with structlog.testing.capture_logs() as logs, pytest.raises(Unavailable, match="password"):
                await state.get("key")
            assert "wr0ng" not in str(logs)
            await state.close()
        state = RedisSharedState(server.url.replace("//", "//:sesame@"))
        await state.ping()
        await state.close()


@pytest.mark.parametrize("url", ["", "127.0.0.1:6379", "http://127.0.0.1"])
def test_what_is_no_redis_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="redis://"):
        RedisSharedState(url)
