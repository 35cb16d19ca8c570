"""What Twilio answers with, as far as it is read. Its dates are RFC 2822, its lists come in pages."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import msgspec

from scriza.ports.telephony import TERMINAL


def when(date: str) -> datetime:
    """A date of Twilio's, such as ``Fri, 18 Oct 2019 17:00:00 +0000``, to the second. Raises ValueError."""
    return parsedate_to_datetime(date).astimezone(UTC)


class Created(msgspec.Struct):
    """Whatever was made: all that counts is its id."""

    sid: str


class AccountAnswer(msgspec.Struct):
    """The account itself."""

    status: str
    type: str = ""


class CallAnswer(msgspec.Struct):
    """A call."""

    sid: str
    status: str
    date_created: str | None = None

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.status in TERMINAL


class CallPage(msgspec.Struct):
    """Calls."""

    calls: list[CallAnswer]


class MessageAnswer(msgspec.Struct):
    """A text message."""

    sid: str
    body: str | None
    date_created: str | None = None


class MessagePage(msgspec.Struct):
    """Text messages."""

    messages: list[MessageAnswer]


class NumberAnswer(msgspec.Struct):
    """A phone number of the account."""

    sid: str
    phone_number: str
    friendly_name: str | None = None
    voice_url: str | None = None
    voice_fallback_url: str | None = None
    voice_application_sid: str | None = None
    trunk_sid: str | None = None
    status_callback: str | None = None
    sms_url: str | None = None
    sms_application_sid: str | None = None


class NumberPage(msgspec.Struct):
    """Phone numbers; `next_page_uri` is a path on the same host."""

    incoming_phone_numbers: list[NumberAnswer]
    next_page_uri: str | None = None


class RecordingAnswer(msgspec.Struct):
    """A recording. `duration` is in seconds, as text; None or ``-1`` while it goes on."""

    sid: str
    status: str
    channels: int
    duration: str | None = None


class RecordingPage(msgspec.Struct):
    """Recordings."""

    recordings: list[RecordingAnswer]


class Refusal(msgspec.Struct):
    """An error: its number, https://www.twilio.com/docs/api/errors. Its text quotes phone numbers and is not read."""

    code: int = 0
