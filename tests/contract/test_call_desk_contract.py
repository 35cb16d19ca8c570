"""The call desk, in process and over HTTP: who is called, the numbers, the do-not-call list, the switch."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from scriza.kernel.errors import (
    BadInput,
    Conflict,
    Forbidden,
    NoCredit,
    NotFound,
    RateLimited,
    ScrizaError,
    Unavailable,
)
from scriza.kernel.principal import Principal, acting
from scriza.modules.telephony.placing.dialling_plan import destination
from scriza.modules.telephony.placing.hours import weekly_hours
from scriza.modules.telephony.placing.intents import CallWish
from scriza.modules.telephony.placing.policy import Rules
from scriza.ports.agent import CallFacts, CallPlan, Conversation, FixedLines, Reply, ReplyPart, Voice
from scriza.ports.call_desk import (
    BarredNumber,
    BarredQuery,
    BarredReason,
    CallDesk,
    NumberSettings,
    PhoneNumber,
    PlaceCall,
    PlacedCall,
)
from tests.contract.doors import Doors
from tests.memory_placing import MemoryPlacing
from tests.standins.carrier import StandInCarrier

NOON = datetime(2026, 3, 2, 20, tzinfo=UTC)
"""In San Francisco, on a Monday."""
US, OTHER, THEM = "+14155550100", "+14155550101", "+14155550123"
RULES = Rules(
    weekly_hours("Mon-Sat 09:00-20:00"), most_calls=2, daily_micro_usd=100 * 14_000, micro_usd_per_minute=14_000
)
LINES = FixedLines("Hello", "", [], "", "", "", "", "", "")


class TwoPlaybooks:
    """An agent that knows the playbooks `sales` and `closed`."""

    async def begin(self, call: CallFacts) -> CallPlan:
        if call.playbook not in {"", "sales", "closed"}:
            raise NotFound("there is no such playbook")
        return CallPlan(Conversation("book@1", "opening"), LINES, Voice(), [])

    async def reply(self, request: Reply) -> AsyncIterator[ReplyPart]:
        raise NotImplementedError
        yield


class Office:
    """A desk with everything around it in memory."""

    def __init__(self) -> None:
        self.now = NOON
        self.carrier = StandInCarrier(lambda: self.now)
        self.placing = MemoryPlacing(self.carrier, lambda: self.now, RULES)
        self.desk = self.placing.desk(TwoPlaybooks(), sender=US)


@pytest.fixture
def office() -> Office:
    return Office()


async def reason_of(desk: CallDesk, request: PlaceCall, kind: type[ScrizaError]) -> str:
    with pytest.raises(kind) as refused:
        await desk.place(request)
    assert type(refused.value) is kind
    assert refused.value.detail
    return refused.value.reason


# ---- placing ------------------------------------------------------------------------------------------------------


async def test_an_order_places_a_call_and_says_which(office: Office, doors: Doors) -> None:
    request = PlaceCall(THEM, playbook="sales", reason="They asked for a demo.", variables={"name": "Ada"})
    async with doors(CallDesk, office.desk) as desk:
        placed = await desk.place(request)
        assert (placed.status, placed.call_id, placed.detail) == ("placed", "CA1", "")
        assert await desk.order(placed.order_id) == placed
    assert [(order.sender, order.to) for order in office.carrier.placed] == [(US, THEM)]
    intent = next(iter(office.placing.intents.intents.values()))
    assert isinstance(intent.wish, CallWish)
    led = intent.wish.assignment
    assert (led.playbook, led.order_id, led.reason, led.variables) == (
        *("sales", placed.order_id, "They asked for a demo."),
        {"name": "Ada"},
    )


async def test_the_same_order_again_places_no_second_call(office: Office, doors: Doors) -> None:
    request = PlaceCall(THEM, order_id="lead-17")
    async with doors(CallDesk, office.desk) as desk:
        placed = await asyncio.gather(*(desk.place(request) for _ in range(4)))
        again = await desk.place(request)
    assert again == PlacedCall("lead-17", "placed", "CA1")
    assert {each.order_id for each in placed} == {"lead-17"}
    assert len(office.carrier.placed) == 1


@pytest.mark.parametrize("other", [PlaceCall("+14155550199", order_id="a"), PlaceCall(THEM, reason="b", order_id="a")])
async def test_another_order_of_the_same_name_is_refused(office: Office, doors: Doors, other: PlaceCall) -> None:
    async with doors(CallDesk, office.desk) as desk:
        await desk.place(PlaceCall(THEM, order_id="a"))
        assert await reason_of(desk, other, Conflict) == "other-order"


async def test_orders_of_the_same_name_in_two_workspaces_are_two_orders(office: Office, doors: Doors) -> None:
    async with doors(CallDesk, office.desk) as desk:
        for workspace in ("default", "acme"):
            with acting(Principal(workspace)):
                await desk.place(PlaceCall(THEM, order_id="a"))
    assert len(office.carrier.placed) == 2


async def test_an_order_whose_answer_got_lost_is_queued_and_then_placed(office: Office, doors: Doors) -> None:
    office.carrier.trouble = ["lost before"]
    async with doors(CallDesk, office.desk) as desk:
        assert await desk.place(PlaceCall(THEM, order_id="a")) == PlacedCall("a", "queued")
        office.now += timedelta(seconds=15)
        assert await desk.place(PlaceCall(THEM, order_id="a")) == PlacedCall("a", "placed", "CA1")


async def test_an_order_that_the_carrier_refuses_says_why(office: Office, doors: Doors) -> None:
    office.carrier.trouble = [BadInput("error 21217")]
    async with doors(CallDesk, office.desk) as desk:
        assert await desk.place(PlaceCall(THEM, order_id="a")) == PlacedCall("a", "refused", detail="error 21217")
        assert (await desk.order("a")).status == "refused"


async def test_an_order_that_nobody_gave_is_not_found(office: Office, doors: Doors) -> None:
    async with doors(CallDesk, office.desk) as desk:
        with pytest.raises(NotFound):
            await desk.order("a")


@pytest.mark.parametrize(
    ("request_", "kind", "reason"),
    [
        (PlaceCall("4155550123"), BadInput, "not-e164"),
        (PlaceCall(THEM, sender="+1"), BadInput, "not-e164"),
        (PlaceCall(US), BadInput, "own-number"),
        (PlaceCall("+4930123456"), Forbidden, "country-not-allowed"),
        (PlaceCall("+19005551234"), Forbidden, "premium-number"),
        (PlaceCall("+12125550123", playbook="unheard-of"), BadInput, "unknown-playbook"),
    ],
)
async def test_what_is_refused_has_its_own_reason(
    office: Office, doors: Doors, request_: PlaceCall, kind: type[ScrizaError], reason: str
) -> None:
    async with doors(CallDesk, office.desk) as desk:
        assert await reason_of(desk, request_, kind) == reason
    assert office.placing.intents.intents == {}


async def test_nobody_is_called_outside_the_hours_of_where_they_are(office: Office, doors: Doors) -> None:
    office.now = NOON.replace(hour=1)  # five in the afternoon of Sunday in San Francisco
    async with doors(CallDesk, office.desk) as desk:
        assert await reason_of(desk, PlaceCall(THEM), Forbidden) == "outside-calling-hours"
        office.now = NOON - timedelta(hours=4)  # eight in the morning there, eleven in New York
        assert await reason_of(desk, PlaceCall(THEM), Forbidden) == "outside-calling-hours"
        assert (await desk.place(PlaceCall("+12125550123"))).status == "placed"


async def test_who_is_on_the_list_is_not_called(office: Office, doors: Doors) -> None:
    async with doors(CallDesk, office.desk) as desk:
        await desk.bar(THEM, BarredReason("asked us"))
        assert await reason_of(desk, PlaceCall(THEM), Forbidden) == "do-not-call"
        await desk.unbar(THEM)
        assert (await desk.place(PlaceCall(THEM))).status == "placed"


async def test_no_more_calls_are_under_way_than_allowed(office: Office, doors: Doors) -> None:
    async with doors(CallDesk, office.desk) as desk:
        await desk.place(PlaceCall(THEM, order_id="a"))
        assert await reason_of(desk, PlaceCall(THEM), Conflict) == "already-calling"
        await desk.place(PlaceCall("+14155550124"))
        assert await reason_of(desk, PlaceCall("+14155550125"), RateLimited) == "too-many-calls"
        await office.placing.reception.over("default", "a", 61)
        assert (await desk.place(PlaceCall("+14155550125"))).status == "placed"


async def test_nobody_is_called_without_credit(office: Office, doors: Doors) -> None:
    async with doors(CallDesk, office.desk) as desk:
        office.placing.purse.seconds = 0
        assert await reason_of(desk, PlaceCall(THEM), NoCredit) == "no-credit"
        assert office.carrier.placed == []
        office.placing.purse.seconds = 60
        assert (await desk.place(PlaceCall(THEM))).status == "placed"


async def test_a_call_whose_turn_comes_when_the_credit_is_used_up_is_not_placed(office: Office, doors: Doors) -> None:
    office.carrier.trouble = [RateLimited(retry_after=5)]
    async with doors(CallDesk, office.desk) as desk:
        assert (await desk.place(PlaceCall(THEM, order_id="a"))).status == "queued"
        office.placing.purse.seconds = 0
        office.now += timedelta(seconds=10)
        await office.placing.dispatcher.settle_due()
        assert await desk.order("a") == PlacedCall("a", "refused", detail="no-credit")
    assert len(office.carrier.placed) == 1  # it was asked when there was credit, and said: later


async def test_no_more_is_spent_in_a_day_than_allowed(office: Office, doors: Doors) -> None:
    """Each call reserves what 31 minutes cost, and takes 20 of the day's 100."""
    async with doors(CallDesk, office.desk) as desk:
        for number in range(4):
            await desk.place(PlaceCall(f"+1415555013{number}", order_id=f"order-{number}"))
            await office.placing.reception.over("default", f"order-{number}", 20 * 60)
        spent = sum(intent.cost_micro_usd for intent in office.placing.intents.intents.values())
        assert spent == 4 * 20 * 14_000
        with pytest.raises(RateLimited) as refused:
            await desk.place(PlaceCall(THEM))
        assert (refused.value.reason, refused.value.retry_after) == ("spending-limit", 4 * 3600)
        office.now += timedelta(hours=4)
        assert (await desk.place(PlaceCall(THEM))).status == "placed"


async def test_who_places_a_call_is_one_of_our_numbers_where_we_have_any(office: Office, doors: Doors) -> None:
    bare = office.placing.desk(TwoPlaybooks())
    async with doors(CallDesk, bare) as desk:
        assert await reason_of(desk, PlaceCall(THEM), BadInput) == "no-sender"
        assert (await desk.place(PlaceCall(THEM, sender=US))).status == "placed"
        await desk.set_number("+14155550102", NumberSettings())
        assert await reason_of(desk, PlaceCall("+14155550102"), BadInput) == "own-number"
        await desk.forget_number("+14155550102")
        await desk.set_number(OTHER, NumberSettings(playbook="sales", person="+14155550177"))
        assert await reason_of(desk, PlaceCall("+14155550124", sender=US), BadInput) == "unknown-sender"
        placed = await desk.place(PlaceCall("+14155550124"))
    intent = office.placing.intents.intents
    wish = next(each.wish for each in intent.values() if each.carrier_id == placed.call_id)
    assert isinstance(wish, CallWish)
    assert office.carrier.placed[-1].sender == OTHER
    assert (wish.assignment.playbook, wish.assignment.person) == ("sales", "+14155550177")


async def test_a_refusal_is_told_in_the_log_without_the_number(office: Office) -> None:
    with capture_logs() as logs, pytest.raises(Forbidden):
        await office.desk.place(PlaceCall("+4930123456", order_id="a"))
    assert logs == [{"event": "order.refused", "log_level": "warning", "order": "a", "reason": "country-not-allowed"}]


async def test_the_only_number_of_a_workspace_goes_before_the_one_of_the_settings(office: Office) -> None:
    await office.desk.set_number(OTHER, NumberSettings())
    await office.desk.place(PlaceCall(THEM))
    assert office.carrier.placed[0].sender == OTHER


# ---- the switch ---------------------------------------------------------------------------------------------------


async def test_a_switch_stops_everything_until_it_is_turned_back(office: Office, doors: Doors) -> None:
    async with doors(CallDesk, office.desk) as desk:
        assert not (await desk.switch()).stopped
        stopped = await desk.stop()
        assert (stopped.stopped, stopped.since) == (True, NOON)
        assert await desk.switch() == stopped == await desk.stop()
        assert office.placing.switch.stopped()
        assert office.placing.closed
        assert await reason_of(desk, PlaceCall(THEM), Unavailable) == "calls-stopped"
        assert not (await desk.resume()).stopped
        assert not office.placing.switch.stopped()
        assert (await desk.place(PlaceCall(THEM))).status == "placed"


async def test_an_order_that_waits_is_refused_when_everything_is_stopped(office: Office, doors: Doors) -> None:
    office.carrier.trouble = [RateLimited("slowly", retry_after=5)]
    async with doors(CallDesk, office.desk) as desk:
        assert (await desk.place(PlaceCall(THEM, order_id="a"))).status == "queued"
        await desk.stop()
        office.now += timedelta(seconds=5)
        await office.placing.dispatcher.settle_due()
        assert await desk.order("a") == PlacedCall("a", "refused", detail="calls-stopped")


# ---- numbers ------------------------------------------------------------------------------------------------------

SETTINGS = NumberSettings(
    label="Sales",
    playbook="sales",
    hours="Mon-Fri 09:00-18:00",
    zone="Europe/London",
    person="+14155550177",
    closed="answer",
    closed_playbook="closed",
)


async def test_a_number_is_told_where_it_leads(office: Office, doors: Doors) -> None:
    async with doors(CallDesk, office.desk) as desk:
        told = await desk.set_number(US, SETTINGS)
        assert (told.number, told.playbook, told.zone) == (US, "sales", "Europe/London")
        assert await desk.number(US) == told
        await desk.set_number(OTHER, NumberSettings())
        assert [each.number for each in (await desk.numbers()).data] == [US, OTHER]
        await desk.forget_number(US)
        await desk.forget_number(US)
        with pytest.raises(NotFound):
            await desk.number(US)


async def test_the_numbers_of_others_are_neither_seen_nor_touched(office: Office, doors: Doors) -> None:
    async with doors(CallDesk, office.desk) as desk:
        await desk.set_number(US, SETTINGS)
        with acting(Principal("acme")):
            assert (await desk.numbers()).data == []
            with pytest.raises(NotFound):
                await desk.number(US)
            with pytest.raises(Conflict) as refused:
                await desk.set_number(US, NumberSettings())
            assert refused.value.reason == "number-of-others"
            await desk.forget_number(US)
        assert isinstance(await desk.number(US), PhoneNumber)


@pytest.mark.parametrize(
    "settings",
    [
        NumberSettings(hours="sometimes"),
        NumberSettings(zone="Europe/Nowhere"),
        NumberSettings(zone="../../etc/passwd"),
        NumberSettings(zone=""),
        NumberSettings(playbook="unheard-of"),
        NumberSettings(closed="answer", closed_playbook="unheard-of"),
        NumberSettings(closed="transfer"),
    ],
)
async def test_settings_that_would_fail_in_a_call_are_refused_before(
    office: Office, doors: Doors, settings: NumberSettings
) -> None:
    async with doors(CallDesk, office.desk) as desk:
        with pytest.raises(BadInput):
            await desk.set_number(US, settings)
        with pytest.raises(BadInput):
            await desk.set_number("4155550100", NumberSettings())


# ---- the do-not-call list -----------------------------------------------------------------------------------------


async def test_a_number_is_put_on_the_list_and_taken_off(office: Office, doors: Doors) -> None:
    async with doors(CallDesk, office.desk) as desk:
        entry = await desk.bar(THEM, BarredReason("asked us"))
        assert entry == BarredNumber(THEM, "team", "asked us", NOON)
        assert await desk.bar(THEM, BarredReason("again")) == entry == await desk.barred(THEM)
        with acting(Principal("acme")), pytest.raises(NotFound):
            await desk.barred(THEM)
        await desk.unbar(THEM)
        await desk.unbar(THEM)
        with pytest.raises(NotFound):
            await desk.barred(THEM)
        with pytest.raises(BadInput):
            await desk.bar("not a number", BarredReason())


async def test_the_list_is_read_page_by_page(office: Office, doors: Doors) -> None:
    numbers = [f"+1415555012{n}" for n in range(5)]
    async with doors(CallDesk, office.desk) as desk:
        for number in reversed(numbers):
            await desk.bar(number, BarredReason())
        read, cursor = [], ""
        for size in (2, 2, 1):
            page = await desk.barred_numbers(BarredQuery(limit=2, cursor=cursor))
            assert len(page.data) == size
            read += [entry.number for entry in page.data]
            cursor = page.next
    assert (read, cursor) == (numbers, "")


def test_the_numbers_of_these_tests_are_where_they_are_taken_to_be() -> None:
    assert destination(THEM).zones == ("America/Los_Angeles",)
    assert destination("+12125550123").zones == ("America/New_York",)
