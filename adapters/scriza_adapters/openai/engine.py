"""OpenAI's chat completions, or any server that speaks the same: streamed, with tools and usage."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec
import structlog

from scriza.kernel.errors import DeadlineExceeded
from scriza.ports.llm import TextPiece, ToolPiece, Turn, UsagePiece
from scriza_adapters.openai.chunks import Calls, chunks, usage_of
from scriza_adapters.openai.failures import broken_off, refused, told_as_ours
from scriza_adapters.openai.request import body
from scriza_adapters.provider_failures import provider_failed

if TYPE_CHECKING:
    from httpx2 import Response
    from openai import AsyncOpenAI

_log = structlog.get_logger()

_OPENAI_HOST = "api.openai.com"
_WARM_UP_S = 5.0
_END_S = 0.2
_EVENT_STREAM = "text/event-stream"
_NO_KEY = "none"
"""Servers of one's own often want no key, but the SDK insists on one."""


class Timeouts(msgspec.Struct, frozen=True):
    """Seconds that each step on the network may take."""

    connect_s: float = 2.0
    write_s: float = 2.0
    read_s: float = 10.0
    """Between two pieces of the answer, the first one included."""
    pool_s: float = 1.0
    """For a free connection."""


class OpenAiEngine:
    """Completes turns by one client for the whole process, whose connections stay open for two minutes.

    `base_url` empty is OpenAI's own; `key_name` is what the key is called where people set it. The SDK is imported when
    the client is first needed, in a thread; `warm_up` does that before a caller waits for it. A failed request is not
    repeated: who else is asked, and when, is the policy's affair.
    """

    def __init__(
        self,
        api_key: str,
        *,
        base_url: str = "",
        key_name: str = "OPENAI_API_KEY",
        timeouts: Timeouts | None = None,
        connections: int = 200,
    ) -> None:
        self._api_key = api_key
        self._key_name = key_name
        self._base_url = base_url
        self._timeouts = timeouts or Timeouts()
        self._connections = connections
        self._client: AsyncOpenAI | None = None
        self._building = asyncio.Lock()
        host = urlsplit(base_url).hostname or _OPENAI_HOST
        self._limit_name = "max_completion_tokens" if host == _OPENAI_HOST else "max_tokens"
        """What OpenAI's newer models insist on is unknown to many servers that speak the older protocol."""
        self._own_temperature: set[str] = set()
        """Models that take no other temperature than their own, as OpenAI's do that reason."""

    @property
    def name(self) -> str:
        """`openai`."""
        return "openai"

    def gave_up(self, error: DeadlineExceeded) -> None:
        """Log and count what no answer of the server's could tell."""
        provider_failed("openai", error)

    async def warm_up(self) -> None:
        """Import the SDK, build the client and open a connection, by asking which models there are.

        Raises what `stream` raises; a server that does not list its models is fine.
        """
        client = await self._connected()
        from openai import NotFoundError

        with told_as_ours(self._key_name), suppress(NotFoundError):
            async with asyncio.timeout(_WARM_UP_S):
                await client.models.list()

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def stream(self, model: str, turn: Turn) -> AsyncGenerator[TextPiece | ToolPiece | UsagePiece, None]:
        """Text as it comes, then whole tool calls, then usage where the server tells it.

        A text is empty while a tool call is being written: it says that the model is at work.
        Raises ModelRefused (with `retry_after` where the server gave one), DeadlineExceeded when a step takes too long,
        TooLarge when the conversation does not fit into the model's context. Closing the generator closes the
        connection to the server at once, so that it stops generating.
        """
        client = await self._connected()
        calls = Calls()
        usage: UsagePiece | None = None
        finished = wrote = False
        with told_as_ours(self._key_name):
            answer = await self._ask(client, model, turn)
            try:
                kind = answer.headers.get("content-type", _EVENT_STREAM)
                if not kind.lower().startswith(_EVENT_STREAM):
                    raise refused("the model's server sent what is not a stream of events", "wrong_content_type")
                received = answer.aiter_bytes()
                async with aclosing(chunks(received)) as parts:
                    async for chunk in parts:
                        if chunk.error is not None:
                            raise broken_off(chunk.error.code)
                        usage = usage_of(chunk) or usage
                        for choice in chunk.choices or ():
                            finished = finished or choice.finish_reason is not None
                            for delta in choice.delta.tool_calls or ():
                                calls.take(delta)
                            if choice.delta.content or choice.delta.tool_calls:
                                wrote = True
                                yield TextPiece(choice.delta.content or "")
                await _read_to_the_end(received)
            finally:
                await answer.aclose()
            if not finished:
                raise refused("the model's server broke off its answer", "cut_off")
            if not wrote:
                raise refused("the model answered nothing", "empty_completion")
        for call in calls.whole():
            yield call
        if usage is not None:
            yield usage

    async def _ask(self, client: "AsyncOpenAI", model: str, turn: Turn) -> "Response":
        """The answer's head is there, its body is not. A model that takes no temperature is asked again without one."""
        from openai import BadRequestError

        plain = model in self._own_temperature
        try:
            return await self._post(client, body(model, turn, self._limit_name, temperature=not plain))
        except BadRequestError as error:
            if plain or error.param != "temperature":
                raise
        self._own_temperature.add(model)
        _log.info("openai.temperature_not_taken", model=model)
        return await self._post(client, body(model, turn, self._limit_name, temperature=False))

    async def _post(self, client: "AsyncOpenAI", content: bytes) -> "Response":
        """The request goes by the client's own `post`.

        `chat.completions.create` would first walk through every message by the types of its parameters, which takes
        longer than all the rest of the request.
        """
        from openai import AsyncStream

        stream = await client.post(
            "/chat/completions", content=content, cast_to=object, stream=True, stream_cls=AsyncStream[object]
        )
        return stream.response

    async def _connected(self) -> "AsyncOpenAI":
        async with self._building:
            if self._client is None:
                self._client = await asyncio.to_thread(self._build)
            return self._client

    def _build(self) -> "AsyncOpenAI":
        import httpx2
        from openai import AsyncOpenAI, DefaultAsyncHttpxClient

        limits = httpx2.Limits(
            max_connections=self._connections, max_keepalive_connections=self._connections, keepalive_expiry=120
        )
        seconds = self._timeouts
        timeout = httpx2.Timeout(
            connect=seconds.connect_s, read=seconds.read_s, write=seconds.write_s, pool=seconds.pool_s
        )
        return AsyncOpenAI(
            api_key=self._api_key or _NO_KEY,
            base_url=self._base_url or None,
            max_retries=0,
            timeout=timeout,
            http_client=DefaultAsyncHttpxClient(limits=limits, timeout=timeout),
        )


async def _read_to_the_end(received: AsyncIterator[bytes]) -> None:
    """What comes after the last chunk, so that the connection can be used again; a server that dawdles loses it."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_END_S):
            async for _ in received:
                pass
