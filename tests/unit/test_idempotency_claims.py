"""Claims of idempotency keys in time: how long a key is held, and how long its reply is kept."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriza.kernel.errors import BadInput, Conflict, KeyReused
from scriza.wire.idempotency import Claim, Replays, Reply, key_of
from scriza_adapters.shared_state.memory import MemorySharedState
from tests.virtual_time import run_virtual

LEASE_S = 30
DAY_S = 24 * 3600
PRINT = b"fingerprint"
REPLY = Reply(200, [(b"content-type", b"application/json")], b"{}")


async def claimed(replays: Replays) -> Claim:
    claim = await replays.claim("w", "key", PRINT)
    assert isinstance(claim, Claim)
    return claim


def test_a_reply_is_given_again_for_a_day_and_then_forgotten() -> None:
    async def day() -> None:
        replays = Replays(MemorySharedState())
        await (await claimed(replays)).keep(REPLY)
        await asyncio.sleep(DAY_S - 1)
        assert await replays.claim("w", "key", PRINT) == REPLY
        with pytest.raises(KeyReused):
            await replays.claim("w", "key", b"another")
        await asyncio.sleep(1)
        await claimed(replays)

    run_virtual(day())


def test_a_claim_whose_process_died_runs_out() -> None:
    async def dying() -> None:
        replays = Replays(MemorySharedState())
        await claimed(replays)
        await asyncio.sleep(LEASE_S - 1)
        with pytest.raises(Conflict):
            await replays.claim("w", "key", PRINT)
        await asyncio.sleep(1)
        await claimed(replays)

    run_virtual(dying())


def test_a_claim_that_is_renewed_lives_as_long_as_its_work() -> None:
    async def working() -> None:
        replays = Replays(MemorySharedState())
        claim = await claimed(replays)
        renewal = asyncio.create_task(claim.renewed())
        for _ in range(10):
            await asyncio.sleep(LEASE_S)
            with pytest.raises(Conflict):
                await replays.claim("w", "key", PRINT)
        renewal.cancel()
        await claim.keep(REPLY)
        assert await replays.claim("w", "key", PRINT) == REPLY

    run_virtual(working())


def test_who_lost_its_claim_disturbs_nobody() -> None:
    async def late() -> None:
        replays = Replays(MemorySharedState())
        first = await claimed(replays)
        await asyncio.sleep(LEASE_S)
        second = await claimed(replays)
        await first.give_back()
        with pytest.raises(Conflict):
            await replays.claim("w", "key", PRINT)
        await second.keep(REPLY)
        assert await replays.claim("w", "key", PRINT) == REPLY

    run_virtual(late())


def test_a_late_reply_does_not_replace_the_one_that_was_kept() -> None:
    async def late() -> None:
        replays = Replays(MemorySharedState())
        first = await claimed(replays)
        await asyncio.sleep(LEASE_S)
        await (await claimed(replays)).keep(REPLY)
        await first.keep(Reply(200, [], b"another"))
        assert await replays.claim("w", "key", PRINT) == REPLY

    run_virtual(late())


def test_what_is_given_back_is_free() -> None:
    async def free() -> None:
        replays = Replays(MemorySharedState())
        await (await claimed(replays)).give_back()
        await claimed(replays)

    run_virtual(free())


PRINTABLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=255)


@given(PRINTABLE)
def test_whatever_a_structured_string_can_say_is_a_key(key: str) -> None:
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    assert key_of(f'"{escaped}"') == key
    assert key_of(f' "{escaped}";a=1 ') == key


@given(st.text(max_size=300))
def test_anything_else_is_refused_or_a_key_of_printable_ascii(header: str) -> None:
    try:
        key = key_of(header)
    except BadInput:
        return
    assert key.isascii()
    assert key.isprintable()
    assert 1 <= len(key) <= 255
