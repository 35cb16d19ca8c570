"""Credit is set aside for calls ahead of time, and nobody is refused by a guess."""

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

import pytest

from scriza.ports.credit import HoldWish
from tests.memory_credit import Purse
from tests.virtual_time import run_virtual

T = TypeVar("T")


def lasting(purse: Purse, *, since_s: float = 0.0, within_s: float = 3600.0) -> float | None:
    """How long a call could last, in seconds; none when longer than `within_s`."""

    async def main() -> float | None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(within_s):
                await purse.for_calls(120).keep("CA1", lambda: since_s + loop.time())
        except TimeoutError:
            return None
        return since_s + loop.time()

    return run_virtual(main())


def asked(purse: Purse) -> list[int]:
    return [check.hold.seconds for check in purse.asked if check.hold]


def now(work: Coroutine[object, object, T]) -> T:
    return run_virtual(work)


def test_more_is_set_aside_before_what_is_held_is_used_up() -> None:
    purse = Purse()
    assert lasting(purse, within_s=400) is None
    assert asked(purse) == [240, 360, 480]


def test_a_call_lasts_as_long_as_there_is_credit_for_it() -> None:
    purse = Purse(seconds=240)
    assert lasting(purse) == pytest.approx(240, abs=0.1)
    assert purse.held == {"CA1": 240}


def test_credit_that_is_granted_meanwhile_lets_the_call_go_on() -> None:
    purse = Purse(seconds=240)

    async def main() -> bool:
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as tasks:
            kept = tasks.create_task(purse.for_calls(120).keep("CA1", loop.time))
            await asyncio.sleep(230)
            purse.seconds = 1_000
            await asyncio.sleep(100)
            goes_on = not kept.done()
            kept.cancel()
        return goes_on

    assert run_virtual(main())


def test_a_call_that_is_taken_up_again_has_what_it_had() -> None:
    purse = Purse(seconds=720)
    assert lasting(purse, since_s=600) == pytest.approx(720, abs=0.1)


def test_who_may_begin_has_credit_set_aside() -> None:
    purse = Purse(seconds=240)
    desk = purse.for_calls(120)
    assert [now(desk.begins(call_id)) for call_id in ("CA1", "CA2", "CA3", "CA1")] == [True, True, False, True]
    assert purse.asked[0].hold == HoldWish("CA1", 120)
    assert not now(desk.is_left())


@pytest.mark.parametrize("how", ["away", "stalled"])
def test_who_cannot_be_asked_refuses_nobody_and_keeps_nobody_waiting(how: str) -> None:
    purse = Purse(seconds=0)
    setattr(purse, how, True)

    async def main() -> tuple[bool, bool, float]:
        desk, loop = purse.for_calls(), asyncio.get_running_loop()
        return await desk.begins("CA1"), await desk.is_left(), loop.time()

    begins, is_left, took_s = run_virtual(main())
    assert begins
    assert is_left
    assert took_s < 1
    assert lasting(purse, within_s=1_000) is None
