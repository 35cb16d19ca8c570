"""How a call is led by the number that was called, by the order that placed it, or not at all."""

from datetime import timedelta

import msgspec
import pytest

from scriza.kernel.events import Topic
from scriza.modules.telephony.call_log import Assignment
from scriza.modules.telephony.placing.intents import CallWish, Intent, intent_of
from scriza.modules.telephony.reception import CLOSED
from scriza.modules.telephony.stopping import STOPPED
from scriza.modules.telephony.twiml import APOLOGY, CALLED_IN_VAIN
from scriza.ports.agent import CallFacts, CallPlan, Conversation, FixedLines, Voice
from scriza.ports.call_desk import PhoneNumber
from tests.memory_placing import MemoryPlacing, NoAgent
from tests.unit.webhook_rig import CALL, INCOMING, NOW, Office, signed, token_in


@pytest.fixture
def office() -> Office:
    return Office()


# ---- who a call is for --------------------------------------------------------------------------------------------

NUMBER = INCOMING["To"]
CLOSED_NOW = PhoneNumber(number=NUMBER, playbook="sales", hours="Mon-Fri 13:00-18:00", person="+15550001111")
"""It is noon on a Thursday, UTC."""


async def say_about(office: Office, number: PhoneNumber, workspace: str = "acme") -> None:
    await office.placing.numbers.put(workspace, number)


async def test_a_call_belongs_to_the_workspace_and_the_playbook_of_the_number_that_was_called(office: Office) -> None:
    await say_about(office, PhoneNumber(number=NUMBER, playbook="sales", person="+15550001111"))
    assert token_in(await office.voice())
    call = await office.found()
    assert (call.workspace, call.assignment) == ("acme", Assignment("sales", "+15550001111"))
    await office.status("completed", 3, CallDuration="5")
    assert {event.workspace for event in office.log.told} == {"acme"}


async def test_a_number_that_nothing_is_said_about_is_answered_by_the_default(office: Office) -> None:
    assert token_in(await office.voice())
    call = await office.found()
    assert (call.workspace, call.assignment) == ("default", Assignment())


async def test_outside_hours_the_caller_hears_the_numbers_line(office: Office) -> None:
    await say_about(office, msgspec.structs.replace(CLOSED_NOW, closed_line="We open at one."))
    assert "<Say>We open at one.</Say><Hangup />" in await office.voice()
    office.now += timedelta(hours=1)
    assert token_in(await office.voice(CallSid="CA2"))


async def test_outside_hours_a_polite_line_is_said_where_the_number_has_none(office: Office) -> None:
    await say_about(office, CLOSED_NOW)
    assert CLOSED in await office.voice()


async def test_outside_hours_the_playbooks_own_line_is_said_where_the_number_has_none() -> None:
    class Closed(NoAgent):
        async def begin(self, call: CallFacts) -> CallPlan:
            lines = FixedLines(
                "Hello", "", [], "", "", "", "", "", "", closed=f"This is {call.playbook}. We are closed."
            )
            return CallPlan(Conversation("sales@1", "opening"), lines, Voice(), [])

    office = Office(placing=MemoryPlacing(clock=lambda: NOW, agent=Closed()))
    await say_about(office, CLOSED_NOW)
    assert "<Say>This is sales. We are closed.</Say><Hangup />" in await office.voice()


async def test_outside_hours_another_playbook_may_take_a_message(office: Office) -> None:
    await say_about(office, msgspec.structs.replace(CLOSED_NOW, closed="answer", closed_playbook="messages"))
    assert token_in(await office.voice())
    assert (await office.found()).assignment.playbook == "messages"


async def test_hours_are_those_of_the_numbers_own_zone(office: Office) -> None:
    await say_about(office, msgspec.structs.replace(CLOSED_NOW, zone="Europe/Berlin"))
    assert token_in(await office.voice())


async def test_outside_hours_the_caller_may_be_connected_to_a_person(office: Office) -> None:
    await say_about(office, msgspec.structs.replace(CLOSED_NOW, closed="transfer"))
    twiml = await office.voice()
    assert "<Number>+15550001111</Number>" in twiml
    assert "callerId" not in twiml
    assert f'callerId="{NUMBER}"' in await office.voice(CallSid="CA2", From="anonymous")
    assert (await office.found()).in_transfer
    assert "<Hangup />" in await office.dialled("completed", DialBridged="true")
    assert (await office.found()).ended_reason == "transferred"


async def test_a_person_who_cannot_be_reached_outside_hours_leaves_the_caller_with_the_agent(office: Office) -> None:
    await say_about(office, msgspec.structs.replace(CLOSED_NOW, closed="transfer"))
    await office.voice()
    assert token_in(await office.dialled("no-answer"))
    call = await office.log.attach(CALL)
    assert not call.in_transfer
    assert call.assignment.playbook == "sales"


# ---- calls that we placed -----------------------------------------------------------------------------------------


async def ordered(office: Office, order_id: str = "order-1") -> Intent:
    """An order whose answer got lost before the carrier had it, or so it seemed."""
    intent = Intent(
        intent_id=intent_of("acme", order_id),
        workspace="acme",
        sender=NUMBER,
        to="+14155550123",
        wish=CallWish(Assignment("sales", order_id=order_id, reason="They asked.", variables={"name": "Ada"})),
        recorded_at=office.now,
        expires_at=office.now + timedelta(minutes=2),
        due_at=office.now,
        cost_micro_usd=434_000,
    )
    office.carrier.trouble = ["lost before"]
    return await office.placing.dispatcher.settle(await office.placing.intents.record(intent, lambda _: None))


OUTBOUND = {"Direction": "outbound-api", "From": NUMBER, "To": "+14155550123", "CallStatus": "in-progress"}


async def test_a_call_that_was_ordered_is_led_as_the_order_says_and_proves_that_it_was_placed(office: Office) -> None:
    intent = await ordered(office)
    assert intent.state == "unsure"
    twiml = await office.webhooks.voice(signed(f"/voice?order={intent.intent_id}", INCOMING | OUTBOUND))
    assert token_in(twiml)
    call = await office.found()
    assert (call.workspace, call.direction, call.assignment.playbook) == ("acme", "outbound", "sales")
    assert call.assignment.variables == {"name": "Ada"}
    known = await office.placing.intents.find(intent.intent_id)
    assert known is not None
    assert (known.state, known.carrier_id) == ("done", CALL)
    record = await office.log.record("acme", CALL)
    assert record is not None
    assert (record.order_id, record.reason) == ("order-1", "They asked.")


@pytest.mark.parametrize(("duration", "cost"), [({"CallDuration": "61"}, 28_000), ({}, 14_000)])
async def test_the_end_of_a_call_that_was_ordered_frees_its_place(
    office: Office, duration: dict[str, str], cost: int
) -> None:
    intent = await ordered(office)
    target = f"/status-callback?order={intent.intent_id}"
    await office.webhooks.voice(signed(f"/voice?order={intent.intent_id}", INCOMING | OUTBOUND))
    office.now += timedelta(seconds=30)
    form = INCOMING | OUTBOUND | {"CallStatus": "completed", "SequenceNumber": "3"} | duration
    await office.webhooks.status(signed(target, form))
    known = await office.placing.intents.find(intent.intent_id)
    assert known is not None
    assert (known.over, known.cost_micro_usd) == (True, cost)


async def test_a_call_that_was_ordered_and_never_answered_costs_nothing(office: Office) -> None:
    intent = await ordered(office)
    form = INCOMING | OUTBOUND | {"CallStatus": "no-answer", "SequenceNumber": "2", "CallDuration": "0"}
    await office.webhooks.status(signed(f"/status-callback?order={intent.intent_id}", form))
    known = await office.placing.intents.find(intent.intent_id)
    assert known is not None
    assert (known.state, known.over, known.cost_micro_usd) == ("done", True, 0)
    record = await office.log.record("acme", CALL)
    assert record is not None
    assert (record.status, record.order_id) == ("no-answer", "order-1")


async def test_an_order_that_is_not_known_is_led_by_the_default(office: Office) -> None:
    assert token_in(await office.webhooks.voice(signed("/voice?order=guess", INCOMING | OUTBOUND)))
    assert (await office.found()).workspace == "default"


# ---- all calls are stopped ----------------------------------------------------------------------------------------


async def test_while_all_calls_are_stopped_a_caller_hears_a_line(office: Office) -> None:
    await office.placing.switch.turn(stopped=True)
    assert f"<Say>{STOPPED}</Say><Hangup />" in await office.voice()
    await office.placing.switch.turn(stopped=False)
    assert token_in(await office.voice(CallSid="CA2"))


async def test_whom_we_have_called_meanwhile_is_not_told_to_try_again(office: Office) -> None:
    intent = await ordered(office)
    await office.placing.switch.turn(stopped=True)
    twiml = await office.webhooks.voice(signed(f"/voice?order={intent.intent_id}", INCOMING | OUTBOUND))
    assert f"<Say>{CALLED_IN_VAIN}</Say><Hangup />" in twiml


async def test_another_process_learns_of_the_switch_when_it_looks(office: Office) -> None:
    await office.placing.switch_book.set(stopped=True, at=NOW)
    assert token_in(await office.voice())
    await office.placing.switch.look()
    assert STOPPED in await office.voice(CallSid="CA2")
    assert office.placing.closed == 1
    await office.placing.switch.look()
    assert office.placing.closed == 2  # those that were let in a moment too early


async def test_without_credit_a_caller_hears_a_polite_line_that_does_not_tell_why(office: Office) -> None:
    await say_about(office, PhoneNumber(number=NUMBER, playbook="sales"))
    office.placing.purse.seconds = 0
    answer = await office.voice()
    assert f"<Say>{APOLOGY}</Say><Hangup />" in answer
    assert "credit" not in APOLOGY
    assert (await office.found()).ended_reason == "no-credit"
    (completed,) = office.told(Topic.CALL_COMPLETED)
    assert b'"ended_reason":"no-credit"' in bytes(completed.data)
    assert office.placing.purse.workspaces == {"acme"}
    assert await office.voice() == answer  # Twilio repeats itself
    await office.status("completed", 3, CallDuration="4")
    assert (await office.found()).ended_reason == "no-credit"
    assert len(office.told(Topic.CALL_COMPLETED)) == 1


async def test_a_call_that_begins_has_credit_set_aside_in_its_workspace_once(office: Office) -> None:
    await say_about(office, PhoneNumber(number=NUMBER, playbook="sales"))
    office.placing.purse.seconds = 120
    assert token_in(await office.voice())
    assert office.placing.purse.held == {CALL: 120}
    assert office.placing.purse.workspaces == {"acme"}
    assert "<Hangup />" in await office.voice(CallSid="CA0000000000000000000000000000beef")


async def test_who_answers_a_call_of_ours_without_credit_is_told_sorry(office: Office) -> None:
    office.placing.purse.seconds = 0
    answer = await office.voice(Direction="outbound-api")
    assert f"<Say>{CALLED_IN_VAIN}</Say><Hangup />" in answer
