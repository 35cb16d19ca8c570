"""Webhooks: signed form posts with Twilio's deadlines and retries.

https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides. A URL's fragment can change them, such as
``#rc=3&rp=all``; without one there is a single retry, and only when no connection came about.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Sequence
from typing import Literal
from urllib.parse import parse_qsl, urldefrag, urlencode, urlsplit

import httpx
import msgspec

from scriza.simulator.messages import Refused
from scriza.simulator.signing import sign

Form = Sequence[tuple[str, str]]
Reason = Literal["ct", "rt", "4xx", "5xx"]


class Policy(msgspec.Struct, frozen=True):
    """Deadlines in ms, and after what failures a request is sent again, how often and after what pause.

    Twilio itself does not pause; a pause stands for a proxy that holds requests while a server is restarted.
    """

    connect_ms: int = 5_000
    read_ms: int = 15_000
    total_ms: int = 15_000
    retries: int = 1
    retry_on: frozenset[Reason] = frozenset({"ct"})
    pause_ms: int = 0


class Answered(msgspec.Struct, frozen=True):
    """A response with a good status."""

    status: int
    content_type: str
    body: bytes


class _Failed(Exception):
    def __init__(self, reason: Reason, refused: Refused) -> None:
        super().__init__(refused.reason)
        self.reason = reason
        self.refused = refused


class Webhooks:
    """Sends them. `routes` maps origins in URLs to the origins where they are really found."""

    def __init__(self, auth_token: str, routes: dict[str, str], policy: Policy) -> None:
        self._token, self._routes, self._policy = auth_token, routes, policy
        self._client = httpx.AsyncClient(trust_env=False, headers={"User-Agent": "TwilioProxy/1.1", "Accept": "*/*"})

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def reached_at(self, url: str) -> str:
        """Where to connect to for a URL: its own, or its origin's route."""
        parts = urlsplit(url)
        scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
        route = self._routes.get(f"{scheme}://{parts.netloc}")
        if route is None:
            return url
        to = urlsplit(route)
        websocket = {"http": "ws", "https": "wss"}[to.scheme]
        return parts._replace(
            scheme=websocket if parts.scheme in ("ws", "wss") else to.scheme, netloc=to.netloc
        ).geturl()

    async def send(
        self, method: str, url: str, form: Form, *, tell: Callable[[str], None] = lambda text: None, token: str = ""
    ) -> Answered:
        """Send it until there is an answer, or no retry is left. Raises Refused with 11200 or 11205.

        `token` is the idempotency token, a fresh one when empty; all attempts carry the same.
        """
        plain, fragment = urldefrag(url)
        policy = _overridden(self._policy, fragment)
        token = token or secrets.token_hex(16)
        for attempt in range(policy.retries + 1):
            try:
                return await self._attempt(method, plain, form, token, policy)
            except _Failed as failed:
                tell(f"{failed.refused.reason} (attempt {attempt + 1})")
                if failed.reason not in policy.retry_on or attempt == policy.retries:
                    raise failed.refused from failed
                await asyncio.sleep(policy.pause_ms / 1000)
        raise AssertionError("the last attempt returns or raises")

    async def download(self, url: str) -> Answered:
        """Fetch a file. Raises Refused."""
        try:
            return await self._attempt("GET", url, (), secrets.token_hex(16), self._policy)
        except _Failed as failed:
            raise failed.refused from failed

    async def _attempt(self, method: str, url: str, form: Form, token: str, policy: Policy) -> Answered:
        path = urlsplit(url).path
        if method == "GET" and form:
            url = f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(list(form))}"
            form = ()
        headers = {
            "X-Twilio-Signature": sign(self._token, url, form),
            "I-Twilio-Idempotency-Token": token,
            "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
        }
        timeout = httpx.Timeout(policy.read_ms / 1000, connect=policy.connect_ms / 1000)
        content = urlencode(list(form)).encode() if method == "POST" else None
        try:
            async with asyncio.timeout(policy.total_ms / 1000):
                response = await self._client.request(
                    method, self.reached_at(url), content=content, headers=headers, timeout=timeout
                )
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise _Failed("ct", Refused(11205, f"{path}: no connection")) from error
        except (httpx.TimeoutException, TimeoutError) as error:
            raise _Failed("rt", Refused(11205, f"{path}: no answer in time")) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _Failed("ct", Refused(11200, f"{path}: {type(error).__name__}")) from error
        if response.status_code >= 300:
            reason: Reason = "5xx" if response.status_code >= 500 else "4xx"
            raise _Failed(reason, Refused(11200, f"{path}: answered with {response.status_code}"))
        return Answered(response.status_code, response.headers.get("content-type", ""), response.content)


def _overridden(policy: Policy, fragment: str) -> Policy:
    given = dict(parse_qsl(fragment))
    reasons: set[Reason] = set()
    for word in given.get("rp", "").split(","):
        match word:
            case "all":
                reasons |= {"ct", "rt", "4xx", "5xx"}
            case "ct" | "rt" | "4xx" | "5xx":
                reasons.add(word)
    changes: dict[str, int] = {}
    for key, field in (("ct", "connect_ms"), ("rt", "read_ms"), ("tt", "total_ms"), ("rc", "retries")):
        with contextlib.suppress(KeyError, ValueError):
            changes[field] = int(given[key])
    changed: Policy = msgspec.structs.replace(policy, **changes, retry_on=frozenset(reasons) or policy.retry_on)
    return changed
