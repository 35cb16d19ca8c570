"""Twilio's webhooks, from the signed request to the record and the TwiML, without HTTP."""

import asyncio
import hmac
import re
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import get_args
from urllib.parse import urlencode

import msgspec
import pytest
from structlog.testing import capture_logs

from scriza.kernel.errors import BadInput, Forbidden, Unavailable
from scriza.kernel.events import Event, Topic
from scriza.kernel.principal import current
from scriza.modules.telephony.call_log import Ending, Entry, HandOver, JournaledCall, NewCall, StatusReport
from scriza.modules.telephony.signatures import Signature, SignatureGate, SigningKeys, parse_form, signed_text
from scriza.modules.telephony.tokens import StreamTokens
from scriza.modules.telephony.twiml import APOLOGY, CALLED_IN_VAIN, UNREACHED, Twiml
from scriza.modules.telephony.webhooks import MOST_STREAMS, Webhook, Webhooks
from scriza.ports.agent import Conversation
from scriza.ports.telephony import CallCompleted, CallMetrics, CallStatus
from tests.memory_log import MemoryCallLog, MemoryOnce
from tests.memory_placing import MemoryPlacing
from tests.standins.carrier import StandInCarrier
from tests.virtual_time import run_virtual

PUBLIC = "https://pbx.example"
TOKEN = "auth-token"
CALL = "CA0123456789abcdef0123456789abcdef"
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
INCOMING = {
    "CallSid": CALL,
    "AccountSid": "AC1",
    "From": "+14155550123",
    "To": "+18005551212",
    "CallStatus": "ringing",
    "Direction": "inbound",
    "ToState": "",
    "ApiVersion": "2010-04-01",
}


def signed(target: str, form: dict[str, str], *, token: str = TOKEN, idempotency: str = "") -> Webhook:
    body = urlencode(form).encode()
    text = signed_text(PUBLIC + target, parse_form(body))
    signature = b64encode(hmac.digest(token.encode(), text.encode(), "sha1")).decode()
    return Webhook(target, "application/x-www-form-urlencoded", body, Signature(signature), idempotency)


class Office:
    """Webhooks with everything around them in memory."""

    def __init__(
        self,
        log: MemoryCallLog | None = None,
        once: MemoryOnce | None = None,
        placing: MemoryPlacing | None = None,
    ) -> None:
        self.now = NOW
        self.log = log or MemoryCallLog(lambda: self.now)
        self.once = once or MemoryOnce(lambda: self.now)
        self.room = True
        self.heard: list[tuple[str, str]] = []
        self.tokens = StreamTokens("key", self.once, now=lambda: self.now)
        self.carrier = StandInCarrier(lambda: self.now)
        self.placing = placing or MemoryPlacing(self.carrier, lambda: self.now)
        self.webhooks = self.another_process()

    def another_process(self) -> Webhooks:
        return Webhooks(
            self.log,
            self.once,
            SignatureGate(SigningKeys((TOKEN,)), public_url=PUBLIC, mode="enforce"),
            self.tokens,
            Twiml(public_url=PUBLIC, stream_url="wss://pbx.example"),
            self.placing.reception,
            stopped=self.placing.switch.stopped,
            accepts=lambda call_id: self.room,
            on_answered=lambda call_id, who: self.heard.append((call_id, who)),
            on_status=self.hear,
            now=lambda: self.now,
        )

    async def hear(self, call_id: str, status: str) -> None:
        self.heard.append((call_id, status))

    async def voice(self, **changes: str) -> str:
        return await self.webhooks.voice(signed("/voice", INCOMING | changes))

    async def after(self, target: str = "/voice/after", **changes: str) -> str:
        return await self.webhooks.after(signed(target, INCOMING | {"CallStatus": "in-progress"} | changes))

    async def handed_over(self, whisper: str = "Somebody asks for you.", **voice: str) -> None:
        """A stream of the call has come, and has handed the caller over."""
        await self.voice(**voice)
        await self.log.attach(CALL)
        metrics = CallMetrics(turns=4, transfers=1)
        await self.log.hand_over(HandOver(CALL, "+15550001111", whisper, 1, self.now, metrics, "demo_booked"))

    async def dialled(self, result: str, **more: str) -> str:
        form = {"CallStatus": "in-progress", "DialCallSid": "CAchild", "DialCallStatus": result} | more
        return await self.webhooks.dialled(signed("/voice/dialled", INCOMING | form))

    async def whisper(self, target: str, **more: str) -> str:
        """As the leg to the person asks."""
        form = INCOMING | {"CallSid": "CAchild", "ParentCallSid": CALL, "CallStatus": "in-progress"} | more
        ask = self.webhooks.whispered if "Digits" in more else self.webhooks.whisper
        return await ask(signed(target, form))

    async def answered_by(self, who: str) -> None:
        form = {"CallSid": CALL, "AccountSid": "AC1", "AnsweredBy": who, "MachineDetectionDuration": "4200"}
        await self.webhooks.answered_by(signed("/voice/answered-by", form))

    async def status(self, word: str, sequence: int | str, **more: str) -> None:
        form = INCOMING | {"CallStatus": word, "SequenceNumber": str(sequence)} | more
        await self.webhooks.status(signed("/status-callback", form))

    async def found(self) -> JournaledCall:
        call = await self.log.find(CALL)
        assert call is not None
        return call

    def told(self, topic: Topic) -> list[Event]:
        return [event for event in self.log.told if event.type == topic]


@pytest.fixture
def office() -> Office:
    return Office()


def token_in(twiml: str) -> str:
    match = re.search(r'url="wss://pbx.example/stream/([^"]+)"', twiml)
    assert match, twiml
    return match[1]


def url_in(twiml: str) -> str:
    match = re.search(r'<Number url="([^"]+)"', twiml)
    assert match, twiml
    return match[1]


def action_in(twiml: str) -> str:
    match = re.search(r'<Gather action="([^"]+)"', twiml)
    assert match, twiml
    return match[1]


# ---- /voice -------------------------------------------------------------------------------------------------------


async def test_a_call_is_recorded_and_connected_by_a_token_of_its_own(office: Office) -> None:
    twiml = await office.voice()
    assert await office.tokens.redeem(token_in(twiml)) == CALL
    call = await office.found()
    assert (call.caller, call.callee, call.direction) == ("+14155550123", "+18005551212", "inbound")
    assert (call.status, call.started_at, call.workspace) == ("ringing", NOW, "default")
    assert [event.type for event in office.log.told] == [Topic.CALL_STARTED]


async def test_a_repeated_webhook_gets_the_same_answer_and_tells_nothing_twice(office: Office) -> None:
    first = await office.webhooks.voice(signed("/voice", INCOMING, idempotency="i-1"))
    again = await office.webhooks.voice(signed("/voice", INCOMING, idempotency="i-1"))
    elsewhere = await office.another_process().voice(signed("/voice", INCOMING, idempotency="i-1"))
    assert first == again == elsewhere
    assert len(office.log.told) == 1


async def test_without_an_idempotency_token_a_repetition_is_known_by_what_it_says(office: Office) -> None:
    assert await office.voice() == await office.voice()
    assert await office.voice(CallSid="CA2") != await office.voice()


async def test_two_repetitions_at_the_same_time_get_one_answer(office: Office) -> None:
    answers = await asyncio.gather(*(office.voice() for _ in range(5)))
    assert len(set(answers)) == 1
    assert len(office.log.told) == 1


async def test_a_call_that_we_placed_is_outbound(office: Office) -> None:
    await office.voice(Direction="outbound-api", CallStatus="in-progress")
    assert (await office.found()).direction == "outbound"


@pytest.mark.parametrize("number", ["anonymous", "+266696687", "", "sip:someone@example.com", "client:web", "12345"])
async def test_a_number_that_is_withheld_or_none_is_left_empty(office: Office, number: str) -> None:
    await office.voice(From=number)
    assert (await office.found()).caller == ""


@pytest.mark.parametrize("word", ["", "hovering"])
async def test_a_status_word_that_is_none_does_not_lose_the_call(office: Office, word: str) -> None:
    await office.voice(CallStatus=word)
    assert (await office.found()).status == "ringing"


async def test_without_room_an_incoming_call_hears_the_busy_tone_and_a_placed_one_a_sentence(office: Office) -> None:
    office.room = False
    assert '<Reject reason="busy" />' in await office.voice()
    assert CALLED_IN_VAIN in await office.voice(CallSid="CA2", Direction="outbound-api")
    assert (await office.found()).status == "ringing"


async def test_a_call_that_was_over_before_it_was_asked_about_is_not_connected(office: Office) -> None:
    await office.status("completed", 3, CallDuration="0")
    assert "<Response><Hangup /></Response>" in await office.voice()


async def test_a_call_that_we_have_ended_is_not_begun_anew(office: Office) -> None:
    await office.voice()
    await office.log.end(ending())
    assert "<Response><Hangup /></Response>" in await office.voice(CallStatus="in-progress")


@pytest.mark.parametrize("word", ["busy", "failed", "no-answer", "canceled", "completed"])
async def test_a_call_that_is_over_by_its_own_account_is_not_connected(office: Office, word: str) -> None:
    assert "<Response><Hangup /></Response>" in await office.voice(CallStatus=word)


async def test_a_live_call_that_is_asked_about_again_is_connected(office: Office) -> None:
    await office.voice()
    assert token_in(await office.voice(CallStatus="in-progress"))


async def test_what_is_done_for_a_call_is_done_in_its_name(office: Office) -> None:
    seen = []

    class Watching(MemoryCallLog):
        async def open(self, call: NewCall, *events: Event) -> bool:
            seen.append((current().call_id, current().principal.workspace))
            return await super().open(call, *events)

    await Office(log=Watching()).voice()
    assert seen == [(CALL, "default")]


class Broken(MemoryCallLog):
    async def open(self, call: NewCall, *events: Event) -> bool:
        raise ConnectionError("the store is gone")

    async def find(self, call_id: str) -> JournaledCall | None:
        raise ConnectionError("the store is gone")


class Stuck(MemoryOnce):
    async def answer(self, key: str) -> bytes | None:
        await asyncio.sleep(3600)
        return None


async def test_with_the_store_down_the_caller_hears_a_sentence_and_nothing_is_remembered(office: Office) -> None:
    broken = Office(log=Broken(), once=office.once)
    with capture_logs() as logs:
        assert APOLOGY in await broken.voice()
        assert APOLOGY in await broken.after()
    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["voice.failed"] * 2
    assert token_in(await office.voice())


def test_a_store_that_hangs_does_not_keep_the_caller_waiting() -> None:
    async def call() -> None:
        started = asyncio.get_running_loop().time()
        assert APOLOGY in await Office(once=Stuck()).voice()
        assert asyncio.get_running_loop().time() - started <= 5

    run_virtual(call())


@pytest.mark.parametrize("door", ["voice", "after", "status"])
async def test_a_forged_request_is_refused_and_records_nothing(office: Office, door: str) -> None:
    forged = signed("/voice", INCOMING, token="guess")
    with pytest.raises(Forbidden):
        await getattr(office.webhooks, door)(forged)
    moved = signed("/voice/elsewhere", INCOMING)
    with pytest.raises(Forbidden):
        await getattr(office.webhooks, door)(msgspec.structs.replace(moved, target="/voice"))
    assert await office.log.find(CALL) is None


def test_a_forged_fallback_is_refused(office: Office) -> None:
    with pytest.raises(Forbidden):
        office.webhooks.fallback(signed("/voice/fallback", INCOMING, token="guess"))


async def test_a_replayed_request_gives_nothing_but_the_answer_that_was_given(office: Office) -> None:
    captured = signed("/voice", INCOMING)
    token = token_in(await office.webhooks.voice(captured))
    await office.tokens.redeem(token)
    office.now += timedelta(hours=1)
    assert token_in(await office.webhooks.voice(captured)) == token
    with pytest.raises(Forbidden):
        await office.tokens.redeem(token)
    assert len(office.log.told) == 1


@pytest.mark.parametrize("call_id", ["", "CA 1", "../../etc", "C" * 65])
async def test_a_form_without_a_usable_callsid_is_bad_input(office: Office, call_id: str) -> None:
    for door in (office.webhooks.voice, office.webhooks.after, office.webhooks.status):
        with pytest.raises(BadInput, match="CallSid"):
            await door(signed("/voice", INCOMING | {"CallSid": call_id}))


async def test_no_number_is_logged(office: Office) -> None:
    with capture_logs() as logs:
        await office.voice()
        await office.after()
        await office.status("completed", 1, CallDuration="7")
    assert logs
    assert "4155550123" not in str(logs)


# ---- /voice/fallback ----------------------------------------------------------------------------------------------


def test_the_fallback_needs_nothing_but_itself() -> None:
    office = Office(log=Broken(), once=Stuck())
    form = INCOMING | {"ErrorCode": "11200", "ErrorUrl": "https://pbx.example/voice"}
    assert APOLOGY in office.webhooks.fallback(signed("/voice/fallback", form))


# ---- /voice/after -------------------------------------------------------------------------------------------------


def ending(**changes: object) -> Ending:
    plain = Ending(CALL, "agent-goodbye", NOW, 30, CallMetrics())
    return msgspec.structs.replace(plain, **changes)


async def test_a_call_that_lost_its_stream_is_connected_again_by_a_new_token(office: Office) -> None:
    first = token_in(await office.voice())
    await office.log.attach(CALL)
    again = await office.after()
    assert token_in(again) != first
    assert await office.tokens.redeem(token_in(again)) == CALL
    assert "<Redirect>/voice/after?attempt=2</Redirect>" in again


async def test_a_stream_that_never_opens_is_not_tried_for_ever(office: Office) -> None:
    await office.voice()
    target, tries = "/voice/after", 1
    while "<Stream" in (twiml := await office.after(target)):
        tries += 1
        match = re.search(r"<Redirect>(.+)</Redirect>", twiml)
        assert match
        target = match[1]
    assert tries == MOST_STREAMS
    assert APOLOGY in twiml


async def test_streams_that_are_lost_again_and_again_are_counted_whatever_the_url_says(office: Office) -> None:
    await office.voice()
    for _ in range(MOST_STREAMS):
        await office.log.attach(CALL)
    assert APOLOGY in await office.after()


@pytest.mark.parametrize("query", ["attempt=", "attempt=x", "attempt=-1", "attempt=99999999", "attempt=²"])
async def test_an_attempt_that_is_no_number_counts_as_the_first(office: Office, query: str) -> None:
    await office.voice()
    assert "?attempt=2" in await office.after(f"/voice/after?{query}")


async def test_losing_the_stream_twice_is_not_taken_for_a_repetition(office: Office) -> None:
    await office.voice()
    second = token_in(await office.after())
    third = token_in(await office.after("/voice/after?attempt=2"))
    assert second != third
    assert token_in(await office.after("/voice/after?attempt=2")) == third


async def test_a_call_that_we_ended_is_hung_up(office: Office) -> None:
    await office.voice()
    await office.log.end(ending())
    assert "<Response><Hangup /></Response>" in await office.after()


async def test_a_caller_who_hung_up_is_not_connected_again(office: Office) -> None:
    await office.voice()
    assert "<Response><Hangup /></Response>" in await office.after(CallStatus="completed")


async def test_a_call_that_nobody_knows_ends_with_a_sentence(office: Office) -> None:
    assert APOLOGY in await office.after()


# ---- transfers ----------------------------------------------------------------------------------------------------


async def test_a_call_that_is_to_be_transferred_is_dialled(office: Office) -> None:
    await office.handed_over(whisper="")
    twiml = await office.after()
    assert "<Number>+15550001111</Number></Dial><Hangup />" in twiml
    assert 'action="/voice/dialled"' in twiml
    assert "callerId" not in twiml


async def test_a_call_that_we_placed_is_transferred_under_our_own_number(office: Office) -> None:
    await office.handed_over(Direction="outbound-api", From="+18005551212", To="+14155550123")
    assert 'callerId="+18005551212"' in await office.after()


@pytest.mark.parametrize("withheld", ["anonymous", "", "+266696687"])
async def test_a_caller_who_withholds_their_number_is_transferred_under_ours(office: Office, withheld: str) -> None:
    await office.handed_over(From=withheld, To="+18005551212")
    assert 'callerId="+18005551212"' in await office.after()


async def test_the_person_hears_who_is_calling_and_takes_the_call_by_a_key(office: Office) -> None:
    await office.handed_over(whisper="Ann calls about <pricing>.")
    whisper = url_in(await office.after())
    document = await office.whisper(whisper)
    assert "Ann calls about &lt;pricing&gt;. Press 1 to take the call.</Say></Gather><Hangup />" in document
    assert "<Response />" in await office.whisper(action_in(document), Digits="1")
    assert (await office.found()).transfer == "reached"


@pytest.mark.parametrize("digits", ["", "2", "*"])
async def test_a_person_who_presses_another_key_has_not_taken_the_call(office: Office, digits: str) -> None:
    await office.handed_over()
    document = await office.whisper(url_in(await office.after()))
    assert "<Response><Hangup /></Response>" in await office.whisper(action_in(document), Digits=digits)
    assert (await office.found()).transfer == "wanted"


async def test_a_whisper_that_names_no_call_is_refused(office: Office) -> None:
    with pytest.raises(BadInput):
        await office.whisper("/voice/whisper")


async def test_whoever_answers_after_the_caller_has_gone_is_told_nothing(office: Office) -> None:
    await office.handed_over()
    whisper = url_in(await office.after())
    await office.status("completed", 3)
    assert "<Response><Hangup /></Response>" in await office.whisper(whisper)


@pytest.mark.parametrize(
    ("result", "bridged"),
    [("busy", ""), ("no-answer", ""), ("failed", "false"), ("canceled", ""), ("strange", ""), ("completed", "false")],
)
async def test_the_caller_is_kept_when_nobody_takes_the_call(office: Office, result: str, bridged: str) -> None:
    await office.handed_over()
    await office.after()
    assert await office.tokens.redeem(token_in(await office.dialled(result, DialBridged=bridged))) == CALL
    call = await office.found()
    assert (call.transfer, call.ended_reason) == ("unreached", "")
    assert office.told(Topic.CALL_COMPLETED) == []
    assert (await office.log.attach(CALL)).comes_back
    assert not (await office.log.attach(CALL)).comes_back, "a stream that was lost later is another matter"


async def test_an_answer_without_a_key_is_no_answer_when_a_whisper_asked_for_one(office: Office) -> None:
    await office.handed_over()
    assert "<Stream" in await office.dialled("completed")


@pytest.mark.parametrize("bridged", ["", "true"])
async def test_a_call_ends_once_when_caller_and_person_have_talked(office: Office, bridged: str) -> None:
    await office.handed_over()
    document = await office.whisper(url_in(await office.after()))
    await office.whisper(action_in(document), Digits="1")
    office.now += timedelta(minutes=3)
    assert "<Response><Hangup /></Response>" in await office.dialled("completed", DialBridged=bridged)
    await office.status("completed", 3, CallDuration="181")
    (told,) = office.told(Topic.CALL_COMPLETED)
    assert msgspec.json.decode(told.data, type=CallCompleted) == CallCompleted(
        CALL, "completed", "transferred", "demo_booked", 180, 4
    )
    record = await office.log.record("default", CALL)
    assert record is not None
    assert (record.ended_reason, record.outcome, record.duration_seconds) == ("transferred", "demo_booked", 181)
    assert (record.metrics.turns, record.metrics.transfers) == (4, 1)


@pytest.mark.parametrize(("pressed", "reason"), [(True, "transferred"), (False, "caller-hung-up")])
async def test_a_status_that_comes_before_the_result_tells_the_same_end(
    office: Office, pressed: bool, reason: str
) -> None:
    await office.handed_over()
    document = await office.whisper(url_in(await office.after()))
    if pressed:
        await office.whisper(action_in(document), Digits="1")
    await office.status("completed", 3, CallDuration="77")
    result = await office.dialled("completed" if pressed else "canceled", CallStatus="completed")
    assert "<Response><Hangup /></Response>" in result
    (told,) = office.told(Topic.CALL_COMPLETED)
    data = msgspec.json.decode(told.data, type=CallCompleted)
    assert (data.ended_reason, data.outcome) == (reason, "demo_booked")
    record = await office.log.record("default", CALL)
    assert record is not None
    assert (record.ended_reason, record.duration_seconds) == (reason, 77)


async def test_a_transfer_that_no_stream_began_ends_as_it_went(office: Office) -> None:
    await office.voice()
    assert UNREACHED in await office.dialled("no-answer")
    assert "<Response><Hangup /></Response>" in await office.dialled("completed")


async def test_a_caller_who_comes_back_again_and_again_is_sent_off_with_a_sentence(office: Office) -> None:
    await office.handed_over()
    for _ in range(MOST_STREAMS):
        await office.log.attach(CALL)
    assert UNREACHED in await office.dialled("no-answer")


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
    assert data == CallCompleted(CALL, word, word, "", 0, 0)


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
