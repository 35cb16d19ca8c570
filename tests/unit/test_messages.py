"""Incoming messages: the do-not-call list, and what people reply."""

import asyncio
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from structlog.testing import capture_logs

from scriza.kernel.errors import BadInput, Forbidden, Unavailable
from scriza.kernel.events import Topic
from scriza.modules.telephony.call_log import CallReader, NewCall
from scriza.modules.telephony.messages import Messages, Wish, wish_of
from scriza.modules.telephony.signatures import SignatureGate, SigningKeys
from scriza.ports.call_desk import BarredNumber, PhoneNumber
from scriza.ports.telephony import MessageReceived, MessageRecord
from tests.memory_books import name_of
from tests.memory_log import MemoryCallLog
from tests.memory_placing import MemoryPlacing
from tests.unit.webhook_rig import PUBLIC, TOKEN, signed
from tests.virtual_time import run_virtual

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
THEM, US = "+14155550123", "+18005551212"


class Office:
    """The webhook of messages with everything around it in memory."""

    def __init__(self, reader: CallReader | None = None) -> None:
        self.now = START
        self.log = MemoryCallLog(lambda: self.now)
        self.placing = MemoryPlacing(clock=lambda: self.now)
        gate = SignatureGate(SigningKeys((TOKEN,)), public_url=PUBLIC, mode="enforce")
        self.messages = Messages(
            self.log, reader or self.log, gate, self.placing.reception, self.placing.barred, name_of, lambda: self.now
        )

    async def text(self, body: str, sid: str = "SM1", **more: str) -> str:
        form = {"MessageSid": sid, "From": THEM, "To": US, "Body": body} | more
        return await self.messages.receive(signed("/sms", form))

    async def barred(self, workspace: str = "default") -> BarredNumber | None:
        return await self.placing.barred.find(workspace, THEM)

    async def call(self, call_id: str, *, direction: str = "inbound", workspace: str = "default") -> None:
        self.now += timedelta(seconds=1)
        caller, callee = (THEM, US) if direction == "inbound" else (US, THEM)
        new = NewCall(call_id, workspace, "inbound", caller, callee, "ringing", self.now)
        await self.log.open(new)


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.mark.parametrize(
    "word",
    [
        *("STOP", "stop", " Stop ", "STOPALL", "UNSUBSCRIBE", "cancel", "END", "Quit", "REVOKE", "OPTOUT"),
        *("Stop.", "stop!!", '"STOP"', "stop all", "Opt-out", "opt out"),
    ],
)
async def test_stop_and_its_kin_put_a_number_on_the_list(office: Office, word: str) -> None:
    answer = await office.text(word)
    assert answer == '<?xml version="1.0" encoding="UTF-8"?><Response />'
    assert await office.barred() == BarredNumber(THEM, "message", "asked for by a message", START)
    assert office.log.told == []


@pytest.mark.parametrize(
    ("text", "opt_out", "wish"),
    [
        *(("STOP", "", "stop"), ("ARRET", "STOP", "stop"), ("yes", "", "start"), ("unstop", "", "start")),
        *(("help", "", "help"), ("INFO", "", "help"), ("stop calling at noon", "", ""), ("", "", "")),
        *(("cancel 10:30", "", ""), ("the end", "", ""), ("...", "", "")),
    ],
)
def test_the_carriers_own_finding_goes_before_the_word(text: str, opt_out: str, wish: Wish) -> None:
    assert wish_of(text, opt_out) == wish


@pytest.mark.parametrize("word", ["START", "unstop", "YES"])
async def test_who_stopped_can_start_again(office: Office, word: str) -> None:
    await office.text("STOP")
    await office.text(word, "SM2")
    assert await office.barred() is None
    assert office.log.told == []


async def test_whom_the_team_has_put_on_the_list_stays_there_and_is_heard(office: Office) -> None:
    entry = BarredNumber(THEM, "team", "rude", START)
    await office.placing.barred.put("default", entry)
    await office.text("START")
    assert await office.barred() == entry
    assert [event.type for event in office.log.told] == [Topic.MESSAGE_RECEIVED]


async def test_whom_the_team_has_put_there_as_well_does_not_come_off_by_a_message(office: Office) -> None:
    await office.text("STOP")
    await office.placing.barred.put("default", BarredNumber(THEM, "team", "asked on the phone", START))
    await office.text("START", "SM2")
    entry = await office.barred()
    assert entry is not None
    assert entry.source == "team"


async def test_a_plain_yes_of_somebody_who_never_stopped_is_a_reply(office: Office) -> None:
    await office.call("CA1")
    await office.text("Yes")
    record = await office.log.record("default", "CA1")
    assert record is not None
    assert [message.text for message in record.messages] == ["Yes"]


async def test_help_is_left_to_the_carrier(office: Office) -> None:
    await office.text("HELP")
    assert (await office.barred(), office.log.told) == (None, [])


async def test_a_reply_is_kept_beside_the_last_call_with_that_number_and_told(office: Office) -> None:
    await office.call("CA1")
    await office.call("CA2", direction="outbound")
    await office.text("Tuesday at ten")
    record = await office.log.record("default", "CA2")
    assert record is not None
    assert record.messages == [MessageRecord("SM1", "Tuesday at ten", office.now)]
    told = office.log.told[0]
    assert (told.type, told.subject, told.workspace) == (Topic.MESSAGE_RECEIVED, "CA2", "default")
    data = msgspec.json.decode(told.data, type=MessageReceived)
    assert data == MessageReceived("CA2", "SM1", "Tuesday at ten", name_of("default", THEM))


async def test_a_message_without_any_call_is_told_all_the_same(office: Office) -> None:
    await office.text("Hello?")
    (told,) = office.log.told
    assert (told.call_id, told.subject) == ("", name_of("default", THEM))


async def test_a_message_that_comes_twice_is_the_same_message(office: Office) -> None:
    await office.call("CA1")
    for _ in range(3):
        await office.text("Tuesday at ten")
    record = await office.log.record("default", "CA1")
    assert record is not None
    assert (len(record.messages), len(office.log.told)) == (1, 1)


async def test_a_message_belongs_to_the_workspace_of_our_number(office: Office) -> None:
    await office.placing.numbers.put("acme", PhoneNumber(number=US))
    await office.call("CA1", workspace="acme")
    await office.call("CA2")
    await office.text("Hello")
    await office.text("STOP", "SM2")
    assert office.log.told[0].subject == "CA1"
    assert await office.barred("acme") is not None
    assert await office.barred() is None


async def test_a_message_from_no_number_is_nobodys(office: Office) -> None:
    await office.text("STOP", From="ACME")
    assert office.log.told == []


async def test_a_message_that_nobody_signed_is_refused(office: Office) -> None:
    with pytest.raises(Forbidden):
        await office.messages.receive(
            signed("/sms", {"MessageSid": "SM1", "From": THEM, "Body": "STOP"}, token="guess")
        )
    assert await office.barred() is None


@pytest.mark.parametrize("sid", ["", "SM 1", "x" * 65])
async def test_a_message_without_its_id_is_refused(office: Office, sid: str) -> None:
    with pytest.raises(BadInput):
        await office.text("Hello", sid)


def test_a_store_that_does_not_answer_has_the_message_told_again() -> None:
    class Stuck(MemoryCallLog):
        async def last_call_with(self, workspace: str, number: str) -> str:
            await asyncio.Event().wait()
            return ""

    async def main() -> None:
        with pytest.raises(Unavailable):
            await Office(Stuck()).text("Hello")

    run_virtual(main())


async def test_no_log_line_holds_a_number_or_what_is_written(office: Office) -> None:
    with capture_logs() as logs:
        await office.text("my code is 4711")
        await office.text("STOP", "SM2")
    assert [line["event"] for line in logs] == ["message.received"] * 2
    assert not any(word in str(logs) for word in (THEM, US, "4711"))
