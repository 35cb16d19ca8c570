"""A Scriza that is told to stop while it leads calls."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from scriza.simulator.report import CallOutcome
from tests.phone_line import PhoneLine, caller, phone_line
from tests.running_scriza import RunningScriza, running_scriza

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]


async def stopped_while_talking(server: RunningScriza, *lines: str) -> tuple[CallOutcome, CallOutcome, PhoneLine]:
    """The call that was led, and one that came after the stop was asked."""
    async with phone_line(server) as line:
        calling = asyncio.create_task(line.twilio.call(caller("wait", *lines)))
        await asyncio.sleep(3)
        server.process.send_signal(signal.SIGTERM)
        await asyncio.sleep(1)
        late = await line.twilio.call(caller("wait", caller="+14155550199"))
        ready = await line.api.get("/health/ready")
        assert ready.json() == {"status": "unavailable", "failing": ["calls"]}
        return await calling, late, line


def test_a_call_goes_on_to_its_end_and_a_new_one_is_not_taken(tmp_path: Path) -> None:
    with running_scriza(tmp_path / "one", SCRIZA_DRAIN_SECONDS="40") as server:
        led, late, _ = asyncio.run(stopped_while_talking(server, "say: thank you goodbye", "wait"))
        assert (led.ended_by, led.streams, led.violations) == ("agent", 1, [])
        assert (late.status, late.streams) == ("busy", 0)
        assert server.process.wait(30) == 0
        assert server.leftovers() == []


def test_several_processes_let_their_calls_go_on_as_well(tmp_path: Path) -> None:
    async def call(server: RunningScriza) -> CallOutcome:
        async with phone_line(server) as line:
            calling = asyncio.create_task(line.twilio.call(caller("wait", "say: thank you goodbye", "wait")))
            await asyncio.sleep(3)
            os.killpg(server.process.pid, signal.SIGINT)  # to the whole group, as a terminal does with Ctrl-C
            return await calling

    with running_scriza(tmp_path / "one", ["--workers", "2"], SCRIZA_DRAIN_SECONDS="40") as server:
        led = asyncio.run(call(server))
        assert (led.ended_by, led.streams, led.violations) == ("agent", 1, [])
        assert server.process.wait(30) == 0
        assert server.leftovers() == []


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_second_signal_waits_for_nobody(tmp_path: Path, workers: str) -> None:
    async def hang_on(server: RunningScriza) -> None:
        async with phone_line(server) as line:
            calling = asyncio.create_task(line.twilio.call(caller("wait", "pause: 20000")))
            await asyncio.sleep(3)
            for _ in range(2):
                server.process.send_signal(signal.SIGTERM)
                await asyncio.sleep(0.5)
            assert await asyncio.to_thread(server.process.wait, 20) == 0
            calling.cancel()
            await asyncio.wait({calling})

    with running_scriza(tmp_path / "one", ["--workers", workers], SCRIZA_DRAIN_SECONDS="100") as server:
        asyncio.run(hang_on(server))
