"""A stream token opens one stream of one call, for a minute."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriza.kernel.errors import BadInput, Forbidden, Unavailable
from scriza.modules.telephony.tokens import StreamTokens
from tests.memory_log import MemoryOnce
from tests.virtual_time import run_virtual

CALL = "CA0123456789abcdef0123456789abcdef"
OTHER = "CAffffffffffffffffffffffffffffffff"


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def once(clock: Clock) -> MemoryOnce:
    return MemoryOnce(clock)


@pytest.fixture
def stream_tokens(once: MemoryOnce, clock: Clock) -> StreamTokens:
    return StreamTokens("key", once, now=clock)


async def test_a_token_opens_the_stream_of_its_call(stream_tokens: StreamTokens) -> None:
    assert await stream_tokens.redeem(stream_tokens.issue(CALL)) == CALL
    assert await stream_tokens.redeem(stream_tokens.issue(CALL), call_id=CALL) == CALL


async def test_a_token_is_good_once_in_every_process_that_shares_the_memory(
    stream_tokens: StreamTokens, once: MemoryOnce, clock: Clock
) -> None:
    token = stream_tokens.issue(CALL)
    await StreamTokens("key", once, now=clock).redeem(token)
    with pytest.raises(Forbidden, match="has been used"):
        await stream_tokens.redeem(token)


async def test_each_token_is_another_even_for_the_same_call_and_moment(stream_tokens: StreamTokens) -> None:
    for token in {stream_tokens.issue(CALL) for _ in range(5)}:
        assert await stream_tokens.redeem(token) == CALL


async def test_a_token_expires(stream_tokens: StreamTokens, clock: Clock) -> None:
    in_time, late = stream_tokens.issue(CALL), stream_tokens.issue(CALL)
    clock.now += timedelta(seconds=59)
    await stream_tokens.redeem(in_time)
    clock.now += timedelta(seconds=1)
    with pytest.raises(Forbidden, match="has expired"):
        await stream_tokens.redeem(late)


async def test_a_used_token_stays_used_for_a_process_whose_clock_is_slow(once: MemoryOnce, clock: Clock) -> None:
    slow = StreamTokens("key", once, now=lambda: clock.now - timedelta(seconds=30))
    token = slow.issue(CALL)
    await slow.redeem(token)
    clock.now += timedelta(seconds=45)
    with pytest.raises(Forbidden, match="has been used"):
        await slow.redeem(token)


async def test_a_token_of_another_call_is_refused_and_not_used_up(stream_tokens: StreamTokens) -> None:
    token = stream_tokens.issue(CALL)
    with pytest.raises(Forbidden, match="another call"):
        await stream_tokens.redeem(token, call_id=OTHER)
    assert await stream_tokens.redeem(token, call_id=CALL) == CALL


async def test_a_token_rewritten_for_another_call_or_a_later_hour_is_refused(stream_tokens: StreamTokens) -> None:
    call, expiry, nonce, signature = stream_tokens.issue(CALL).split(".")
    for forged in (
        f"{OTHER}.{expiry}.{nonce}.{signature}",
        f"{call}.{int(expiry) + 3600}.{nonce}.{signature}",
        f"{call}.{expiry}.{nonce[::-1]}.{signature}",
        f"{call}.{expiry}.{nonce}.{signature.upper()}",
        StreamTokens("another key", MemoryOnce()).issue(CALL),
    ):
        with pytest.raises(Forbidden, match="not one of ours"):
            await stream_tokens.redeem(forged)


async def test_a_truncated_token_is_refused_wherever_it_was_cut(stream_tokens: StreamTokens) -> None:
    token = stream_tokens.issue(CALL)
    for length in range(len(token)):
        with pytest.raises(Forbidden, match="not one of ours"):
            await stream_tokens.redeem(token[:length])


@given(st.text())
async def test_no_other_text_is_a_token(text: str) -> None:
    with pytest.raises(Forbidden):
        await StreamTokens("key", MemoryOnce()).redeem(text)


@pytest.mark.parametrize("call_id", ["", "CA1.2", "CA1/../x", "CA 1", "C" * 65, "CÀ1"])
def test_what_cannot_be_a_callsid_gets_no_token(stream_tokens: StreamTokens, call_id: str) -> None:
    with pytest.raises(BadInput):
        stream_tokens.issue(call_id)


def test_a_blank_key_is_refused(once: MemoryOnce) -> None:
    with pytest.raises(ValueError, match="blank"):
        StreamTokens("", once)


def test_a_memory_that_does_not_answer_refuses_in_time() -> None:
    class Stuck(MemoryOnce):
        async def claim(self, key: str, expires_at: datetime) -> bool:
            await asyncio.sleep(3600)
            return True

    async def redeem() -> None:
        stuck = StreamTokens("key", Stuck())
        with pytest.raises(Unavailable):
            await stuck.redeem(stuck.issue(CALL))

    run_virtual(redeem())
