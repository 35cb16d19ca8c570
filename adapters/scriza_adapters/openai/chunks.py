"""The answer's chunks, read from the stream of events that they come in.

The SDK would make several objects of its own of each chunk, which costs a third of a millisecond and checks nothing.
Here only what is used of a chunk is read, and checked.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from operator import itemgetter
from typing import Annotated

import msgspec

from scriza.ports.llm import ToolPiece, UsagePiece

_LONGEST_LINE = 1_000_000
_END = b"[DONE]"

_Count = Annotated[int, msgspec.Meta(ge=0)]


class FunctionDelta(msgspec.Struct):
    """Part of a tool call: the name comes once, the arguments in pieces."""

    name: str | None = None
    arguments: str | None = None


class CallDelta(msgspec.Struct):
    """Part of the tool call with this index; the id comes once, or with every part."""

    index: int = 0
    id: str | None = None
    function: FunctionDelta | None = None


class Delta(msgspec.Struct):
    """What a choice goes on with."""

    content: str | None = None
    tool_calls: list[CallDelta] | None = None


class Choice(msgspec.Struct):
    """Has a finish reason when it is complete."""

    delta: Delta
    finish_reason: str | None = None


class ErrorBody(msgspec.Struct):
    """An error that a server sends in the middle of a stream; its code may be anything."""

    code: object = None


class Chunk(msgspec.Struct):
    """One chunk; usage comes with the last one."""

    choices: list[Choice] | None = None
    usage: msgspec.Raw = msgspec.Raw()
    error: ErrorBody | None = None


class _PromptTokens(msgspec.Struct):
    cached_tokens: _Count | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: _Count
    completion_tokens: _Count
    prompt_tokens_details: _PromptTokens | None = None


_chunk = msgspec.json.Decoder(Chunk)
_usage = msgspec.json.Decoder(_Usage | None)


async def chunks(received: AsyncIterator[bytes]) -> AsyncGenerator[Chunk, None]:
    """The chunks up to the end that the server announces, or to the end of what it sends.

    Raises ValueError or msgspec.DecodeError for what is no chunk.
    """
    async with aclosing(events(received)) as told:
        async for data in told:
            if data == _END:
                return
            yield _chunk.decode(data)


async def events(received: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """The data of each event of a stream of server-sent events (WHATWG HTML, 9.2.6); all else in it is left out.

    An event that the stream's end cuts off is none. Raises ValueError for a line without an end.
    """
    begun = b""
    data: list[bytes] = []
    async for part in received:
        *lines, begun = (begun + part).split(b"\n")
        if len(begun) > _LONGEST_LINE:
            raise ValueError("a line without an end")
        for line in lines:
            field = line.removesuffix(b"\r")
            if field.startswith(b"data:"):
                data.append(field[5:].removeprefix(b" "))
            elif not field and data:
                yield b"\n".join(data)
                data = []


def usage_of(chunk: Chunk) -> UsagePiece | None:
    """What the server says it used; none where it says nothing that makes sense, and then it is estimated."""
    if not chunk.usage:
        return None
    try:
        usage = _usage.decode(chunk.usage)
    except msgspec.ValidationError:
        return None
    if usage is None:
        return None
    details = usage.prompt_tokens_details
    return UsagePiece(
        usage.prompt_tokens,
        usage.completion_tokens,
        usage.prompt_tokens + usage.completion_tokens,
        cached_prompt_tokens=min((details and details.cached_tokens) or 0, usage.prompt_tokens),
    )


class Calls:
    """Puts the parts of tool calls together, by index; a new id begins another call.

    The id matters because there are servers that count no calls: Ollama and LiteLLM give each the index 0 or none
    (https://github.com/ollama/ollama/issues/15497, https://github.com/BerriAI/litellm/issues/33678).
    """

    def __init__(self) -> None:
        self._calls: list[tuple[int, ToolPiece]] = []

    def take(self, delta: CallDelta) -> None:
        """Put a part to the others of its call."""
        call = next((call for index, call in reversed(self._calls) if index == delta.index), None)
        if call is None or (delta.id and call.id and delta.id != call.id):
            call = ToolPiece("", "", "")
            self._calls.append((delta.index, call))
        call.id = delta.id or call.id
        if delta.function is not None:
            call.name = delta.function.name or call.name
            call.arguments += delta.function.arguments or ""

    def whole(self) -> list[ToolPiece]:
        """The calls in the order of their indices."""
        return [call for _, call in sorted(self._calls, key=itemgetter(0))]
