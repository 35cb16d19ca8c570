"""What the REST API is sent: forms and queries, read strictly.

A parameter that Twilio does not know is refused, where Twilio would ignore it.
"""

import re
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar
from urllib.parse import parse_qs, urlsplit

from litestar import Request

from scriza.simulator.call import Call, new_sid
from scriza.simulator.callbacks import Plan
from scriza.simulator.numbers import Number, OptOuts
from scriza.simulator.options import StatusEvent
from scriza.simulator.recordings import Recording, RecordingEvent
from scriza.simulator.report import Message
from scriza.simulator.twiml import Fetch, Method

_E164 = re.compile(r"\+[1-9]\d{6,14}")
_EVENTS: tuple[StatusEvent, ...] = ("initiated", "ringing", "answered", "completed")
_RECORDING_EVENTS: tuple[RecordingEvent, ...] = ("in-progress", "completed", "absent")
CREATE_CALL = frozenset(
    {
        *("To", "From", "Url", "Method", "Twiml", "ApplicationSid", "FallbackUrl", "FallbackMethod"),
        *("StatusCallback", "StatusCallbackEvent", "StatusCallbackMethod", "Timeout", "TimeLimit", "SendDigits"),
        *("Record", "RecordingChannels", "RecordingTrack", "RecordingStatusCallback", "RecordingStatusCallbackMethod"),
        *("RecordingStatusCallbackEvent", "Trim", "CallReason", "CallToken", "CallerId", "Byoc"),
        *("MachineDetection", "MachineDetectionTimeout", "MachineDetectionSpeechThreshold"),
        *("MachineDetectionSpeechEndThreshold", "MachineDetectionSilenceTimeout"),
        *("AsyncAmd", "AsyncAmdStatusCallback", "AsyncAmdStatusCallbackMethod"),
    }
)
UPDATE_CALL = frozenset(
    {
        *("Status", "Url", "Method", "Twiml", "FallbackUrl", "FallbackMethod"),
        *("StatusCallback", "StatusCallbackMethod", "TimeLimit"),
    }
)
CREATE_MESSAGE = frozenset(
    {
        *("To", "From", "MessagingServiceSid", "Body", "MediaUrl", "StatusCallback", "ApplicationSid", "MaxPrice"),
        *("ProvideFeedback", "Attempt", "ValidityPeriod", "ForceDelivery", "SmartEncoded", "SendAsMms", "RiskCheck"),
    }
)
CREATE_RECORDING = frozenset(
    {
        *("RecordingStatusCallback", "RecordingStatusCallbackEvent", "RecordingStatusCallbackMethod"),
        *("RecordingChannels", "RecordingTrack", "Trim"),
    }
)
UPDATE_NUMBER = frozenset(
    {
        *("FriendlyName", "ApiVersion", "AccountSid", "VoiceCallerIdLookup", "VoiceReceiveMode", "BundleSid"),
        *("VoiceUrl", "VoiceMethod", "VoiceFallbackUrl", "VoiceFallbackMethod", "VoiceApplicationSid", "TrunkSid"),
        *("StatusCallback", "StatusCallbackMethod", "AddressSid", "IdentitySid", "EmergencyStatus"),
        *("SmsUrl", "SmsMethod", "SmsFallbackUrl", "SmsFallbackMethod", "SmsApplicationSid", "EmergencyAddressSid"),
    }
)
_PAGING = frozenset({"Page", "PageSize", "PageToken"})
LIST_CALLS = _PAGING | {
    *("To", "From", "ParentCallSid", "Status", "StartTime", "StartTime<", "StartTime>"),
    *("EndTime", "EndTime<", "EndTime>"),
}
LIST_MESSAGES = _PAGING | {"To", "From", "DateSent", "DateSent<", "DateSent>"}
LIST_NUMBERS = _PAGING | {"PhoneNumber", "FriendlyName", "Beta", "Origin"}
LIST_RECORDINGS = _PAGING | {"DateCreated", "DateCreated<", "DateCreated>"}
FETCH_MEDIA = frozenset({"RequestedChannels", "Download"})

ApiRequest = Request[Any, Any, Any]
Form = dict[str, list[str]]
_Event = TypeVar("_Event", bound=str)


class Refusal(Exception):
    """The API refuses a request: HTTP status, Twilio's number of the error, and its text."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def not_found(request: ApiRequest) -> Refusal:
    """There is nothing at this path."""
    return Refusal(404, 20404, f"The requested resource {request.url.path} was not found")


async def form_of(request: ApiRequest, allowed: frozenset[str]) -> Form:
    """The parameters of a form post."""
    if request.content_type[0] != "application/x-www-form-urlencoded":
        raise Refusal(400, 20001, f"the content type {request.content_type[0]!r} is not a form's")
    try:
        form = parse_qs((await request.body()).decode(), keep_blank_values=True, strict_parsing=True)
    except ValueError as error:
        raise Refusal(400, 20001, "the body is not a form") from error
    return _known(form, allowed)


def query_of(request: ApiRequest, allowed: frozenset[str]) -> Form:
    """The parameters of a query."""
    return _known(parse_qs(request.url.query, keep_blank_values=True), allowed)


def one(form: Form, name: str) -> str:
    """A parameter, empty when it was not sent."""
    return form.get(name, [""])[-1]


def number(form: Form, name: str, default: int, most: int, *, least: int = 1) -> int:
    """A parameter that is a number within bounds."""
    text = one(form, name) or str(default)
    if not text.isdecimal() or not least <= int(text) <= most:
        raise Refusal(400, 20001, f"{name} is not a number from {least} to {most}")
    return int(text)


def moment(form: Form, name: str) -> datetime | None:
    """A parameter that is a date or a moment, in UTC."""
    text = one(form, name)
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError as error:
        raise Refusal(400, 20001, f"{name} is no date: {text}") from error
    return found if found is None or found.tzinfo else found.replace(tzinfo=UTC)


def call_plan(form: Form, numbers: dict[str, Number]) -> Plan:
    """A call that is to be placed."""
    to, sender = one(form, "To"), one(form, "From")
    if not to:
        raise Refusal(400, 21201, "No 'To' number is specified")
    if not sender:
        raise Refusal(400, 21213, "No 'From' number is specified")
    if not _E164.fullmatch(to):
        raise Refusal(400, 21211, f"The 'To' number {to} is not a valid phone number")
    if sender not in numbers:
        raise Refusal(400, 21210, f"The source phone number {sender} is not this account's")
    document = _document(form)
    if document is None:
        raise Refusal(400, 21205, "Url parameter is required")
    detection = _detection(form)
    asynchronous = bool(detection) and one(form, "AsyncAmd") == "true"
    fallback = _url(form, "FallbackUrl")
    return Plan(
        sid=new_sid("CA"),
        direction="outbound-api",
        caller=sender,
        callee=to,
        first=document if isinstance(document, Fetch) else None,
        document=document if isinstance(document, str) else "",
        fallback=Fetch(fallback, _method(form, "FallbackMethod")) if fallback else None,
        status_callback=_url(form, "StatusCallback"),
        status_events=_chosen(form, "StatusCallbackEvent", _EVENTS, "completed"),
        ring_timeout_ms=number(form, "Timeout", 60, 600) * 1000,
        time_limit_ms=number(form, "TimeLimit", 14_400, 86_400) * 1000,
        detection=detection,
        answered_by_callback=_url(form, "AsyncAmdStatusCallback") if asynchronous else "",
    )


def update_call(call: Call, form: Form) -> None:
    """Do to a live call what the form asks for."""
    status, document = one(form, "Status"), _document(form)
    if status and document is not None:
        raise Refusal(400, 20001, "Status and a new document exclude each other")
    if status == "canceled" and call.status == "in-progress":
        raise Refusal(400, 21220, "Invalid call state: an answered call cannot be canceled")
    if status in ("completed", "canceled"):
        call.complete()
    elif status or document is None:
        raise Refusal(400, 20001, "neither Status=completed, Status=canceled, Url nor Twiml")
    elif call.status != "in-progress":
        raise Refusal(400, 21220, "Invalid call state: the call is not in progress and cannot be redirected")
    else:
        call.redirect(document)


def message(form: Form, numbers: dict[str, Number], opt_outs: OptOuts) -> Message:
    """A text message that is to be sent."""
    to, sender, body = one(form, "To"), one(form, "From"), one(form, "Body")
    if not to:
        raise Refusal(400, 21604, "A 'To' phone number is required")
    if not _E164.fullmatch(to):
        raise Refusal(400, 21211, f"The 'To' number {to} is not a valid phone number")
    if not sender and not one(form, "MessagingServiceSid"):
        raise Refusal(400, 21603, "A 'From' phone number is required")
    if sender and sender not in numbers:
        raise Refusal(400, 21606, f"The 'From' phone number {sender} is not this account's")
    if not body and not one(form, "MediaUrl"):
        raise Refusal(400, 21602, "Message body is required")
    if len(body) > 1600:
        raise Refusal(400, 21617, "The message body exceeds the limit of 1600 characters")
    if opt_outs.are_out(to, sender):
        raise Refusal(400, 21610, f"Attempt to send to the unsubscribed recipient {to}")
    return Message(new_sid("SM"), sender, to, body)


def recording(call: Call, form: Form) -> Recording:
    """A recording of a live call that is to begin."""
    if call.status != "in-progress":
        raise Refusal(400, 21220, "Requested resource is not eligible for recording")
    channels = one(form, "RecordingChannels") or "mono"
    if channels not in ("mono", "dual"):
        raise Refusal(400, 20001, "RecordingChannels is neither mono nor dual")
    if one(form, "RecordingTrack") not in ("", "both"):
        raise Refusal(400, 20001, "the simulator records both tracks or none")
    if one(form, "Trim") not in ("", "trim-silence", "do-not-trim"):
        raise Refusal(400, 20001, "Trim is neither trim-silence nor do-not-trim")
    return Recording(
        new_sid("RE"),
        callback=_url(form, "RecordingStatusCallback"),
        events=frozenset(_chosen(form, "RecordingStatusCallbackEvent", _RECORDING_EVENTS, "completed")),
        channels=2 if channels == "dual" else 1,
    )


def update_number(changed: Number, form: Form) -> None:
    """Lead a number somewhere else; what the form does not name stays."""
    urls = ("VoiceUrl", "VoiceFallbackUrl", "StatusCallback", "SmsUrl", "SmsFallbackUrl")
    methods = tuple(f"{name.removesuffix('Url')}Method" for name in urls)
    others = ("FriendlyName", "VoiceApplicationSid", "SmsApplicationSid", "TrunkSid")
    values: dict[str, str] = {
        **{name: _url(form, name) for name in urls},
        **{name: _method(form, name) for name in methods},
        **{name: one(form, name) for name in others},
    }
    for name in form.keys() & values.keys():
        setattr(changed, re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower(), values[name])


def _known(form: Form, allowed: frozenset[str]) -> Form:
    unknown = sorted(set(form) - allowed)
    if unknown:
        raise Refusal(400, 20001, f"there is no parameter {', '.join(unknown)}")
    return form


def _method(form: Form, name: str) -> Method:
    match one(form, name) or "POST":
        case "GET":
            return "GET"
        case "POST":
            return "POST"
    raise Refusal(400, 20001, f"{name} is neither GET nor POST")


def _url(form: Form, name: str) -> str:
    url = one(form, name)
    parts = urlsplit(url)
    if url and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise Refusal(400, 21205, f"{name} is not a valid URL: {url}")
    return url


def _document(form: Form) -> Fetch | str | None:
    url, twiml = _url(form, "Url"), one(form, "Twiml")
    if url and twiml:
        raise Refusal(400, 20001, "Url and Twiml exclude each other")
    if len(twiml) > 4000:
        raise Refusal(400, 20001, "Twiml is longer than 4000 characters")
    return Fetch(url, _method(form, "Method")) if url else twiml or None


def _chosen(form: Form, name: str, known: tuple[_Event, ...], default: str) -> tuple[_Event, ...]:
    asked = [word for value in form.get(name, [default]) for word in value.split()]
    events = tuple(event for event in known if event in asked)
    if len(events) != len(set(asked)):
        raise Refusal(400, 21626, f"{name} is none of {', '.join(known)}")
    return events


def _detection(form: Form) -> Literal["", "Enable", "DetectMessageEnd"]:
    match one(form, "MachineDetection"):
        case "":
            return ""
        case "Enable":
            return "Enable"
        case "DetectMessageEnd":
            return "DetectMessageEnd"
    raise Refusal(400, 20001, "MachineDetection is neither Enable nor DetectMessageEnd")
