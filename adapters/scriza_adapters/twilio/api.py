"""One act at Twilio's REST API: a request, its deadline, and what its failure means.

Twilio knows no idempotency keys, so what may have been carried out is never asked for again here. The one answer that
is waited out is 429: it says that nothing was done.
"""

import asyncio
import random
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar
from urllib.parse import quote

import httpx
import msgspec
import structlog

from scriza.kernel.errors import (
    DeadlineExceeded,
    Forbidden,
    NotFound,
    RateLimited,
    ScrizaError,
    Unavailable,
    UpstreamFailed,
)
from scriza_adapters.provider_failures import no_secure_connection, provider_failed
from scriza_adapters.twilio.answers import Refusal

_log = structlog.get_logger()

_API = "https://api.twilio.com"
_VERSION = "/2010-04-01"
_KEEP_ALIVE_SECONDS = 120
_CONNECT_SECONDS = 3.0
_MOST_BYTES = 8_000_000
_PAUSES = (0.5, 1.0, 2.0)
"""Seconds before the next attempts after 429, where Twilio does not say how long to wait; each up to half as long."""
_UNREACHED_SECONDS = 2
_PATIENCE_SECONDS = 5
"""A longer pause than this is not waited out, but told."""

NOT_ACCEPTED = 20003
NOT_FOUND = 20404
OPTED_OUT = 21610
NOT_IN_PROGRESS = 21220

Form = Mapping[str, str | Sequence[str]]
_T = TypeVar("_T")


class Answer(msgspec.Struct, frozen=True):
    """What Twilio has answered; `code` is 0, or the expected refusal's number."""

    code: int
    body: bytes


class _Reply(NamedTuple):
    status: int
    retry_after: int | None
    body: bytes


class TwilioApi:
    """Requests of one account, over one client for the whole process.

    `base_url` empty is Twilio's own; `timeout` is seconds for one attempt, from connecting to the last byte; `pauses`
    are the seconds before each further attempt after 429, where Twilio names none.
    """

    def __init__(
        self,
        account_sid: str,
        auth_token: str,
        *,
        base_url: str,
        timeout: float,
        pauses: Sequence[float] = _PAUSES,
    ) -> None:
        self._timeout, self._pauses = timeout, pauses
        self.account = f"{_VERSION}/Accounts/{quote(account_sid, safe='')}"
        short = min(timeout, _CONNECT_SECONDS)
        self._client = httpx.AsyncClient(
            base_url=(base_url or _API).rstrip("/"),
            auth=httpx.BasicAuth(account_sid, auth_token),
            timeout=httpx.Timeout(timeout, connect=short, pool=short),
            limits=httpx.Limits(max_connections=20, keepalive_expiry=_KEEP_ALIVE_SECONDS),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def ask(
        self,
        act: str,
        method: str,
        path: str,
        *,
        form: Form | None = None,
        query: Mapping[str, str] | None = None,
        once: bool = False,
        expected: frozenset[int] = frozenset(),
        most_bytes: int = _MOST_BYTES,
        timeout: float = 0,
    ) -> Answer:
        """Do `act`, which names it in errors and logs; `path` is absolute.

        `once` marks an act that must not be done twice: then a failure of Twilio's own, after which it may have been
        done all the same, is told as DeadlineExceeded. Refusals with a number in `expected` are answers. `timeout`
        goes before that of the client, where it is longer.
        """
        try:
            for pause in (*self._pauses, None):
                request = self._client.build_request(method, path, data=form, params=query)
                reply = await self._exchange(act, request, most_bytes, max(timeout, self._timeout), once=once)
                patience = _pause_of(reply, pause)
                if reply.status != httpx.codes.TOO_MANY_REQUESTS or patience is None:
                    break
                _log.info("carrier.waits", act=act, seconds=round(patience, 1))
                await asyncio.sleep(patience)
            code = _code(reply)
            if code in expected or httpx.codes.is_success(reply.status):
                return Answer(code, reply.body)
            raise _refused(act, reply, code, once=once)
        except ScrizaError as error:
            provider_failed("twilio", error)
            raise

    def read(self, act: str, answer: Answer, kind: type[_T], *, once: bool = False) -> _T:
        """What an answer says. Raises UpstreamFailed for one that makes no sense, DeadlineExceeded after `once`."""
        try:
            return msgspec.json.decode(answer.body, type=kind)
        except msgspec.DecodeError as error:
            failure = (DeadlineExceeded if once else UpstreamFailed)(f"Twilio's answer could not be read ({act})")
            provider_failed("twilio", failure)
            raise failure from error

    async def _exchange(
        self, act: str, request: httpx.Request, most_bytes: int, timeout: float, *, once: bool
    ) -> _Reply:
        # A recording may be found on another host, to which httpx hands on no credentials.
        follow = request.method == "GET"
        try:
            async with asyncio.timeout(timeout):
                response = await self._client.send(request, stream=True, follow_redirects=follow)
                try:
                    body = bytearray()
                    async for piece in response.aiter_bytes():
                        body += piece
                        if len(body) > most_bytes:
                            failure = DeadlineExceeded if once else UpstreamFailed
                            raise failure(f"Twilio's answer is longer than {most_bytes} bytes ({act})")
                finally:
                    await response.aclose()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            reason = f"Twilio cannot be reached: {_why(error)} ({act})"
            raise UpstreamFailed(reason, retry_after=_UNREACHED_SECONDS) from error
        except (httpx.TransportError, httpx.DecodingError, httpx.TooManyRedirects, TimeoutError) as error:
            raise DeadlineExceeded(f"Twilio's answer did not come ({act})") from error
        return _Reply(response.status_code, _retry_after(response), bytes(body))


def _why(error: httpx.TransportError) -> str:
    return "no secure connection came about" if no_secure_connection(error) else "no connection came about"


def _pause_of(reply: _Reply, own: float | None) -> float | None:
    """Seconds before the next attempt; None when there is to be none."""
    if own is None:
        return None
    if reply.retry_after is None:
        return own * random.uniform(0.5, 1)  # noqa: S311 - spreads repetitions, keeps no secret
    return float(reply.retry_after) if reply.retry_after <= _PATIENCE_SECONDS else None


def _retry_after(response: httpx.Response) -> int | None:
    after = response.headers.get("retry-after", "")
    return int(after) if after.isascii() and after.isdigit() else None


def _code(reply: _Reply) -> int:
    """The number of a refusal, as far as it has one; 0 for what is none."""
    if httpx.codes.is_success(reply.status):
        return 0
    try:
        code = msgspec.json.decode(reply.body, type=Refusal).code
    except msgspec.DecodeError:
        code = 0
    return code or (NOT_FOUND if reply.status == httpx.codes.NOT_FOUND else 0)


def _refused(act: str, reply: _Reply, code: int, *, once: bool) -> ScrizaError:
    told = f"HTTP {reply.status}, error {code}"
    if reply.status == httpx.codes.UNAUTHORIZED or code == NOT_ACCEPTED:
        return Unavailable(f"Twilio does not accept TWILIO_ACCOUNT_SID with TWILIO_AUTH_TOKEN ({told})")
    if reply.status == httpx.codes.TOO_MANY_REQUESTS:
        return RateLimited(f"Twilio asks for patience: {act} ({told})", retry_after=reply.retry_after)
    if code == OPTED_OUT:
        return Forbidden(f"this person has asked Twilio to let no messages through ({told})")
    if code == NOT_FOUND:
        return NotFound(f"Twilio cannot {act}: there is no such thing ({told})")
    if once and httpx.codes.is_server_error(reply.status):
        return DeadlineExceeded(f"Twilio failed to {act}, or did so and could not tell ({told})")
    return UpstreamFailed(f"Twilio refused to {act} ({told})", retry_after=reply.retry_after)
