"""Tokens that open one media stream: bound to a call, short-lived, used once.

A token is ``<CallSid>.<expiry>.<nonce>.<HMAC-SHA256 of what precedes>``: it needs no state until it is used, and any
process that shares the key and the `Once` can redeem it. All of its characters may stand in a URL's path.
"""

import asyncio
import hmac
import secrets
from datetime import UTC, datetime, timedelta

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.errors import BadInput, Forbidden, Unavailable
from scriza.modules.telephony.call_log import Once
from scriza.modules.telephony.forms import SID

_MARGIN = timedelta(minutes=1)
"""How long a used token is remembered past its end, for clocks that differ between processes."""
_CLAIM_SECONDS = 2.0


class StreamTokens:
    """Issues and redeems them. `key` signs; `lifetime` is how long Twilio has to open the stream."""

    def __init__(
        self, key: str, once: Once, *, lifetime: timedelta = timedelta(seconds=60), now: WallClock = utc_now
    ) -> None:
        if not key:
            raise ValueError("with a blank key anybody could make tokens")
        self._key = key.encode()
        self._once = once
        self._lifetime = lifetime
        self._now = now

    def issue(self, call_id: str) -> str:
        """A token for one stream of this call. Raises BadInput for what cannot be a CallSid."""
        if not SID.fullmatch(call_id):
            raise BadInput("not a CallSid")
        expires_at = int((self._now() + self._lifetime).timestamp())
        body = f"{call_id}.{expires_at}.{secrets.token_hex(12)}"
        return f"{body}.{self._sign(body)}"

    async def redeem(self, token: str, *, call_id: str = "") -> str:
        """The CallSid the token was issued for; from now on it opens nothing more.

        `call_id`, where it is known already, must be that one; a token refused for it is not used up. Raises
        Forbidden, Unavailable when it cannot be told whether the token was used before.
        """
        body, _, signature = token.rpartition(".")
        if not token.isascii() or not hmac.compare_digest(self._sign(body), signature):
            raise Forbidden("the stream token is not one of ours")
        told, expiry, nonce = body.split(".")
        expires_at = datetime.fromtimestamp(int(expiry), UTC)
        if self._now() >= expires_at:
            raise Forbidden("the stream token has expired")
        if call_id and call_id != told:
            raise Forbidden("the stream token belongs to another call")
        try:
            async with asyncio.timeout(_CLAIM_SECONDS):
                first = await self._once.claim(f"stream-token:{told}:{nonce}", expires_at + _MARGIN)
        except TimeoutError as error:
            raise Unavailable("the stream token could not be checked in time") from error
        if not first:
            raise Forbidden("the stream token has been used")
        return told

    def _sign(self, body: str) -> str:
        return hmac.new(self._key, body.encode(), "sha256").hexdigest()
