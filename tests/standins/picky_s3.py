"""Moto with fewer rights and fewer abilities: a proxy that refuses some of the requests."""

from dataclasses import dataclass
from typing import Literal, Self

import httpx
from litestar import HttpMethod, Litestar, Request, Response, route

from tests.serving import serving

_METHODS = [HttpMethod.GET, HttpMethod.HEAD, HttpMethod.PUT, HttpMethod.POST, HttpMethod.DELETE]
_OWN = {"content-length", "transfer-encoding", "connection", "date", "server"}


@dataclass(frozen=True)
class Refusal:
    """What is refused: a method on the `bucket`, its `lifecycle`, or an `object`, with this in the body."""

    method: str
    subject: Literal["bucket", "lifecycle", "object"]
    status: int
    code: str
    containing: bytes = b""
    once: bool = False
    done: bool = False
    """It is done all the same: only the answer is not what it should be."""

    def about(self, method: str, path: str, query: str, body: bytes) -> bool:
        subject = "lifecycle" if "lifecycle" in query else "object" if _is_object(path, query) else "bucket"
        return (method, subject) == (self.method, self.subject) and self.containing in body

    def answer(self, method: str) -> Response[bytes]:
        body = f"<Error><Code>{self.code}</Code></Error>" if method != "HEAD" else ""
        return Response(body.encode(), status_code=self.status, media_type="application/xml")


class PickyS3:
    """`async with PickyS3(endpoint) as picky`: `picky.url` is the server at `endpoint`, but for what it refuses."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._refusals: list[Refusal] = []
        self._hides_missing = False
        self.url = ""

    def refuse(
        self,
        method: str,
        subject: Literal["bucket", "lifecycle", "object"],
        status: int,
        code: str,
        *,
        containing: bytes = b"",
        once: bool = False,
        done: bool = False,
    ) -> None:
        """Answer so from now on, or the first time alone; having `done` what was asked, or in the server's place."""
        self._refusals.append(Refusal(method, subject, status, code, containing, once, done))

    def hide_missing(self) -> None:
        """Answer 403 where an object is missing, as S3 does to whoever may not list the bucket."""
        self._hides_missing = True

    async def __aenter__(self) -> Self:
        self._client = httpx.AsyncClient(base_url=self._endpoint, trust_env=False)

        @route("/{path:path}", http_method=_METHODS)
        async def proxy(request: Request[object, object, object]) -> Response[bytes]:
            return await self._answer(request)

        self._server = serving(Litestar([proxy]))
        self.url = await self._server.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.__aexit__(None, None, None)
        await self._client.aclose()

    async def _answer(self, request: Request[object, object, object]) -> Response[bytes]:
        raw, query = request.scope["raw_path"].decode(), request.scope["query_string"].decode()
        body = await request.body()
        refusal = next((each for each in self._refusals if each.about(request.method, raw, query, body)), None)
        if refusal and refusal.once:
            self._refusals.remove(refusal)
        if refusal and not refusal.done:
            return refusal.answer(request.method)
        headers = {name: value for name, value in request.headers.items() if name != "expect"}
        answer = await self._client.request(request.method, f"{raw}?{query}", content=body, headers=headers)
        if refusal:
            return refusal.answer(request.method)
        if self._hides_missing and answer.status_code == 404 and _is_object(raw, query):
            return Refusal("GET", "object", 403, "AccessDenied").answer(request.method)
        kept = {name: value for name, value in answer.headers.items() if name not in _OWN}
        return Response(answer.content, status_code=answer.status_code, headers=kept)


def _is_object(path: str, query: str) -> bool:
    return "/" in path.strip("/") and "lifecycle" not in query
