"""OpenAI's chat completions, or any server that speaks the same: streamed, with tools and usage."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import msgspec

from scriza.ports.llm import Message, TextPiece, Tool, ToolPiece, Turn, UsagePiece
from scriza_adapters.openai.failures import refused, told_as_ours

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types.chat import ChatCompletionFunctionToolParam, ChatCompletionMessageParam

_OPENAI_HOST = "api.openai.com"
_WARM_UP_S = 5.0
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

    @property
    def name(self) -> str:
        """`openai`."""
        return "openai"

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
        from openai import omit

        calls: dict[int, ToolPiece] = {}
        usage: UsagePiece | None = None
        finished = wrote = False
        with told_as_ours(self._key_name):
            chunks = await client.chat.completions.create(
                model=model,
                messages=[_message(message) for message in turn.messages],
                tools=[_tool(tool) for tool in turn.tools] or omit,
                temperature=turn.policy.temperature,
                stream=True,
                stream_options={"include_usage": True},
                extra_body={self._limit_name: turn.policy.max_tokens},
            )
            async with chunks:
                kind = chunks.response.headers.get("content-type", _EVENT_STREAM)
                if not kind.lower().startswith(_EVENT_STREAM):
                    raise refused("the model's server sent what is not a stream of events", "wrong_content_type")
                async for received in chunks:
                    chunk = msgspec.convert(received, _Chunk, from_attributes=True)
                    usage = _usage(received.usage) or usage
                    for choice in chunk.choices or ():
                        finished = finished or choice.finish_reason is not None
                        for delta in choice.delta.tool_calls or ():
                            _gather(calls, delta)
                        if choice.delta.content or choice.delta.tool_calls:
                            wrote = True
                            yield TextPiece(choice.delta.content or "")
            if not finished:
                raise refused("the model's server broke off its answer", "cut_off")
            if not wrote:
                raise refused("the model answered nothing", "empty_completion")
        for _, call in sorted(calls.items()):
            yield call
        if usage is not None:
            yield usage

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
        client = AsyncOpenAI(
            api_key=self._api_key or _NO_KEY,
            base_url=self._base_url or None,
            max_retries=0,
            timeout=timeout,
            http_client=DefaultAsyncHttpxClient(limits=limits, timeout=timeout),
        )
        _ = client.chat.completions  # its imports take longer than a first answer may
        return client


_Count = Annotated[int, msgspec.Meta(ge=0)]


class _FunctionDelta(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _CallDelta(msgspec.Struct):
    index: int
    id: str | None = None
    function: _FunctionDelta | None = None


class _Delta(msgspec.Struct):
    content: str | None = None
    tool_calls: list[_CallDelta] | None = None


class _Choice(msgspec.Struct):
    delta: _Delta
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    """What is read of a chunk, checked here: the SDK gives its own types to whatever a server sends."""

    choices: list[_Choice] | None = None


class _PromptTokens(msgspec.Struct):
    cached_tokens: _Count | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: _Count
    completion_tokens: _Count
    prompt_tokens_details: _PromptTokens | None = None


def _usage(told: object) -> UsagePiece | None:
    """What the server says it used; none where it says nothing that makes sense, and then it is estimated."""
    if told is None:
        return None
    try:
        usage = msgspec.convert(told, _Usage, from_attributes=True)
    except msgspec.ValidationError:
        return None
    details = usage.prompt_tokens_details
    return UsagePiece(
        usage.prompt_tokens,
        usage.completion_tokens,
        usage.prompt_tokens + usage.completion_tokens,
        cached_prompt_tokens=min((details and details.cached_tokens) or 0, usage.prompt_tokens),
    )


def _message(message: Message) -> "ChatCompletionMessageParam":
    match message.role:
        case "system":
            return {"role": "system", "content": message.content}
        case "user":
            return {"role": "user", "content": message.content}
        case "tool":
            return {"role": "tool", "content": message.content, "tool_call_id": message.tool_call_id}
        case "assistant" if message.tool_calls:
            return {
                "role": "assistant",
                "content": message.content or None,
                "tool_calls": [
                    {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
                    for call in message.tool_calls
                ],
            }
        case "assistant":
            return {"role": "assistant", "content": message.content}


def _tool(tool: Tool) -> "ChatCompletionFunctionToolParam":
    return {
        "type": "function",
        "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
    }


def _gather(calls: dict[int, ToolPiece], delta: _CallDelta) -> None:
    """Id and name come once, the arguments in pieces; the index says which call they belong to."""
    call = calls.setdefault(delta.index, ToolPiece("", "", ""))
    call.id = delta.id or call.id
    if delta.function is not None:
        call.name = delta.function.name or call.name
        call.arguments += delta.function.arguments or ""
