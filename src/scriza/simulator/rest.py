"""The carrier's REST API, as far as Scriza uses it: calls, messages, recordings and numbers, strict in what it takes.

https://www.twilio.com/docs/voice/api, https://www.twilio.com/docs/messaging/api/message-resource and
https://www.twilio.com/docs/phone-numbers/api. Form posts with basic authentication; errors are JSON with Twilio's
numbers.
"""

import secrets
import socket
from base64 import b64decode
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Protocol

import msgspec
import uvicorn
from litestar import Litestar, Response, delete, get, post
from litestar.params import FromPath
from litestar.types import ASGIApp, ControllerRouterHandler

from scriza.kernel.errors import Conflict
from scriza.simulator import rest_forms as forms
from scriza.simulator.call import Call
from scriza.simulator.callbacks import TERMINAL, Plan
from scriza.simulator.numbers import Number, OptOuts
from scriza.simulator.options import Fault, Options
from scriza.simulator.recordings import Recording
from scriza.simulator.report import Message
from scriza.simulator.rest_faults import with_faults
from scriza.simulator.rest_forms import ApiRequest, Refusal, not_found, one
from scriza.simulator.rest_resources import (
    AccountResource,
    CallResource,
    MessageResource,
    NumberResource,
    Page,
    RecordingResource,
    call_resource,
    message_resource,
    number_resource,
    page_of,
    recording_resource,
)

_API = "/2010-04-01/Accounts/{account:str}"


class Office(Protocol):
    """Where the API's requests are carried out."""

    auth_token: str
    options: Options
    calls: dict[str, Call]
    messages: list[Message]
    numbers: dict[str, Number]
    opt_outs: OptOuts
    faults: deque[Fault]

    async def place(self, plan: Plan) -> Call:
        """Begin a call that Scriza has asked for."""
        ...

    def deliver(self, message: Message) -> None:
        """Take a text message."""
        ...


class _ProblemBody(msgspec.Struct):
    code: int
    message: str
    more_info: str
    status: int


def rest_app(office: Office) -> ASGIApp:
    """The API over an office's calls, messages and numbers."""

    def authenticate(request: ApiRequest) -> None:
        sent = request.headers.get("authorization", "")
        try:
            user, _, password = b64decode(sent.removeprefix("Basic "), validate=True).decode().partition(":")
        except ValueError:
            user = password = ""
        account = [part.removesuffix(".json") for part in request.url.path.split("/")[3:4]]
        right = secrets.compare_digest(password.encode(), office.auth_token.encode())
        if not right or user != office.options.account_sid or account != [user]:
            raise Refusal(401, 20003, "Authenticate")

    @get("/2010-04-01/Accounts/{name:str}", sync_to_thread=False)
    def fetch_account(name: FromPath[str]) -> AccountResource:
        return AccountResource(name.removesuffix(".json"))

    app = Litestar(
        [fetch_account, *_calls(office), *_messages(office), *_recordings(office), *_numbers(office)],
        before_request=authenticate,
        exception_handlers={Refusal: _refusal_response},
        openapi_config=None,
        logging_config=None,
    )
    return with_faults(app, office.faults)


def _calls(office: Office) -> list[ControllerRouterHandler]:
    @post(f"{_API}/Calls.json")
    async def create_call(request: ApiRequest, account: FromPath[str]) -> Response[CallResource]:
        form = await forms.form_of(request, forms.CREATE_CALL)
        call = await office.place(forms.call_plan(form, office.numbers))
        return Response(call_resource(call, account), status_code=201)

    @get(f"{_API}/Calls.json", sync_to_thread=False)
    def list_calls(request: ApiRequest, account: FromPath[str]) -> Page:
        query = forms.query_of(request, forms.LIST_CALLS)
        calls = [
            call
            for call in reversed(office.calls.values())
            if one(query, "To") in ("", call.plan.callee)
            and one(query, "From") in ("", call.plan.caller)
            and one(query, "Status") in ("", call.status)
            and _within(query, "StartTime", None if call.status == "queued" else call.created_at)
            and _within(query, "EndTime", call.ended_at)
        ]
        return page_of(request, query, "calls", calls, lambda call: call_resource(call, account))

    @get(f"{_API}/Calls/{{name:str}}", sync_to_thread=False)
    def fetch_call(request: ApiRequest, account: FromPath[str], name: FromPath[str]) -> CallResource:
        return call_resource(_call(office, request, _sid(request, name)), account)

    @post(f"{_API}/Calls/{{name:str}}")
    async def update_call(request: ApiRequest, account: FromPath[str], name: FromPath[str]) -> Response[CallResource]:
        form = await forms.form_of(request, forms.UPDATE_CALL)
        call = _call(office, request, _sid(request, name))
        if call.status in TERMINAL:
            raise not_found(request)
        forms.update_call(call, form)
        return Response(call_resource(call, account), status_code=200)

    return [create_call, list_calls, fetch_call, update_call]


def _messages(office: Office) -> list[ControllerRouterHandler]:
    @post(f"{_API}/Messages.json")
    async def create_message(request: ApiRequest, account: FromPath[str]) -> Response[MessageResource]:
        form = await forms.form_of(request, forms.CREATE_MESSAGE)
        message = forms.message(form, office.numbers, office.opt_outs)
        office.deliver(message)
        return Response(message_resource(message, account), status_code=201)

    @get(f"{_API}/Messages.json", sync_to_thread=False)
    def list_messages(request: ApiRequest, account: FromPath[str]) -> Page:
        query = forms.query_of(request, forms.LIST_MESSAGES)
        messages = [
            message
            for message in reversed(office.messages)
            if one(query, "To") in ("", message.to)
            and one(query, "From") in ("", message.sender)
            and _within(query, "DateSent", message.created_at)
        ]
        return page_of(request, query, "messages", messages, lambda message: message_resource(message, account))

    @get(f"{_API}/Messages/{{name:str}}", sync_to_thread=False)
    def fetch_message(request: ApiRequest, account: FromPath[str], name: FromPath[str]) -> MessageResource:
        sid = _sid(request, name)
        found = [message for message in office.messages if message.sid == sid]
        if not found:
            raise not_found(request)
        return message_resource(found[0], account)

    return [create_message, list_messages, fetch_message]


def _recordings(office: Office) -> list[ControllerRouterHandler]:
    @post(f"{_API}/Calls/{{call_sid:str}}/Recordings.json")
    async def start_recording(
        request: ApiRequest, account: FromPath[str], call_sid: FromPath[str]
    ) -> Response[RecordingResource]:
        form = await forms.form_of(request, forms.CREATE_RECORDING)
        call = _call(office, request, call_sid)
        recording = forms.recording(call, form)
        call.phone.recordings.append(recording)
        return Response(recording_resource(recording, call_sid, account), status_code=201)

    @get(f"{_API}/Calls/{{call_sid:str}}/Recordings.json", sync_to_thread=False)
    def list_recordings(request: ApiRequest, account: FromPath[str], call_sid: FromPath[str]) -> Page:
        query = forms.query_of(request, forms.LIST_RECORDINGS)
        recordings = list(reversed(_call(office, request, call_sid).phone.recordings))
        return page_of(
            request, query, "recordings", recordings, lambda recording: recording_resource(recording, call_sid, account)
        )

    @get(f"{_API}/Recordings/{{name:str}}", sync_to_thread=False)
    def fetch_recording(
        request: ApiRequest, account: FromPath[str], name: FromPath[str]
    ) -> Response[RecordingResource] | Response[bytes]:
        call, recording = _recording(office, request, name.rpartition(".")[0])
        if name.endswith(".json"):
            return Response(recording_resource(recording, call.plan.sid, account), status_code=200)
        channels = forms.number(forms.query_of(request, forms.FETCH_MEDIA), "RequestedChannels", recording.channels, 2)
        if not name.endswith(".wav") or recording.status != "completed":
            raise not_found(request)
        if channels > recording.channels:
            raise Refusal(400, 20001, "RequestedChannels is more than was recorded")
        return Response(recording.wav(channels), status_code=200, media_type="audio/x-wav")

    @delete(f"{_API}/Recordings/{{name:str}}", sync_to_thread=False)
    def delete_recording(request: ApiRequest, name: FromPath[str]) -> None:
        call, recording = _recording(office, request, _sid(request, name))
        call.phone.recordings.remove(recording)

    return [start_recording, list_recordings, fetch_recording, delete_recording]


def _numbers(office: Office) -> list[ControllerRouterHandler]:
    @get(f"{_API}/IncomingPhoneNumbers.json", sync_to_thread=False)
    def list_numbers(request: ApiRequest, account: FromPath[str]) -> Page:
        query = forms.query_of(request, forms.LIST_NUMBERS)
        numbers = [
            number for number in office.numbers.values() if one(query, "PhoneNumber") in ("", number.phone_number)
        ]
        return page_of(
            request, query, "incoming_phone_numbers", numbers, lambda number: number_resource(number, account)
        )

    @get(f"{_API}/IncomingPhoneNumbers/{{name:str}}", sync_to_thread=False)
    def fetch_number(request: ApiRequest, account: FromPath[str], name: FromPath[str]) -> NumberResource:
        return number_resource(_number(office, request, _sid(request, name)), account)

    @post(f"{_API}/IncomingPhoneNumbers/{{name:str}}")
    async def update_number(
        request: ApiRequest, account: FromPath[str], name: FromPath[str]
    ) -> Response[NumberResource]:
        form = await forms.form_of(request, forms.UPDATE_NUMBER)
        number = _number(office, request, _sid(request, name))
        forms.update_number(number, form)
        return Response(number_resource(number, account), status_code=200)

    return [list_numbers, fetch_number, update_number]


@asynccontextmanager
async def serving(app: ASGIApp, port: int) -> AsyncIterator[str]:
    """Serve on loopback, on a free port for 0; yields the base URL. Raises Conflict when the port is taken."""
    config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1)
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    with _bound(port) as listener:
        await server.startup(sockets=[listener])
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            await server.shutdown(sockets=[listener])


def _bound(port: int) -> socket.socket:
    # The protocol is named, since asyncio turns Nagle's algorithm off only for sockets that say they are TCP.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        raise Conflict(f"the simulator's port {port} cannot be had: {error.strerror}") from error
    return listener


def _refusal_response(request: ApiRequest, refusal: Refusal) -> Response[_ProblemBody]:
    more_info = f"https://www.twilio.com/docs/errors/{refusal.code}"
    return Response(_ProblemBody(refusal.code, refusal.message, more_info, refusal.status), status_code=refusal.status)


def _sid(request: ApiRequest, name: str) -> str:
    if not name.endswith(".json"):
        raise not_found(request)
    return name.removesuffix(".json")


def _call(office: Office, request: ApiRequest, sid: str) -> Call:
    call = office.calls.get(sid)
    if call is None:
        raise not_found(request)
    return call


def _recording(office: Office, request: ApiRequest, sid: str) -> tuple[Call, Recording]:
    for call in office.calls.values():
        for recording in call.phone.recordings:
            if recording.sid == sid:
                return call, recording
    raise not_found(request)


def _number(office: Office, request: ApiRequest, sid: str) -> Number:
    for number in office.numbers.values():
        if number.sid == sid:
            return number
    raise not_found(request)


def _within(query: forms.Form, name: str, moment: datetime | None) -> bool:
    """Whether a moment is in the bounds that a query gives; one that has not come yet is in none.

    A bound is a second, as in the dates that the API shows.
    """
    at = None if moment is None else moment.replace(microsecond=0)
    after, before, on = (forms.moment(query, name + sign) for sign in (">", "<", ""))
    return (
        (after is None or (at is not None and at >= after))
        and (before is None or (at is not None and at <= before))
        and (on is None or (at is not None and at.date() == on.date()))
    )
