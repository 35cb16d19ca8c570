"""The carrier's REST API, as far as Scriza uses it: calls and messages, strict about what it is sent.

https://www.twilio.com/docs/voice/api/call-resource and https://www.twilio.com/docs/messaging/api/message-resource.
Form posts with basic authentication; errors are JSON with Twilio's numbers. A parameter that Twilio does not know is
refused, where Twilio would ignore it.
"""

import re
import secrets
import socket
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from email.utils import format_datetime
from typing import Any, Literal, Protocol
from urllib.parse import parse_qs, urlsplit

import msgspec
import uvicorn
from litestar import Litestar, Request, Response, get, post
from litestar.params import FromPath

from scriza.kernel.errors import Conflict
from scriza.simulator.call import Call, new_sid
from scriza.simulator.callbacks import TERMINAL, Plan
from scriza.simulator.options import Options, StatusEvent
from scriza.simulator.report import Message
from scriza.simulator.twiml import Fetch, Method

_API = "/2010-04-01/Accounts/{account:str}"
_E164 = re.compile(r"\+[1-9]\d{6,14}")
_EVENTS: tuple[StatusEvent, ...] = ("initiated", "ringing", "answered", "completed")
_CREATE = frozenset(
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
_UPDATE = frozenset(
    {
        *("Status", "Url", "Method", "Twiml", "FallbackUrl", "FallbackMethod"),
        *("StatusCallback", "StatusCallbackMethod", "TimeLimit"),
    }
)
_MESSAGE = frozenset(
    {
        *("To", "From", "MessagingServiceSid", "Body", "MediaUrl", "StatusCallback", "ApplicationSid", "MaxPrice"),
        *("ProvideFeedback", "Attempt", "ValidityPeriod", "ForceDelivery", "SmartEncoded", "SendAsMms", "RiskCheck"),
    }
)

_Request = Request[Any, Any, Any]
_Form = dict[str, list[str]]


class Office(Protocol):
    """Where the API's requests are carried out."""

    auth_token: str
    options: Options
    calls: dict[str, Call]
    messages: list[Message]

    async def place(self, plan: Plan) -> Call:
        """Begin a call that Scriza has asked for."""
        ...

    def deliver(self, message: Message) -> None:
        """Take a text message."""
        ...


class _Problem(Exception):
    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class _ProblemBody(msgspec.Struct):
    code: int
    message: str
    more_info: str
    status: int


class CallResource(msgspec.Struct, rename={"sender": "from"}):
    """A call as the API shows it."""

    sid: str
    account_sid: str
    to: str
    sender: str
    status: str
    direction: str
    date_created: str
    start_time: str | None
    end_time: str | None
    duration: str | None
    uri: str
    api_version: str = "2010-04-01"
    answered_by: str | None = None
    parent_call_sid: str | None = None
    price: str | None = None
    price_unit: str = "USD"


class CallList(msgspec.Struct):
    """Calls that match a query; all of them on one page."""

    calls: list[CallResource]
    uri: str
    page: int = 0
    page_size: int = 1000
    next_page_uri: str | None = None


class MessageResource(msgspec.Struct, rename={"sender": "from"}):
    """A message as the API shows it."""

    sid: str
    account_sid: str
    to: str
    sender: str
    body: str
    uri: str
    status: str = "queued"
    direction: str = "outbound-api"
    api_version: str = "2010-04-01"
    num_segments: str = "1"
    num_media: str = "0"
    error_code: int | None = None


def rest_app(office: Office) -> Litestar:
    """The API over an office's calls and messages."""

    @post(f"{_API}/Calls.json")
    async def create_call(request: _Request, account: FromPath[str]) -> Response[CallResource]:
        form = await _form(request, _CREATE)
        call = await office.place(_plan(form, office.options))
        return Response(_call_resource(call, account), status_code=201)

    @get(f"{_API}/Calls.json", sync_to_thread=False)
    def list_calls(request: _Request, account: FromPath[str]) -> CallList:
        query = {key: values[-1] for key, values in parse_qs(request.url.query).items()}
        calls = [
            _call_resource(call, account)
            for call in reversed(office.calls.values())
            if query.get("To", call.plan.callee) == call.plan.callee
            and query.get("From", call.plan.caller) == call.plan.caller
            and query.get("Status", call.status) == call.status
            and query.get("StartTime>", "") <= call.created_at.isoformat()
        ]
        return CallList(calls, request.url.path)

    @get(f"{_API}/Calls/{{name:str}}", sync_to_thread=False)
    def fetch_call(request: _Request, account: FromPath[str], name: FromPath[str]) -> CallResource:
        return _call_resource(_known(office, request, name), account)

    @post(f"{_API}/Calls/{{name:str}}")
    async def update_call(request: _Request, account: FromPath[str], name: FromPath[str]) -> Response[CallResource]:
        form = await _form(request, _UPDATE)
        call = _known(office, request, name)
        if call.status in TERMINAL:
            raise _not_found(request)
        _update(call, form)
        return Response(_call_resource(call, account), status_code=200)

    @post(f"{_API}/Messages.json")
    async def create_message(request: _Request, account: FromPath[str]) -> Response[MessageResource]:
        message = _message(await _form(request, _MESSAGE), office.options)
        office.deliver(message)
        return Response(_message_resource(message, account), status_code=201)

    @get(f"{_API}/Messages/{{name:str}}", sync_to_thread=False)
    def fetch_message(request: _Request, account: FromPath[str], name: FromPath[str]) -> MessageResource:
        found = [message for message in office.messages if f"{message.sid}.json" == name]
        if not found:
            raise _not_found(request)
        return _message_resource(found[0], account)

    def authenticate(request: _Request) -> None:
        sent = request.headers.get("authorization", "")
        try:
            user, _, password = b64decode(sent.removeprefix("Basic "), validate=True).decode().partition(":")
        except ValueError:
            user = password = ""
        account = request.url.path.split("/")[3:4]
        right = secrets.compare_digest(password.encode(), office.auth_token.encode())
        if not right or user != office.options.account_sid or account != [user]:
            raise _Problem(401, 20003, "Authenticate")

    return Litestar(
        [create_call, list_calls, fetch_call, update_call, create_message, fetch_message],
        before_request=authenticate,
        exception_handlers={_Problem: _problem_response},
        openapi_config=None,
        logging_config=None,
    )


@asynccontextmanager
async def serving(app: Litestar, port: int) -> AsyncIterator[str]:
    """Serve on loopback, on a free port for 0; yields the base URL. Raises Conflict when the port is taken."""
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1)
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    with socket.create_server(("127.0.0.1", 0)) if port == 0 else _bound(port) as listener:
        await server.startup(sockets=[listener])
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            await server.shutdown(sockets=[listener])


def _bound(port: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError as error:
        raise Conflict(f"the simulator's port {port} cannot be had: {error.strerror}") from error


def _problem_response(request: _Request, problem: _Problem) -> Response[_ProblemBody]:
    more_info = f"https://www.twilio.com/docs/errors/{problem.code}"
    return Response(_ProblemBody(problem.code, problem.message, more_info, problem.status), status_code=problem.status)


def _not_found(request: _Request) -> _Problem:
    return _Problem(404, 20404, f"The requested resource {request.url.path} was not found")


def _known(office: Office, request: _Request, name: str) -> Call:
    call = office.calls.get(name.removesuffix(".json"))
    if call is None or not name.endswith(".json"):
        raise _not_found(request)
    return call


async def _form(request: _Request, allowed: frozenset[str]) -> _Form:
    if request.content_type[0] != "application/x-www-form-urlencoded":
        raise _Problem(400, 20001, f"the content type {request.content_type[0]!r} is not a form's")
    try:
        form = parse_qs((await request.body()).decode(), keep_blank_values=True, strict_parsing=True)
    except ValueError as error:
        raise _Problem(400, 20001, "the body is not a form") from error
    unknown = sorted(set(form) - allowed)
    if unknown:
        raise _Problem(400, 20001, f"there is no parameter {', '.join(unknown)}")
    return form


def _one(form: _Form, name: str) -> str:
    return form.get(name, [""])[-1]


def _number(form: _Form, name: str, default: int, most: int) -> int:
    text = _one(form, name) or str(default)
    if not text.isdecimal() or not 0 < int(text) <= most:
        raise _Problem(400, 20001, f"{name} is not a number from 1 to {most}")
    return int(text)


def _method(form: _Form, name: str) -> Method:
    method = _one(form, name) or "POST"
    if method == "GET":
        return "GET"
    if method == "POST":
        return "POST"
    raise _Problem(400, 20001, f"{name} is neither GET nor POST")


def _url(form: _Form, name: str) -> str:
    url = _one(form, name)
    parts = urlsplit(url)
    if url and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise _Problem(400, 21205, f"{name} is not a valid URL: {url}")
    return url


def _document(form: _Form) -> Fetch | str | None:
    url, twiml = _url(form, "Url"), _one(form, "Twiml")
    if url and twiml:
        raise _Problem(400, 20001, "Url and Twiml exclude each other")
    if len(twiml) > 4000:
        raise _Problem(400, 20001, "Twiml is longer than 4000 characters")
    return Fetch(url, _method(form, "Method")) if url else twiml or None


def _plan(form: _Form, options: Options) -> Plan:
    to, sender = _one(form, "To"), _one(form, "From")
    if not to:
        raise _Problem(400, 21201, "No 'To' number is specified")
    if not sender:
        raise _Problem(400, 21213, "No 'From' number is specified")
    if not _E164.fullmatch(to):
        raise _Problem(400, 21211, f"The 'To' number {to} is not a valid phone number")
    if sender != options.number:
        raise _Problem(400, 21210, f"The source phone number {sender} is not this account's")
    document = _document(form)
    if document is None:
        raise _Problem(400, 21205, "Url parameter is required")
    detection = _detection(form)
    asynchronous = bool(detection) and _one(form, "AsyncAmd") == "true"
    fallback = _url(form, "FallbackUrl")
    asked = [word for value in form.get("StatusCallbackEvent", ["completed"]) for word in value.split()]
    events = tuple(event for event in _EVENTS if event in asked)
    if len(events) != len(set(asked)):
        raise _Problem(400, 21626, f"StatusCallbackEvent is none of {', '.join(_EVENTS)}")
    return Plan(
        sid=new_sid("CA"),
        direction="outbound-api",
        caller=sender,
        callee=to,
        first=document if isinstance(document, Fetch) else None,
        document=document if isinstance(document, str) else "",
        fallback=Fetch(fallback, _method(form, "FallbackMethod")) if fallback else None,
        status_callback=_url(form, "StatusCallback"),
        status_events=events,
        ring_timeout_ms=_number(form, "Timeout", 60, 600) * 1000,
        time_limit_ms=_number(form, "TimeLimit", 14_400, 86_400) * 1000,
        detection=detection,
        answered_by_callback=_url(form, "AsyncAmdStatusCallback") if asynchronous else "",
    )


def _detection(form: _Form) -> Literal["", "Enable", "DetectMessageEnd"]:
    match _one(form, "MachineDetection"):
        case "":
            return ""
        case "Enable":
            return "Enable"
        case "DetectMessageEnd":
            return "DetectMessageEnd"
    raise _Problem(400, 20001, "MachineDetection is neither Enable nor DetectMessageEnd")


def _update(call: Call, form: _Form) -> None:
    status, document = _one(form, "Status"), _document(form)
    if status and document is not None:
        raise _Problem(400, 20001, "Status and a new document exclude each other")
    if status == "canceled" and call.status == "in-progress":
        raise _Problem(400, 21220, "Invalid call state: an answered call cannot be canceled")
    if status in ("completed", "canceled"):
        call.complete()
    elif status or document is None:
        raise _Problem(400, 20001, "neither Status=completed, Status=canceled, Url nor Twiml")
    elif call.status != "in-progress":
        raise _Problem(400, 21220, "Invalid call state: the call is not in progress and cannot be redirected")
    else:
        call.redirect(document)


def _message(form: _Form, options: Options) -> Message:
    to, sender, body = _one(form, "To"), _one(form, "From"), _one(form, "Body")
    if not to:
        raise _Problem(400, 21604, "A 'To' phone number is required")
    if not _E164.fullmatch(to):
        raise _Problem(400, 21211, f"The 'To' number {to} is not a valid phone number")
    if not sender and not _one(form, "MessagingServiceSid"):
        raise _Problem(400, 21603, "A 'From' phone number is required")
    if sender and sender != options.number:
        raise _Problem(400, 21606, f"The 'From' phone number {sender} is not this account's")
    if not body and not _one(form, "MediaUrl"):
        raise _Problem(400, 21602, "Message body is required")
    if len(body) > 1600:
        raise _Problem(400, 21617, "The message body exceeds the limit of 1600 characters")
    return Message(new_sid("SM"), sender, to, body)


def _call_resource(call: Call, account: str) -> CallResource:
    plan, seconds = call.plan, call.duration_seconds
    return CallResource(
        sid=plan.sid,
        account_sid=account,
        to=plan.callee,
        sender=plan.caller,
        status=call.status,
        direction=plan.direction,
        date_created=format_datetime(call.created_at),
        start_time=_date(call.answered_at),
        end_time=_date(call.ended_at),
        duration=None if seconds is None else str(seconds),
        uri=f"/2010-04-01/Accounts/{account}/Calls/{plan.sid}.json",
    )


def _message_resource(message: Message, account: str) -> MessageResource:
    return MessageResource(
        sid=message.sid,
        account_sid=account,
        to=message.to,
        sender=message.sender,
        body=message.text,
        uri=f"/2010-04-01/Accounts/{account}/Messages/{message.sid}.json",
    )


def _date(moment: datetime | None) -> str | None:
    return None if moment is None else format_datetime(moment)
