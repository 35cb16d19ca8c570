"""The telephone company, as far as Scriza asks it for something: a door to the outside, not a module's.

No carrier promises that a repeated request is carried out once. So nothing here is repeated, and what may or may not
have been done is told as DeadlineExceeded: who asked looks it up (`find_calls`, `find_messages`) before asking again.
"""

from datetime import datetime
from typing import Literal, Protocol

import msgspec

Answerer = Literal[
    "human", "machine_start", "machine_end_beep", "machine_end_silence", "machine_end_other", "fax", "unknown"
]
"""Who answered, in Twilio's words: ``machine_end_*`` is told when the greeting of an answering machine is over."""


class CallOrder(msgspec.Struct, frozen=True):
    """A call to be placed. Numbers are E.164; URLs are absolute, and ours.

    `url` is asked for what to do when the call is answered, `status_url` is told of every status, `answered_by_url`
    (empty: nobody listens for machines) of who answered, while the conversation is under way already.
    """

    sender: str
    to: str
    url: str
    fallback_url: str
    status_url: str
    answered_by_url: str = ""
    ring_seconds: int = 30
    longest_seconds: int = 1800


class FoundCall(msgspec.Struct, frozen=True):
    """A call that the carrier knows."""

    call_id: str
    status: str
    created_at: datetime


class FoundMessage(msgspec.Struct, frozen=True):
    """A message that the carrier knows."""

    message_id: str
    text: str
    created_at: datetime


class CarrierNumber(msgspec.Struct, frozen=True):
    """A phone number of the account, and where its calls and messages lead.

    `led_by` names what of the carrier's own goes before these URLs, such as a trunk; empty when nothing does.
    """

    number_id: str
    number: str
    label: str
    voice_url: str
    fallback_url: str
    status_url: str
    sms_url: str
    led_by: str = ""


class Recording(msgspec.Struct, frozen=True):
    """A recording that the carrier keeps. `duration_seconds` is None until it is complete."""

    recording_id: str
    status: str
    channels: int
    duration_seconds: int | None


class Carrier(Protocol):
    """Places and leads calls, and sends messages. The media socket is not here: the carrier comes to us for that.

    Every method raises UpstreamFailed when the carrier refuses (its own error number in the detail, never a phone
    number) or cannot be reached (with `retry_after`: nothing was done), RateLimited with `retry_after` when it asks for
    patience, Unavailable when the account or its token is not accepted, and DeadlineExceeded when its answer did not
    come.
    """

    async def send_sms(self, *, sender: str, to: str, text: str) -> str:
        """Send a text message of at most 1,600 characters; returns the carrier's id of it.

        Raises Forbidden when the person has told the carrier STOP: write to them no more.
        """
        ...

    async def find_messages(self, *, sender: str, to: str, since: datetime) -> list[FoundMessage]:
        """Messages sent since then, newest first, a page of them at most.

        `since` counts by the second and by the carrier's clock, which may differ from ours: allow for that.
        """
        ...

    async def place_call(self, order: CallOrder) -> str:
        """Place a call; returns its id, by which everything about it is told."""
        ...

    async def find_calls(self, *, sender: str, to: str, since: datetime) -> list[FoundCall]:
        """Calls placed since then, newest first, a page of them at most. `since` counts as in `find_messages`."""
        ...

    async def hang_up(self, call_id: str) -> None:
        """End a call, ringing or answered. One that is over already is fine."""
        ...

    async def redirect(self, call_id: str, twiml: str) -> bool:
        """Give a live call new instructions: an open media stream ends. False when the call is over already."""
        ...

    async def start_recording(self, call_id: str, *, status_url: str) -> str:
        """Have the carrier record both legs, a channel each; returns the recording's id."""
        ...

    async def recordings(self, call_id: str) -> list[Recording]:
        """What the carrier has recorded of a call."""
        ...

    async def recording(self, recording_id: str) -> bytes:
        """A complete recording as WAV. Raises NotFound while there is none."""
        ...

    async def delete_recording(self, recording_id: str) -> None:
        """Have the carrier forget a recording; one that is gone already is fine."""
        ...

    async def numbers(self) -> list[CarrierNumber]:
        """All phone numbers of the account."""
        ...

    async def point_number(
        self, number_id: str, *, voice_url: str, fallback_url: str, status_url: str, sms_url: str
    ) -> None:
        """Lead a number's calls and messages to these URLs."""
        ...
