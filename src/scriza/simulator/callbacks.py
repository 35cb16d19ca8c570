"""What a call tells Scriza unasked: its status and its streams' events, by signed posts."""

import asyncio
import math
import secrets
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Literal

import msgspec

from scriza.simulator.messages import Refused
from scriza.simulator.options import Options, StatusEvent
from scriza.simulator.recordings import Recording
from scriza.simulator.report import Timeline
from scriza.simulator.twiml import Connect, Fetch
from scriza.simulator.webhooks import Webhooks

Status = Literal[
    "queued", "initiated", "ringing", "in-progress", "completed", "busy", "failed", "no-answer", "canceled"
]
TERMINAL: frozenset[Status] = frozenset({"completed", "busy", "failed", "no-answer", "canceled"})
_EVENTS: dict[Status, StatusEvent] = {"initiated": "initiated", "ringing": "ringing", "in-progress": "answered"}
_SIP_CODES: dict[Status, str] = {"busy": "486", "no-answer": "480", "failed": "404", "canceled": "487"}

Fields = list[tuple[str, str]]


class Plan(msgspec.Struct, frozen=True):
    """What is known of a call when it is placed. `document` is TwiML that was given instead of a URL to ask for it.

    `detection` is how who answers is to be found out, and `answered_by_callback` the URL that is told of it while the
    call goes on; without that URL the call's first document waits for it.
    """

    sid: str
    direction: Literal["inbound", "outbound-api"]
    caller: str
    callee: str
    first: Fetch | None
    document: str
    fallback: Fetch | None
    status_callback: str
    status_events: tuple[StatusEvent, ...]
    ring_timeout_ms: int = 60_000
    time_limit_ms: int = 14_400_000
    detection: Literal["", "Enable", "DetectMessageEnd"] = ""
    answered_by_callback: str = ""

    @property
    def party(self) -> str:
        """The number on the other side of Scriza."""
        return self.caller if self.direction == "inbound" else self.callee


def call_fields(plan: Plan, status: Status, account_sid: str) -> Fields:
    """The fields of every request about a call; as on the real line, many are blank."""
    return [
        ("AccountSid", account_sid),
        ("ApiVersion", "2010-04-01"),
        ("CallSid", plan.sid),
        ("CallStatus", status),
        ("Direction", plan.direction),
        *((name, plan.callee) for name in ("Called", "To")),
        *((name, plan.caller) for name in ("Caller", "From")),
        *((who + "Country", "US") for who in ("Called", "To", "Caller", "From")),
        *((who + part, "") for who in ("Called", "To") for part in ("City", "State", "Zip")),
        *((who + "City", "SAN FRANCISCO") for who in ("Caller", "From")),
        *((who + "State", "CA") for who in ("Caller", "From")),
        *((who + "Zip", "") for who in ("Caller", "From")),
    ]


class Callbacks:
    """Delivers one call's, each in a task of its own that ends with `delivered` or `close`.

    Status callbacks are in order, unless the options hold some back: then each goes its own way.
    """

    def __init__(self, plan: Plan, webhooks: Webhooks, options: Options, timeline: Timeline) -> None:
        self._plan, self._webhooks, self._options, self._timeline = plan, webhooks, options, timeline
        self._tasks: list[asyncio.Task[None]] = []
        self._sequence = 0
        self._last: asyncio.Task[None] | None = None

    def tell_status(self, status: Status, seconds: int | None) -> None:
        """The call's status has changed; `seconds` it has lasted, when it is over."""
        event = _EVENTS.get(status, "completed")
        if not self._plan.status_callback or event not in self._plan.status_events:
            return
        fields = [
            *call_fields(self._plan, status, self._options.account_sid),
            ("CallbackSource", "call-progress-events"),
            ("SequenceNumber", str(self._sequence)),
            ("Timestamp", format_datetime(datetime.now(UTC))),
        ]
        if status in TERMINAL:
            fields += [
                ("CallDuration", str(seconds or 0)),
                ("Duration", str(math.ceil((seconds or 0) / 60))),
                ("SipResponseCode", _SIP_CODES.get(status, "200")),
            ]
        self._sequence += 1
        self._last = asyncio.create_task(self._deliver(event, status, fields, self._last))
        self._tasks.append(self._last)

    def tell_stream(self, verb: Connect, sid: str, event: str, error: str = "") -> None:
        """Something happened to a stream that has a status callback of its own."""
        if not verb.status_callback:
            return
        fields = [
            ("AccountSid", self._options.account_sid),
            ("CallSid", self._plan.sid),
            ("StreamSid", sid),
            ("StreamName", verb.name or sid),
            ("StreamEvent", event),
            ("Timestamp", datetime.now(UTC).isoformat().replace("+00:00", "Z")),
        ]
        if error:
            fields.append(("StreamError", error))
        self._tasks.append(asyncio.create_task(self._post(verb.status_callback, fields, secrets.token_hex(16))))

    def tell_answered_by(self, who: str, ms: int) -> None:
        """Who answered is known, `ms` after the answer; see `Plan.answered_by_callback`."""
        fields = [
            ("AccountSid", self._options.account_sid),
            ("CallSid", self._plan.sid),
            ("AnsweredBy", who),
            ("MachineDetectionDuration", str(ms)),
        ]
        url = self._plan.answered_by_callback
        self._tasks.append(asyncio.create_task(self._post(url, fields, secrets.token_hex(16))))

    def tell_recording(self, recording: Recording) -> None:
        """A recording is complete, or there is none."""
        if not recording.callback or recording.status not in recording.events:
            return
        account = self._options.account_sid
        fields = [
            ("AccountSid", account),
            ("CallSid", self._plan.sid),
            ("RecordingSid", recording.sid),
            ("RecordingUrl", f"https://api.twilio.com/2010-04-01/Accounts/{account}/Recordings/{recording.sid}"),
            ("RecordingStatus", recording.status),
            ("RecordingDuration", str(recording.seconds or 0)),
            ("RecordingChannels", str(recording.channels)),
            ("RecordingStartTime", format_datetime(recording.began_at)),
            ("RecordingSource", "StartCallRecordingAPI"),
            ("RecordingTrack", "both"),
        ]
        self._tasks.append(asyncio.create_task(self._post(recording.callback, fields, secrets.token_hex(16))))

    async def delivered(self) -> None:
        """Wait until all have been answered or given up. Raises what went wrong in the simulator itself."""
        await asyncio.gather(*self._tasks)

    async def close(self) -> None:
        """Give up on those that are still under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _deliver(
        self, event: StatusEvent, status: Status, fields: Fields, before: asyncio.Task[None] | None
    ) -> None:
        if self._options.callback_delays_ms:
            await asyncio.sleep(self._options.callback_delays_ms.get(event, 0) / 1000)
        elif before is not None:
            await asyncio.wait({before})
        token = secrets.token_hex(16)
        for _ in range(2 if self._options.duplicate_callbacks else 1):
            await self._post(self._plan.status_callback, fields, token)
            self._timeline.note("callback", status)

    async def _post(self, url: str, fields: Fields, token: str) -> None:
        try:
            await self._webhooks.send("POST", url, fields, token=token, tell=self._timeline.remark)
        except Refused as refused:
            self._timeline.violation(refused.code, refused.reason)
