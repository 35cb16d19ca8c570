"""What the REST API shows: its resources as JSON, and lists of them in pages."""

from collections.abc import Callable, Sequence
from datetime import datetime
from email.utils import format_datetime
from typing import TypeVar
from urllib.parse import urlencode

import msgspec

from scriza.simulator.call import Call
from scriza.simulator.numbers import Number
from scriza.simulator.recordings import Recording
from scriza.simulator.report import Message
from scriza.simulator.rest_forms import ApiRequest, Form, number

_T = TypeVar("_T")

Page = dict[str, object]


class AccountResource(msgspec.Struct):
    """The account."""

    sid: str
    friendly_name: str = "Simulated"
    status: str = "active"
    type: str = "Full"


class CallResource(msgspec.Struct, rename={"sender": "from"}):
    """A call."""

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


class MessageResource(msgspec.Struct, rename={"sender": "from"}):
    """A message."""

    sid: str
    account_sid: str
    to: str
    sender: str
    body: str
    date_created: str
    date_sent: str
    uri: str
    status: str = "queued"
    direction: str = "outbound-api"
    api_version: str = "2010-04-01"
    num_segments: str = "1"
    num_media: str = "0"
    error_code: int | None = None


class NumberResource(msgspec.Struct):
    """A phone number."""

    sid: str
    account_sid: str
    phone_number: str
    friendly_name: str
    voice_url: str | None
    voice_method: str
    voice_fallback_url: str | None
    voice_fallback_method: str
    status_callback: str | None
    status_callback_method: str
    sms_url: str | None
    sms_method: str
    sms_fallback_url: str | None
    sms_fallback_method: str
    voice_application_sid: str | None
    sms_application_sid: str | None
    trunk_sid: str | None
    uri: str


class RecordingResource(msgspec.Struct):
    """A recording."""

    sid: str
    account_sid: str
    call_sid: str
    status: str
    channels: int
    duration: str | None
    date_created: str
    start_time: str
    uri: str
    source: str = "StartCallRecordingAPI"
    track: str = "both"
    error_code: int | None = None


def page_of(
    request: ApiRequest, query: Form, key: str, items: Sequence[_T], show: Callable[[_T], msgspec.Struct]
) -> Page:
    """The page that the query asks for."""
    size, index = number(query, "PageSize", 50, 1000), number(query, "Page", 0, 1_000_000, least=0)
    start = index * size
    shown = [show(item) for item in items[start : start + size]]

    def uri(page: int) -> str:
        kept = {name: values[-1] for name, values in query.items() if name not in ("Page", "PageSize", "PageToken")}
        return f"{request.url.path}?{urlencode({**kept, 'PageSize': size, 'Page': page})}"

    return {
        key: shown,
        "page": index,
        "page_size": size,
        "start": start,
        "end": max(start, start + len(shown) - 1),
        "uri": uri(index),
        "first_page_uri": uri(0),
        "previous_page_uri": uri(index - 1) if index else None,
        "next_page_uri": uri(index + 1) if start + size < len(items) else None,
    }


def call_resource(call: Call, account: str) -> CallResource:
    """A call as the API shows it."""
    plan, seconds = call.plan, call.duration_seconds
    return CallResource(
        sid=plan.sid,
        account_sid=account,
        to=plan.callee,
        sender=plan.caller,
        status=call.status,
        direction=plan.direction,
        date_created=format_datetime(call.created_at),
        start_time=None if call.status == "queued" else format_datetime(call.created_at),
        end_time=_date(call.ended_at),
        duration=None if seconds is None else str(seconds),
        uri=_uri(account, "Calls", plan.sid),
        answered_by=call.answered_by or None,
    )


def message_resource(message: Message, account: str) -> MessageResource:
    """A message as the API shows it."""
    return MessageResource(
        sid=message.sid,
        account_sid=account,
        to=message.to,
        sender=message.sender,
        body=message.text,
        date_created=format_datetime(message.created_at),
        date_sent=format_datetime(message.created_at),
        uri=_uri(account, "Messages", message.sid),
    )


def number_resource(shown: Number, account: str) -> NumberResource:
    """A phone number as the API shows it."""
    fields = msgspec.structs.asdict(shown)
    for name, value in fields.items():
        fields[name] = value or None
    return NumberResource(**fields, account_sid=account, uri=_uri(account, "IncomingPhoneNumbers", shown.sid))


def recording_resource(recording: Recording, call_sid: str, account: str) -> RecordingResource:
    """A recording as the API shows it."""
    seconds = recording.seconds
    return RecordingResource(
        sid=recording.sid,
        account_sid=account,
        call_sid=call_sid,
        status=recording.status,
        channels=recording.channels,
        duration=None if seconds is None else str(seconds),
        date_created=format_datetime(recording.began_at),
        start_time=format_datetime(recording.began_at),
        uri=_uri(account, "Recordings", recording.sid),
    )


def _uri(account: str, kind: str, sid: str) -> str:
    return f"/2010-04-01/Accounts/{account}/{kind}/{sid}.json"


def _date(moment: datetime | None) -> str | None:
    return None if moment is None else format_datetime(moment)
