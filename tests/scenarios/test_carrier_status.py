"""Calls that end without a word between caller and agent: every terminal status closes their record."""

import asyncio
import uuid
from collections.abc import AsyncIterator

import msgspec
import pytest
import pytest_asyncio

from scriza.kernel.events import Topic
from scriza.ports.telephony import CallCompleted
from scriza.simulator.options import Options
from scriza.simulator.scenario import Answer, Scenario
from tests.exchange import PUBLIC_URL, Exchange, KnowingAsr, exchange
from tests.phone_line import caller
from tests.waiting import eventually

BACKWARDS = Options(
    duplicate_callbacks=True,
    callback_delays_ms={"initiated": 600, "ringing": 400, "answered": 200, "completed": 0},
)
"""Each callback comes twice, and the last one first."""


ORDERS = {"in order": Options(), "backwards and twice": BACKWARDS}

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module", params=ORDERS.values(), ids=ORDERS.keys())
async def office(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, mongo_url: str
) -> AsyncIterator[Exchange]:
    folder, database = tmp_path_factory.mktemp("office"), f"test_{uuid.uuid4().hex}"
    room_for_one = {"asr": KnowingAsr("hello"), "most_calls": 1}
    async with exchange(folder, mongo_url, database, carrier=request.param, **room_for_one) as running:
        yield running


def callee(pickup: str, after_ms: int = 0) -> Scenario:
    return caller(answer=msgspec.convert({"pickup": pickup, "after_ms": after_ms}, Answer))


async def closes_its_record(office: Exchange, call_id: str, status: str) -> None:
    """As the API tells it, with one `call.completed`, and no other word from any later callback."""
    outcome = await office.twilio.outcome(call_id)
    assert (outcome.status, outcome.streams, outcome.violations) == (status, 0, [])
    record = await office.record(call_id)
    assert (record.status, record.ended_reason, record.turns) == (status, status, [])
    assert record.duration_seconds is not None
    assert record.duration_seconds <= 1
    told = await office.told(call_id)
    assert [event.type for event in told].count(Topic.CALL_STARTED) == 1
    [completed] = [event for event in told if event.type == Topic.CALL_COMPLETED]
    assert msgspec.json.decode(completed.data, type=CallCompleted).status == status
    assert office.live == 0


@pytest.mark.parametrize("status", ["busy", "failed", "no-answer"])
async def test_a_call_that_nobody_takes_is_closed_with_twilios_word(office: Exchange, status: str) -> None:
    call_id = await office.place(callee(status), Url=f"{PUBLIC_URL}/voice")
    await closes_its_record(office, call_id, status)


async def test_a_call_that_rings_too_long_is_closed_as_not_answered(office: Exchange) -> None:
    call_id = await office.place(callee("answers", after_ms=30_000), Url=f"{PUBLIC_URL}/voice", Timeout="1")
    await closes_its_record(office, call_id, "no-answer")


async def test_a_call_that_is_taken_back_while_it_rings_is_closed_as_canceled(office: Exchange) -> None:
    call_id = await office.place(callee("answers", after_ms=30_000), Url=f"{PUBLIC_URL}/voice")
    await asyncio.sleep(0)
    await office.ask_carrier(call_id, Status="canceled")
    await closes_its_record(office, call_id, "canceled")


async def test_a_call_that_is_answered_and_over_at_once_is_closed_as_completed(office: Exchange) -> None:
    call_id = await office.place(callee("answers"), Twiml="<Response><Hangup/></Response>")
    await closes_its_record(office, call_id, "completed")


async def test_a_call_for_which_there_is_no_room_is_closed_as_busy(office: Exchange) -> None:
    talking = asyncio.create_task(office.twilio.call(caller("pause: 500")))
    await eventually(lambda: office.live)
    outcome = await office.twilio.call(caller())
    assert (outcome.status, outcome.ended_by, outcome.streams) == ("busy", "agent", 0)
    record = await office.record(outcome.call_sid)
    assert (record.status, record.ended_reason) == ("busy", "busy")
    talking.cancel()
    await asyncio.wait({talking})
    await eventually(lambda: not office.live)
