"""The `Carrier` port at Twilio: https://www.twilio.com/docs/voice/api and https://www.twilio.com/docs/messaging/api."""

import asyncio
import math
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import quote, urlsplit

from scriza.kernel.errors import BadInput, RateLimited, Unavailable, UpstreamFailed
from scriza.ports.carrier import CallOrder, CarrierNumber, FoundCall, FoundMessage, Recording
from scriza_adapters.provider_failures import provider_failed
from scriza_adapters.twilio.answers import (
    AccountAnswer,
    CallAnswer,
    CallPage,
    Created,
    MessagePage,
    NumberAnswer,
    NumberPage,
    RecordingPage,
    when,
)
from scriza_adapters.twilio.api import NOT_FOUND, NOT_IN_PROGRESS, Answer, TwilioApi
from scriza_adapters.twilio.pace import Pace

DELIVERY = "#rc=3&rp=all"
"""Behind the URL of what is told once, and asks for nothing: delivered up to three times more after any failure.

By default it is once more, and only where no connection came about:
https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides.
"""

_LONGEST_SMS = 1600
_LONGEST_TWIML = 4000
_TRIAL = "Sent from your Twilio trial account - "
"""What an account that is tried out for free has before each of its messages, also where they are listed."""
_PAGE = "50"
_NUMBERS_PAGE = "1000"
_MOST_PAGES = 50
_MOST_RECORDING_BYTES = 256_000_000
_RECORDING_SECONDS = 60.0
_TURN_SECONDS = 5.0
"""An order that cannot begin within this is refused, so that whoever asks can wait instead of the carrier."""
_EVENTS = ("initiated", "ringing", "answered", "completed")
_OVER = frozenset({NOT_FOUND, NOT_IN_PROGRESS})


class TwilioCarrier:
    """The `Carrier`. `base_url` empty is Twilio's own.

    `timeout` is seconds for one attempt, `calls_per_second` what the account allows of new calls, `pauses` the seconds
    before each further attempt where Twilio asks for patience without saying how much.
    """

    def __init__(
        self,
        account_sid: str,
        auth_token: str,
        *,
        base_url: str = "",
        timeout: float = 8.0,
        calls_per_second: float = 1.0,
        pauses: Sequence[float] = (0.5, 1.0, 2.0),
    ) -> None:
        self._api = TwilioApi(account_sid, auth_token, base_url=base_url, timeout=timeout, pauses=pauses)
        self._pace = Pace(calls_per_second, burst=max(1, int(calls_per_second)))

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()

    async def check(self) -> None:
        """Ask for the account itself. Raises Unavailable when it is not accepted, or not active."""
        act = "look at the account"
        answer = await self._api.ask(act, "GET", f"{self._api.account}.json")
        status = self._api.read(act, answer, AccountAnswer).status
        if status != "active":
            error = Unavailable(f"the account of TWILIO_ACCOUNT_SID is {status}")
            provider_failed("twilio", error)
            raise error

    async def send_sms(self, *, sender: str, to: str, text: str) -> str:
        """See `Carrier`. Raises BadInput for a text that is blank or too long."""
        if not text.strip() or len(text) > _LONGEST_SMS:
            raise BadInput(f"a text message has 1 to {_LONGEST_SMS} characters")
        return await self._create("send a message", "/Messages.json", {"From": sender, "To": to, "Body": text})

    async def find_messages(self, *, sender: str, to: str, since: datetime) -> list[FoundMessage]:
        """See `Carrier`."""
        act = "look for messages"
        query = {"From": sender, "To": to, "PageSize": _PAGE}
        page = self._api.read(act, await self._get(act, "/Messages.json", query), MessagePage)
        found = [
            FoundMessage(message.sid, (message.body or "").removeprefix(_TRIAL), _created(act, message.date_created))
            for message in page.messages
        ]
        return [message for message in found if message.created_at >= since.replace(microsecond=0)]

    async def place_call(self, order: CallOrder) -> str:
        """See `Carrier`. Raises RateLimited, with nothing asked, when calls are placed faster than the account may."""
        await self._turn()
        form: dict[str, str | Sequence[str]] = {
            "To": order.to,
            "From": order.sender,
            "Url": order.url,
            "FallbackUrl": order.fallback_url,
            "StatusCallback": order.status_url + DELIVERY,
            "StatusCallbackEvent": _EVENTS,
            "Timeout": str(order.ring_seconds),
            "TimeLimit": str(order.longest_seconds),
        }
        if order.answered_by_url:
            # Asynchronous, since otherwise whoever answers hears nothing until it is certain who they are.
            form["MachineDetection"] = "DetectMessageEnd"
            form["AsyncAmd"] = "true"
            form["AsyncAmdStatusCallback"] = order.answered_by_url + DELIVERY
        return await self._create("place a call", "/Calls.json", form)

    async def find_calls(self, *, sender: str, to: str, since: datetime) -> list[FoundCall]:
        """See `Carrier`."""
        # Not filtered by StartTime: a call that waits in Twilio's queue has none, and is looked for as well.
        act = "look for calls"
        query = {"From": sender, "To": to, "PageSize": _PAGE}
        page = self._api.read(act, await self._get(act, "/Calls.json", query), CallPage)
        found = [FoundCall(call.sid, call.status, _created(act, call.date_created)) for call in page.calls]
        return [call for call in found if call.created_at >= since.replace(microsecond=0)]

    async def hang_up(self, call_id: str) -> None:
        """See `Carrier`."""
        await self._api.ask("hang up", "POST", self._call(call_id), form={"Status": "completed"}, expected=_OVER)

    async def redirect(self, call_id: str, twiml: str) -> bool:
        """See `Carrier`. Raises BadInput for a document that is too long to be sent along."""
        if len(twiml) > _LONGEST_TWIML:
            raise BadInput(f"instructions for a call have at most {_LONGEST_TWIML} characters")
        act = "redirect a call"
        answer = await self._api.ask(act, "POST", self._call(call_id), form={"Twiml": twiml}, expected=_OVER)
        if answer.code != NOT_IN_PROGRESS:
            return answer.code == 0
        # Ringing is not in progress either.
        answer = await self._api.ask(act, "GET", self._call(call_id), expected=_OVER)
        if answer.code or self._api.read(act, answer, CallAnswer).over:
            return False
        raise UpstreamFailed(f"Twilio refused to {act} that is not answered yet (error {NOT_IN_PROGRESS})")

    async def start_recording(self, call_id: str, *, status_url: str) -> str:
        """See `Carrier`."""
        form: dict[str, str | Sequence[str]] = {
            "RecordingChannels": "dual",
            "RecordingTrack": "both",
            # Twilio would cut silence off at both ends, and with it the words' places in time.
            "Trim": "do-not-trim",
            "RecordingStatusCallback": status_url + DELIVERY,
            "RecordingStatusCallbackEvent": ("completed", "absent"),
        }
        return await self._create("record a call", f"/Calls/{quote(call_id, safe='')}/Recordings.json", form)

    async def recordings(self, call_id: str) -> list[Recording]:
        """See `Carrier`."""
        act = "look for recordings"
        path = f"/Calls/{quote(call_id, safe='')}/Recordings.json"
        page = self._api.read(act, await self._get(act, path, {"PageSize": _PAGE}), RecordingPage)
        return [Recording(one.sid, one.status, one.channels, _seconds(one.duration)) for one in page.recordings]

    async def recording(self, recording_id: str) -> bytes:
        """See `Carrier`."""
        answer = await self._api.ask(
            "fetch a recording",
            "GET",
            f"{self._api.account}/Recordings/{quote(recording_id, safe='')}.wav",
            query={"RequestedChannels": "2"},
            most_bytes=_MOST_RECORDING_BYTES,
            timeout=_RECORDING_SECONDS,
        )
        if not answer.body.startswith(b"RIFF"):
            raise UpstreamFailed("Twilio's recording is not a WAV file")
        return answer.body

    async def delete_recording(self, recording_id: str) -> None:
        """See `Carrier`."""
        path = f"{self._api.account}/Recordings/{quote(recording_id, safe='')}.json"
        await self._api.ask("delete a recording", "DELETE", path, expected=frozenset({NOT_FOUND}))

    async def numbers(self) -> list[CarrierNumber]:
        """See `Carrier`."""
        act = "list the numbers"
        answer = await self._get(act, "/IncomingPhoneNumbers.json", {"PageSize": _NUMBERS_PAGE})
        page = self._api.read(act, answer, NumberPage)
        found = list(page.incoming_phone_numbers)
        for _ in range(_MOST_PAGES):
            if not page.next_page_uri:
                break
            following = urlsplit(page.next_page_uri)
            if following.path != f"{self._api.account}/IncomingPhoneNumbers.json":
                raise UpstreamFailed("Twilio's list of numbers goes on somewhere else")
            answer = await self._api.ask(act, "GET", f"{following.path}?{following.query}")
            page = self._api.read(act, answer, NumberPage)
            found += page.incoming_phone_numbers
        return [_number(number) for number in found]

    async def point_number(
        self, number_id: str, *, voice_url: str, fallback_url: str, status_url: str, sms_url: str
    ) -> None:
        """See `Carrier`."""
        form = {
            "VoiceUrl": voice_url,
            "VoiceMethod": "POST",
            "VoiceFallbackUrl": fallback_url,
            "VoiceFallbackMethod": "POST",
            "StatusCallback": status_url,
            "StatusCallbackMethod": "POST",
            "SmsUrl": sms_url,
            "SmsMethod": "POST",
        }
        path = f"{self._api.account}/IncomingPhoneNumbers/{quote(number_id, safe='')}.json"
        await self._api.ask("point a number", "POST", path, form=form)

    async def _turn(self) -> None:
        now = asyncio.get_running_loop().time()
        wait = self._pace.take(now, patience=_TURN_SECONDS)
        if wait is None:
            raise RateLimited(
                "calls are placed faster than TWILIO_CALLS_PER_SECOND", retry_after=math.ceil(self._pace.wait(now))
            )
        await asyncio.sleep(wait)

    async def _create(self, act: str, path: str, form: dict[str, str | Sequence[str]]) -> str:
        answer = await self._api.ask(act, "POST", self._api.account + path, form=form, once=True)
        return self._api.read(act, answer, Created, once=True).sid

    async def _get(self, act: str, path: str, query: dict[str, str]) -> Answer:
        return await self._api.ask(act, "GET", self._api.account + path, query=query)

    def _call(self, call_id: str) -> str:
        return f"{self._api.account}/Calls/{quote(call_id, safe='')}.json"


def _created(act: str, date: str | None) -> datetime:
    try:
        return when(date or "")
    except ValueError as error:
        raise UpstreamFailed(f"Twilio's answer could not be read ({act})") from error


def _seconds(duration: str | None) -> int | None:
    return int(duration) if duration is not None and duration.isdecimal() else None


def _number(number: NumberAnswer) -> CarrierNumber:
    return CarrierNumber(
        number_id=number.sid,
        number=number.phone_number,
        label=number.friendly_name or "",
        voice_url=number.voice_url or "",
        fallback_url=number.voice_fallback_url or "",
        status_url=number.status_callback or "",
        sms_url=number.sms_url or "",
        led_by=number.trunk_sid or number.voice_application_sid or number.sms_application_sid or "",
    )
