"""Calls that Scriza places, messages that it gets, and the switch: over real processes, the store and the carrier."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpx
import msgspec
import pytest

from scriza.kernel.events import Topic
from scriza.simulator.options import Fault, Options
from scriza.simulator.scenario import Scenario
from tests.phone_line import PhoneLine, caller, free_port, phone_line
from tests.running_scriza import RunningScriza, running_scriza
from tests.waiting import eventually

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

US, THEM = Options().number, "+14155550123"
TALKER = caller("wait", "say: how much does it cost per month", "wait", "say: thank you goodbye")


class Place:
    """Where one Scriza after the other runs, with the same data and at the same URL."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port, self.rest_port = folder, free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    @contextmanager
    def running(self, port: int = 0) -> Iterator[RunningScriza]:
        environment = {
            "SCRIZA_PUBLIC_URL": self.url,
            "SCRIZA_OUTBOUND_SENDER": US,
            "SCRIZA_SERVICE_TOKEN": "a-token-that-stays",
            "TWILIO_BASE_URL": f"http://127.0.0.1:{self.rest_port}",
        }
        with running_scriza(self.folder, ["--port", str(port or self.port)], **environment) as server:
            yield server

    @asynccontextmanager
    async def line(self, server: RunningScriza, callee: Scenario = TALKER) -> AsyncIterator[PhoneLine]:
        async with phone_line(server, rest_port=self.rest_port, service_token="a-token-that-stays") as line:
            line.twilio.callee = callee
            yield line


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "scriza")


async def order(line: PhoneLine, **fields: object) -> httpx.Response:
    return await line.api.post("/api/v1/calls", json={"to": THEM} | fields)


async def under_way(line: PhoneLine, call_id: str) -> None:
    """The agent has begun to speak, or to listen."""
    async with asyncio.timeout(60):
        while not (await line.api.get(f"/api/v1/calls/{call_id}")).json().get("stage"):  # noqa: ASYNC110 # as a client does
            await asyncio.sleep(0.1)


async def test_an_order_becomes_a_call_that_is_led_recorded_and_settled(place: Place) -> None:
    with place.running() as server:
        async with place.line(server) as line:
            placed = (await order(line, order_id="lead-17", reason="They asked for a demo.")).json()
            assert placed["status"] == "placed"
            assert (await order(line, order_id="lead-17", reason="They asked for a demo.")).json() == placed
            refused = await order(line)
            assert (refused.status_code, refused.json()["reason"]) == (409, "already-calling")
            outcome = await line.twilio.outcome(placed["call_id"])
            assert outcome.ok, outcome.unmet
            record = await line.record(placed["call_id"])
            assert (record.direction, record.status, record.order_id) == ("outbound", "completed", "lead-17")
            assert record.reason == "They asked for a demo."
            assert any("how much" in turn.user for turn in record.turns)
            assert len(line.twilio.calls) == 1
            key = {"Idempotency-Key": '"a-click"'}
            again, repeated = [await line.api.post("/api/v1/calls", json={"to": THEM}, headers=key) for _ in range(2)]
            assert again.json() == repeated.json()
            assert len(line.twilio.calls) == 2  # its place was free again


async def test_an_order_whose_process_is_killed_while_the_carrier_answers_is_placed_once(place: Place) -> None:
    with place.running() as server:
        async with place.line(server) as line:
            line.twilio.faults.append(Fault(match="POST /2010-04-01", delay_ms=5_000, done=True))
            asking = asyncio.create_task(order(line, order_id="lead-17"))
            await eventually(lambda: bool(line.twilio.calls), 60)
            os.killpg(server.process.pid, signal.SIGKILL)
            with pytest.raises(httpx.TransportError):
                await asking
            with place.running() as another:
                await asyncio.to_thread(lambda: another.url)
                known = {}
                async with asyncio.timeout(120):
                    while known.get("status") != "placed":
                        await asyncio.sleep(0.5)
                        known = (await line.api.get("/api/v1/orders/lead-17")).json()
                assert list(line.twilio.calls) == [known["call_id"]]
                assert (await order(line, order_id="lead-17")).json() == known
                assert len(line.twilio.calls) == 1


async def test_who_texts_stop_is_not_called_and_what_others_text_reaches_their_calls_record(place: Place) -> None:
    with place.running() as server:
        async with place.line(server) as line:
            outcome = await line.twilio.call(msgspec.structs.replace(TALKER, caller=THEM))
            await line.twilio.text(THEM, "Tuesday at ten")
            record = await line.record(outcome.call_sid)
            assert [message.text for message in record.messages] == ["Tuesday at ten"]
            told = (await line.told(outcome.call_sid))[0]
            assert [event.type for event in told].count(Topic.MESSAGE_RECEIVED) == 1
            await line.twilio.text(THEM, "STOP")
            refused = await order(line)
            assert (refused.status_code, refused.json()["reason"]) == (403, "do-not-call")
            assert refused.headers["content-type"] == "application/problem+json"
            await line.twilio.text(THEM, "START")
            assert (await order(line)).status_code == 200


async def test_a_switch_ends_live_calls_politely_and_takes_no_new_ones_in_any_process(place: Place) -> None:
    quiet = caller("wait", "wait: 60000")
    with place.running() as server, place.running(free_port()) as another:
        async with place.line(server, quiet) as line:
            elsewhere = await asyncio.to_thread(lambda: another.url)
            placed = (await order(line)).json()
            await under_way(line, placed["call_id"])
            stopped = await line.api.post(f"{elsewhere}/api/v1/calls/stop")
            assert stopped.json()["stopped"] is True
            async with asyncio.timeout(60):
                await line.twilio.outcome(placed["call_id"])
            assert (await line.record(placed["call_id"])).ended_reason == "stopped"
            heard = await line.twilio.call(TALKER)
            assert "cannot take your call" in str(heard)
            assert (await order(line)).json()["reason"] == "calls-stopped"
            await line.api.post("/api/v1/calls/resume")
            assert (await order(line)).status_code == 200
