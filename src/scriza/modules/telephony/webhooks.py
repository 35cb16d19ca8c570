"""Twilio's webhooks without the HTTP around them: what is recorded, what is decided, what TwiML is answered.

Twilio repeats a webhook when it saw no answer, and status callbacks come in any order: everything here may happen
twice. A document that was answered once is answered again to the same request. Reports of status need no such memory:
the log applies each at most once and orders them by their sequence number.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import cast, get_args
from urllib.parse import parse_qs, urlsplit

import msgspec
import structlog

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.errors import BadInput, Forbidden, Unavailable
from scriza.kernel.events import Event
from scriza.kernel.ids import DEFAULT_WORKSPACE, derived_id
from scriza.kernel.principal import Principal, acting, current
from scriza.kernel.pseudonym import NameOf
from scriza.modules.telephony.announcements import COMPLETED, STARTED, about_call, call_completed, told_at_the_end
from scriza.modules.telephony.call.commands import NO_CREDIT
from scriza.modules.telephony.call_log import (
    CallLog,
    Ending,
    HandOver,
    JournaledCall,
    NewCall,
    Once,
    StatusReport,
)
from scriza.modules.telephony.forms import SID, Form, number, one, phone_number, sid
from scriza.modules.telephony.handover import GAVE_UP, TAKES_IT, TRANSFERRED, reason_of_end, was_reached
from scriza.modules.telephony.placing.dispatch import ORDER
from scriza.modules.telephony.reception import Lead, Reception
from scriza.modules.telephony.signatures import Signature, SignatureGate
from scriza.modules.telephony.stopping import STOPPED
from scriza.modules.telephony.tokens import StreamTokens
from scriza.modules.telephony.twiml import (
    ATTEMPT,
    CALL,
    CALLED_IN_VAIN,
    UNREACHED,
    Twiml,
    busy,
    connect_them,
    hang_up,
    say_goodbye,
)
from scriza.ports.carrier import Answerer
from scriza.ports.telephony import TERMINAL, CallCompleted, CallMetrics, CallStarted, CallStatus, CallUpdated

STATUSES: frozenset[str] = frozenset(get_args(CallStatus))
ANSWERERS: frozenset[str] = frozenset(get_args(Answerer))
MOST_STREAMS = 5
"""A call whose stream was lost as often as this is not connected again."""

_ANSWER_SECONDS = 5.0
"""Twilio waits 15 s for an answer, the caller in silence."""
_REPORT_SECONDS = 12.0
"""Nobody waits for the answer to a status report, and Twilio repeats one only where the URL asks for that."""
_TOLD_APART_BY = ("CallSid", "CallStatus", "DialCallSid", "DialCallStatus", "Digits", "SequenceNumber")

_log = structlog.get_logger()


class Webhook(msgspec.Struct, frozen=True):
    """A request as it came; `target` is the raw path with the query."""

    target: str
    content_type: str
    body: bytes
    signature: Signature
    idempotency_token: str = ""


class Webhooks:
    """Answers them.

    `reception` tells who a call is for, `stopped` whether all calls are. `has_credit` tells whether this call may
    begin, and has credit set aside for it; `accepts` whether it can be taken now, and keeps a place for it. `on_status`
    hears of every status before it is recorded, so that a call which is led here ends by its own account; `on_answered`
    hears who took a call that we placed. `name_of` gives the pseudonym of a number in a workspace.
    """

    def __init__(
        self,
        log: CallLog,
        once: Once,
        gate: SignatureGate,
        tokens: StreamTokens,
        twiml: Twiml,
        reception: Reception,
        *,
        stopped: Callable[[], bool],
        has_credit: Callable[[str], Awaitable[bool]],
        accepts: Callable[[str], bool],
        on_status: Callable[[str, CallStatus], Awaitable[None]],
        on_answered: Callable[[str, Answerer], None],
        name_of: NameOf,
        now: WallClock = utc_now,
    ) -> None:
        self._calls = log
        self._once = once
        self._gate = gate
        self._tokens = tokens
        self._twiml = twiml
        self._reception = reception
        self._stopped = stopped
        self._has_credit = has_credit
        self._accepts = accepts
        self._on_status = on_status
        self._on_answered = on_answered
        self._name_of = name_of
        self._now = now

    async def voice(self, webhook: Webhook) -> str:
        """A call comes in, or one that we placed was answered. Raises Forbidden, BadInput."""
        return await self._answer(webhook, self._take)

    async def after(self, webhook: Webhook) -> str:
        """A stream is over: how the call goes on. Raises Forbidden, BadInput."""
        return await self._answer(webhook, self._go_on)

    async def dialled(self, webhook: Webhook) -> str:
        """A transfer is over, or nobody took it: how the call goes on. Raises Forbidden, BadInput."""
        return await self._answer(webhook, self._come_back)

    async def whisper(self, webhook: Webhook) -> str:
        """The person to whom a caller is transferred has answered: what they hear first. Raises Forbidden, BadInput."""
        return await self._answer(webhook, self._tell_person)

    async def whispered(self, webhook: Webhook) -> str:
        """That person has pressed a key. Raises Forbidden, BadInput."""
        return await self._answer(webhook, self._connect_person)

    async def answered_by(self, webhook: Webhook) -> None:
        """Who took a call that we placed. Raises Forbidden, BadInput, and Unavailable, to be told again.

        The session may live in another process, which reads it in the log.
        """
        form = self._read(webhook)
        call_id, who = sid(form, "CallSid"), one(form, "AnsweredBy")
        with _on_call(call_id):
            if who not in ANSWERERS:
                _log.warning("answered_by.ignored", answered_by=who[:40])
                return
            answerer = cast("Answerer", who)
            self._on_answered(call_id, answerer)
            try:
                async with asyncio.timeout(_REPORT_SECONDS):
                    first = await self._calls.answered(call_id, answerer, self._now())
            except TimeoutError as error:
                raise Unavailable("who answered could not be recorded in time") from error
            _log.info("answered_by.told", answered_by=who, after_ms=number(form, "MachineDetectionDuration"), new=first)

    def fallback(self, webhook: Webhook) -> str:
        """Twilio could not use another answer of ours. Raises Forbidden, BadInput."""
        form = self._read(webhook)
        _log.error("voice.fallback", call_id=one(form, "CallSid"), error_code=one(form, "ErrorCode"))
        return say_goodbye()

    async def status(self, webhook: Webhook) -> None:
        """A call's status has changed. Raises Forbidden, BadInput, and Unavailable, to be told again.

        A call that is not known yet is recorded: one that we placed may fail before anybody asks what to do with it.
        """
        form = self._read(webhook)
        call_id, word, direction = sid(form, "CallSid"), one(form, "CallStatus"), one(form, "Direction")
        with _on_call(call_id):
            if word not in STATUSES or one(form, "ParentCallSid") or direction == "outbound-dial":
                _log.info("status.ignored", status=word[:40], direction=direction[:40])
                return
            report = StatusReport(
                call_id=call_id,
                status=cast("CallStatus", word),
                sequence=number(form, "SequenceNumber") or 0,
                at=self._now(),
                duration_seconds=number(form, "CallDuration"),
            )
            try:
                async with asyncio.timeout(_REPORT_SECONDS):
                    await self._on_status(call_id, report.status)
                    applied = await self._report(webhook, form, report)
            except TimeoutError as error:
                raise Unavailable("the status could not be recorded in time") from error
            _log.info("status.reported", status=word, sequence=report.sequence, applied=applied)

    async def _report(self, webhook: Webhook, form: Form, report: StatusReport) -> bool:
        call = await self._calls.find(report.call_id)
        if call is None:
            await self._open(webhook, form, report.call_id, report.status)
            call = await self._calls.find(report.call_id)
            assert call is not None, "a call that was opened is there"
        if reason := reason_of_end(call):
            report = msgspec.structs.replace(report, reason=reason)
        if report.status in TERMINAL and call.assignment.order_id:
            lasted = (report.at - call.started_at).total_seconds() if report.status == "completed" else 0
            seconds = round(lasted) if report.duration_seconds is None else report.duration_seconds
            await self._reception.over(call.workspace, call.assignment.order_id, seconds)
        return await self._calls.report(report, *self._told_of(report, call))

    def _read(self, webhook: Webhook) -> Form:
        return self._gate.webhook(webhook.target, webhook.content_type, webhook.body, webhook.signature)

    async def _answer(self, webhook: Webhook, decide: Callable[[Webhook, Form], Awaitable[str]]) -> str:
        form = self._read(webhook)
        with _on_call(_about(webhook, form)):
            key = _key(webhook, form)
            try:
                async with asyncio.timeout(_ANSWER_SECONDS):
                    known = await self._once.answer(key)
                    if known is None:
                        known = await self._once.keep_answer(key, (await decide(webhook, form)).encode())
                    return known.decode()
            except (BadInput, Forbidden):
                raise
            except Exception:
                # Somebody is on the line: whatever is broken, they hear a sentence and not Twilio's error message.
                _log.exception("voice.failed", path=urlsplit(webhook.target).path)
                return say_goodbye()

    async def _take(self, webhook: Webhook, form: Form) -> str:
        call_id, word = sid(form, "CallSid"), one(form, "CallStatus")
        status = cast("CallStatus", word) if word in STATUSES else "ringing"
        new, lead, first = await self._open(webhook, form, call_id, status)
        if word in TERMINAL or (not first and await self._has_ended(call_id)):
            _log.warning("voice.over")
            return hang_up()
        if self._stopped():
            _log.warning("voice.stopped")
            return say_goodbye(STOPPED if new.direction == "inbound" else CALLED_IN_VAIN)
        if lead.say:
            return say_goodbye(lead.say)
        if lead.connect_to:
            begins = HandOver(call_id, lead.connect_to, "", 0, self._now(), CallMetrics())
            await self._calls.hand_over(begins)
            return self._twiml.transfer(lead.connect_to, caller_id=_shown(new))
        if not await self._may_begin(new):
            return await self._decline(new)
        if not self._accepts(call_id):
            _log.warning("voice.no_room")
            return busy() if new.direction == "inbound" else say_goodbye(CALLED_IN_VAIN)
        return self._twiml.connect(self._tokens.issue(call_id))

    async def _may_begin(self, call: NewCall) -> bool:
        principal = Principal(call.workspace, subject="telephony")
        with acting(principal, request_id=current().request_id, call_id=call.call_id):
            return await self._has_credit(call.call_id)

    async def _decline(self, new: NewCall) -> str:
        """There is no credit for the call. The other side need not know why it ends."""
        _log.warning("voice.no_credit", direction=new.direction)
        call = await self._calls.find(new.call_id)
        if call is not None:
            await self._end(call, NO_CREDIT, seconds=0)
        return say_goodbye() if new.direction == "inbound" else say_goodbye(CALLED_IN_VAIN)

    async def _has_ended(self, call_id: str) -> bool:
        call = await self._calls.find(call_id)
        return call is not None and call.ended_reason != ""

    async def _open(self, webhook: Webhook, form: Form, call_id: str, status: CallStatus) -> tuple[NewCall, Lead, bool]:
        """The call, what is decided about it, and whether it was not recorded before."""
        outbound, callee = one(form, "Direction").startswith("outbound"), phone_number(form, "To")
        if outbound:
            lead = await self._reception.placed(_in_query(webhook.target, ORDER), call_id)
        else:
            lead = await self._reception.incoming(callee)
        caller = phone_number(form, "From")
        other_side = callee if outbound else caller
        new = NewCall(
            call_id=call_id,
            workspace=lead.workspace,
            direction="outbound" if outbound else "inbound",
            caller=caller,
            callee=callee,
            status=status,
            started_at=self._now(),
            assignment=lead.assignment,
            who=self._name_of(lead.workspace, other_side) if other_side else "",
        )
        about = CallStarted(call_id, new.direction, new.who, new.assignment.playbook)
        started = self._event(about, STARTED, new.workspace)
        first = await self._calls.open(new, started)
        if first:
            _log.info("call.opened", direction=new.direction, status=status)
        return new, lead, first

    async def _go_on(self, webhook: Webhook, form: Form) -> str:
        call_id = sid(form, "CallSid")
        call = await self._calls.find(call_id)
        if call is None:
            _log.warning("after.unknown_call")
            return say_goodbye()
        if call.ended_reason or one(form, "CallStatus") in TERMINAL:
            return hang_up()
        if call.in_transfer:
            return self._transfer(call)
        attempt = max(call.attached, _attempt(webhook.target))
        if attempt >= MOST_STREAMS:
            _log.error("after.streams_exhausted", attempts=attempt)
            return say_goodbye()
        _log.warning("after.reconnecting", attempts=attempt)
        return self._twiml.connect(self._tokens.issue(call_id), attempt=attempt + 1)

    def _transfer(self, call: JournaledCall) -> str:
        _log.info("transfer.begins", whispers=bool(call.whisper))
        return self._twiml.transfer(
            call.transfer_to,
            caller_id=_shown(call),
            whisper_for=call.call_id if call.whisper else "",
        )

    async def _tell_person(self, webhook: Webhook, _: Form) -> str:
        call = await self._calls.find(_call_in(webhook.target))
        if call is None or call.transfer != "wanted" or call.ended_reason:
            _log.warning("transfer.whisper_too_late")
            return hang_up()
        return self._twiml.whisper(call.call_id, call.whisper)

    async def _connect_person(self, webhook: Webhook, form: Form) -> str:
        taken = one(form, "Digits") == TAKES_IT
        _log.info("transfer.whispered", taken=taken)
        if taken and await self._calls.transferred(_call_in(webhook.target), "reached", self._now()):
            return connect_them()
        return hang_up()

    async def _come_back(self, _: Webhook, form: Form) -> str:
        call_id, dialled = sid(form, "CallSid"), one(form, "DialCallStatus")
        call = await self._calls.find(call_id)
        if call is None:
            _log.warning("dialled.unknown_call")
            return say_goodbye()
        reached, over = was_reached(call, dialled, one(form, "DialBridged")), one(form, "CallStatus") in TERMINAL
        _log.info("transfer.over", status=dialled[:40], reached=reached, caller_is_gone=over)
        if not call.in_transfer:
            return hang_up() if reached or over or call.ended_reason else say_goodbye(UNREACHED)
        if reached or over or call.ended_reason:
            await self._end_transferred(call, TRANSFERRED if reached else GAVE_UP)
            return hang_up()
        await self._calls.transferred(call_id, "unreached", self._now())
        if call.attached >= MOST_STREAMS:
            return say_goodbye(UNREACHED)
        return self._twiml.connect(self._tokens.issue(call_id), attempt=call.attached + 1)

    async def _end_transferred(self, call: JournaledCall, reason: str) -> None:
        await self._end(call, reason, seconds=max(0, round((self._now() - call.started_at).total_seconds())))

    async def _end(self, call: JournaledCall, reason: str, *, seconds: int) -> None:
        """The call is over, and no stream of it is there to end it."""
        now = self._now()
        completed = call_completed(
            call, call.metrics, status="completed", reason=reason, outcome=call.outcome, seconds=seconds
        )
        await self._calls.end(
            Ending(
                call_id=call.call_id,
                reason=reason,
                at=now,
                duration_seconds=seconds,
                metrics=call.metrics,
                outcome=call.outcome,
            ),
            *told_at_the_end(call, completed, now),
        )

    def _told_of(self, report: StatusReport, call: JournaledCall) -> list[Event]:
        stage = call.conversation.stage if call.conversation else ""
        updated = CallUpdated(report.call_id, report.status, stage, call.playbook)
        told = [self._event(updated, f"status-{report.sequence}-{report.status}", call.workspace)]
        if report.status in TERMINAL:
            completed = call_completed(
                call,
                msgspec.structs.replace(call.metrics, turns=len(call.turns)),
                status=report.status,
                reason=report.reason or report.status,
                outcome=call.outcome,
                seconds=report.duration_seconds or 0,
            )
            told.append(self._event(completed, COMPLETED, call.workspace))
        return told

    def _event(self, data: CallStarted | CallUpdated | CallCompleted, key: str, workspace: str) -> Event:
        return about_call(data, key, time=self._now(), workspace=workspace)


@contextmanager
def _on_call(call_id: str) -> Iterator[None]:
    """What happens inside belongs to this call: in log lines, and for whoever is asked."""
    principal = Principal(DEFAULT_WORKSPACE, subject="telephony")
    with acting(principal, request_id=current().request_id, call_id=call_id):
        yield


def _key(webhook: Webhook, form: Form) -> str:
    """The same for each repetition of a request: by Twilio's own token, else by what tells requests of a call apart."""
    parts = [webhook.idempotency_token] if webhook.idempotency_token else [one(form, name) for name in _TOLD_APART_BY]
    return derived_id("webhook", webhook.target, *parts)


def _about(webhook: Webhook, form: Form) -> str:
    """The call that a request is about: the leg to a person who is to take one over has an id of its own."""
    named = _in_query(webhook.target, CALL)
    return named if SID.fullmatch(named) else sid(form, "CallSid")


def _call_in(target: str) -> str:
    """The call that the query names."""
    call_id = _in_query(target, CALL)
    if not SID.fullmatch(call_id):
        raise BadInput("the query names no call")
    return call_id


def _in_query(target: str, name: str) -> str:
    return parse_qs(urlsplit(target).query).get(name, [""])[0]


def _shown(call: NewCall | JournaledCall) -> str:
    """The number that a colleague sees: ours, where we rang or the caller's is withheld, which fails a <Dial>.

    Empty is the caller's own. https://www.twilio.com/docs/api/errors/13214
    """
    if call.direction == "outbound":
        return call.caller
    return "" if call.caller else call.callee


def _attempt(target: str) -> int:
    told = _in_query(target, ATTEMPT) or "1"
    return int(told) if told.isascii() and told.isdigit() and len(told) < 4 else 1
