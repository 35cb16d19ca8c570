"""Twilio's REST API, as far as Scriza asks it for something: text messages.

https://www.twilio.com/docs/messaging/api/message-resource.
Twilio does not know idempotency keys, so nothing here is repeated: what may have been done is told as
DeadlineExceeded, what was refused or never reached Twilio as UpstreamFailed.
"""

import asyncio
from urllib.parse import quote

import httpx
import msgspec

from scriza.kernel.errors import BadInput, DeadlineExceeded, UpstreamFailed

_API = "https://api.twilio.com"
_LONGEST_SMS = 1600
_KEEP_ALIVE_SECONDS = 120


class _Message(msgspec.Struct):
    sid: str


class _Refusal(msgspec.Struct):
    code: int = 0


class TwilioCarrier:
    """The `Carrier` over one client for the whole process. `base_url` empty is Twilio's own; `timeout` in seconds."""

    def __init__(self, account_sid: str, auth_token: str, *, base_url: str = "", timeout: float = 10.0) -> None:
        self._timeout = timeout
        self._client = httpx.AsyncClient(
            base_url=f"{(base_url or _API).rstrip('/')}/2010-04-01/Accounts/{quote(account_sid, safe='')}",
            auth=httpx.BasicAuth(account_sid, auth_token),
            timeout=httpx.Timeout(timeout, connect=min(timeout, 3.0)),
            limits=httpx.Limits(max_connections=20, keepalive_expiry=_KEEP_ALIVE_SECONDS),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def send_sms(self, *, sender: str, to: str, text: str) -> str:
        """See `Carrier`. Raises BadInput for a text that is blank or too long."""
        if not text.strip() or len(text) > _LONGEST_SMS:
            raise BadInput(f"a text message has 1 to {_LONGEST_SMS} characters")
        response = await self._post("/Messages.json", {"From": sender, "To": to, "Body": text})
        if not response.is_success:
            raise _refused(response)
        try:
            return msgspec.json.decode(response.content, type=_Message).sid
        except msgspec.DecodeError as error:
            raise UpstreamFailed("Twilio's answer to a message could not be read") from error

    async def _post(self, path: str, form: dict[str, str]) -> httpx.Response:
        try:
            async with asyncio.timeout(self._timeout):
                return await self._client.post(path, data=form)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise UpstreamFailed("Twilio cannot be reached") from error
        except (httpx.TransportError, TimeoutError) as error:
            raise DeadlineExceeded("Twilio's answer did not come") from error


def _refused(response: httpx.Response) -> UpstreamFailed:
    # Twilio's own text of an error quotes the phone numbers, so only its number is told.
    after = response.headers.get("retry-after", "")
    return UpstreamFailed(
        f"Twilio refused the message: HTTP {response.status_code}, error {_code(response)}",
        retry_after=int(after) if after.isascii() and after.isdigit() else None,
    )


def _code(response: httpx.Response) -> int:
    """Twilio's number of an error, https://www.twilio.com/docs/api/errors; 0 when it tells none."""
    try:
        return msgspec.json.decode(response.content, type=_Refusal).code
    except msgspec.DecodeError:
        return 0
