"""Requests to identity providers: a deadline for the whole answer, a bound on its size, and no redirects."""

import asyncio
from typing import TypeVar

import httpx
import msgspec
from typing_extensions import TypeForm

from scriza.kernel.errors import DeadlineExceeded, ScrizaError, Unauthenticated, UpstreamFailed

T = TypeVar("T")

_SECONDS = 5.0
_LARGEST = 256 * 1024


class IdentityHttp:
    """One pool of connections for all providers. Nothing of what they say gets into an error or a log."""

    def __init__(self, seconds: float = _SECONDS) -> None:
        self._client = httpx.AsyncClient(
            timeout=seconds, follow_redirects=False, headers={"accept-encoding": "identity"}
        )
        self._seconds = seconds

    async def get(self, url: str, kind: TypeForm[T], *, bearer: str = "") -> T:
        """A document. Raises UpstreamFailed, DeadlineExceeded."""
        headers = {"authorization": f"Bearer {bearer}"} if bearer else {}
        status, body = await self._ask(self._client.build_request("GET", url, headers=headers))
        if status != httpx.codes.OK:
            raise UpstreamFailed(f"the identity provider answered {status}")
        return _read(body, kind, UpstreamFailed("the identity provider's answer cannot be read"))

    async def exchange(
        self, url: str, form: dict[str, str], kind: TypeForm[T], basic: httpx.BasicAuth | None = None
    ) -> T:
        """Tokens for a code. Raises Unauthenticated when the provider takes none or gives none, and as `get`."""
        request = self._client.build_request("POST", url, data=form, headers={"accept": "application/json"})
        status, body = await self._ask(request, basic)
        if status >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise UpstreamFailed(f"the identity provider answered {status}")
        refused = Unauthenticated("the provider did not accept this log-in")
        if status != httpx.codes.OK:
            raise refused
        return _read(body, kind, refused)

    async def aclose(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def _ask(self, request: httpx.Request, basic: httpx.BasicAuth | None = None) -> tuple[int, bytes]:
        try:
            async with asyncio.timeout(self._seconds):
                answer = await self._client.send(request, stream=True, auth=basic)
                try:
                    body = bytearray()
                    async for part in answer.aiter_raw():  # what is packed could unfold to any size
                        body += part
                        if len(body) > _LARGEST:
                            raise UpstreamFailed("the identity provider's answer is too large")
                    return answer.status_code, bytes(body)
                finally:
                    await answer.aclose()
        except (TimeoutError, httpx.TimeoutException):
            raise DeadlineExceeded("the identity provider did not answer in time") from None
        except (httpx.HTTPError, httpx.InvalidURL):
            raise UpstreamFailed("the identity provider cannot be reached") from None


def _read(body: bytes, kind: TypeForm[T], otherwise: ScrizaError) -> T:
    try:
        decoded: T = msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise otherwise from None
    return decoded
