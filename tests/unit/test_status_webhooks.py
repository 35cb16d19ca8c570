"""What Twilio tells of a call beside its documents: who took it, and each change of its status."""

import asyncio
from typing import get_args

import msgspec
import pytest
from structlog.testing import capture_logs

from scriza.kernel.errors import BadInput, Unavailable
from scriza.kernel.events import Event, Topic
from scriza.kernel.pseudonym import pseudonym
from scriza.modules.telephony.call_log import Entry, StatusReport
from scriza.ports.agent import Conversation
from scriza.ports.telephony import CallCompleted, CallStatus
from tests.memory_log import MemoryCallLog
from tests.unit.webhook_rig import CALL, INCOMING, NOW, Office, ending, signed
from tests.virtual_time import run_virtual


@pytest.fixture
def office() -> Office:
    return Office()


# ---- /voice/answered-by -------------------------------------------------------------------------------------------


async def test_who_took_the_call_is_told_here_and_kept_for_others(office: Office) -> None:
    await office.voice(Direction="outbound-api")
    await office.answered_by("machine_end_beep")
    await office.answered_by("human")
    assert office.heard == [(CALL, "machine_end_beep"), (CALL, "human")]
    assert (await office.found()).answered_by == "machine_end_beep"


async def test_a_word_that_names_nobody_is_ignored(office: Office) -> None:
    await office.voice(Direction="outbound-api")
    await office.answered_by("a ghost")
    assert office.heard == []


# ---- /status-callback ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", get_args(CallStatus))
async def test_each_status_is_recorded_in_twilios_own_word(office: Office, word: CallStatus) -> None:
    await office.voice()
    await office.status(word, 1)
    assert (await office.found()).status == word


@pytest.mark.parametrize("word", ["busy", "failed", "no-answer", "canceled", "completed"])
async def test_a_terminal_status_closes_a_call_that_no_stream_ever_opened(office: Office, word: CallStatus) -> None:
    await office.status("initiated", 0, Direction="outbound-api")
    await office.status(word, 2, Direction="outbound-api", CallDuration="0")
    call = await office.found()
    assert (call.status, call.ended_reason, call.direction) == (word, word, "outbound")
    (completed,) = office.told(Topic.CALL_COMPLETED)
    data = msgspec.json.decode(completed.data, type=CallCompleted)
    callee = pseudonym("key", "default", "+18005551212")
    assert data == CallCompleted(CALL, word, word, "", 0, 0, "outbound", callee, started_at=NOW)


async def test_the_true_duration_comes_with_the_last_status(office: Office) -> None:
    await office.voice()
    await office.log.append([Entry(CALL, 0, "heard", "Hello", "greeting", NOW)], [])
    await office.status("completed", 3, CallDuration="42", Duration="1")
    record = await office.log.record("default", CALL)
    assert record is not None
    assert record.duration_seconds == 42
    (completed,) = office.told(Topic.CALL_COMPLETED)
    assert msgspec.json.decode(completed.data, type=CallCompleted).turns == 1


async def test_statuses_that_come_in_another_order_give_the_same_record(office: Office) -> None:
    words = {0: "initiated", 1: "ringing", 2: "in-progress", 3: "completed"}
    for sequence in (3, 0, 2, 1):
        await office.status(words[sequence], sequence)
    assert (await office.found()).status == "completed"
    assert len(office.told(Topic.CALL_COMPLETED)) == 1


async def test_a_status_told_twice_is_told_on_once(office: Office) -> None:
    await office.voice()
    for _ in range(3):
        await office.status("in-progress", 1)
    assert len(office.told(Topic.CALL_UPDATED)) == 1


async def test_whoever_leads_the_call_hears_of_its_status_too(office: Office) -> None:
    await office.voice()
    await office.status("completed", 3)
    await office.status("hovering", 4)
    assert office.heard == [(CALL, "completed")]


async def test_the_end_of_a_call_that_we_ended_is_not_told_again(office: Office) -> None:
    await office.voice()
    await office.log.end(ending())
    await office.status("completed", 3, CallDuration="30")
    assert office.told(Topic.CALL_COMPLETED) == []


class Slow(MemoryCallLog):
    async def report(self, report: StatusReport, *events: Event) -> bool:
        await asyncio.sleep(9)
        return await super().report(report, *events)


def test_a_status_is_waited_for_as_long_as_twilio_does_since_it_is_told_once_only() -> None:
    async def call() -> None:
        office = Office(log=Slow())
        await office.voice()
        await office.status("completed", 1)
        assert (await office.found()).ended_reason == "completed"

    run_virtual(call())


async def test_a_status_change_tells_the_stage_of_the_conversation(office: Office) -> None:
    await office.voice()
    conversation = Conversation(playbook="p", stage="pricing")
    await office.log.append([Entry(CALL, 0, "reply", "Hello", "pricing", NOW, conversation=conversation)], [])
    await office.status("in-progress", 1)
    assert b'"stage":"pricing"' in bytes(office.told(Topic.CALL_UPDATED)[0].data)


@pytest.mark.parametrize("word", ["", "hovering", "Completed", "a" * 1000])
async def test_an_unknown_status_is_ignored_and_logged(office: Office, word: str) -> None:
    await office.voice()
    with capture_logs() as logs:
        await office.status(word, 5)
    assert [line["event"] for line in logs] == ["status.ignored"]
    assert (await office.found()).status == "ringing"


async def test_the_leg_that_a_transfer_dials_is_no_call_of_its_own(office: Office) -> None:
    await office.status("completed", 3, Direction="outbound-dial", ParentCallSid="CA9")
    assert await office.log.find(CALL) is None


@pytest.mark.parametrize(
    "bad", [{"SequenceNumber": "x"}, {"SequenceNumber": "-1"}, {"SequenceNumber": "1" * 20}, {"CallDuration": "1.5"}]
)
async def test_a_status_with_numbers_that_are_none_is_bad_input(office: Office, bad: dict[str, str]) -> None:
    form = INCOMING | {"CallStatus": "completed", "SequenceNumber": "1"} | bad
    with pytest.raises(BadInput, match="not a number"):
        await office.webhooks.status(signed("/status-callback", form))


async def test_blank_numbers_are_no_numbers(office: Office) -> None:
    await office.status("completed", "", CallDuration="")
    assert (await office.found()).status == "completed"


def test_a_store_that_hangs_has_the_status_sent_again() -> None:
    class Hanging(MemoryCallLog):
        async def report(self, report: StatusReport, *events: Event) -> bool:
            await asyncio.sleep(3600)
            return True

    async def call() -> None:
        with pytest.raises(Unavailable):
            await Office(log=Hanging()).status("completed", 1)

    run_virtual(call())
