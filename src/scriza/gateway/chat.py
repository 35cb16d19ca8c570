"""``POST /v1/chat/completions``: the `Llm` port for clients that speak OpenAI's protocol.

A translation and nothing else: policy, cache and metering are the port's. Errors have OpenAI's shape.
"""

from collections.abc import AsyncGenerator, Callable
from functools import partial
from http.client import responses
from typing import Annotated, Any, Literal, Protocol

import msgspec
from litestar import Request, Response, post
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import BodyKwarg
from litestar.types import ExceptionHandlersMap

from scriza.gateway.chat_messages import (
    ALIASES,
    CallPiece,
    ChatChunk,
    ChatCompletion,
    ChatRequest,
    Choice,
    ChunkChoice,
    Delta,
    Function,
    ReplyMessage,
    finish_reason,
    is_critical,
    told_call,
    turn_of,
)
from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.errors import (
    BadInput,
    NoCredit,
    NotFound,
    Problem,
    RateLimited,
    ScrizaError,
    TooLarge,
    Unauthenticated,
)
from scriza.kernel.ids import new_id
from scriza.kernel.operation import operation, operations
from scriza.ports.llm import Llm, TextPiece, ToolPiece, Turn, TurnDone
from scriza.wire import problems
from scriza.wire.answers import StreamAnswer, UnaryAnswer
from scriza.wire.bodies import body_decoder, read_body
from scriza.wire.codec import encode
from scriza.wire.handlers import JSON_LIMIT
from scriza.wire.serve import BODY_SECONDS, HEARTBEAT_SECONDS
from scriza.wire.together import close

ErrorType = Literal["invalid_request_error", "rate_limit_error", "insufficient_quota", "server_error"]


class Chat(Protocol):
    """What is served."""

    @operation("POST /v1/chat/completions", timeout=30)
    async def completions(self, request: ChatRequest) -> ChatCompletion:
        """A chat completion, in OpenAI's protocol."""
        ...


class ChatError(msgspec.Struct):
    """What went wrong."""

    message: str
    type: ErrorType
    code: str | None
    param: str | None = None


class ChatFailure(msgspec.Struct):
    """An error, in OpenAI's shape."""

    error: ChatError


class End(msgspec.Struct):
    """Ends a stream that is complete."""


def chat_route(llm: Callable[[], Llm], *, clock: WallClock = utc_now) -> HTTPRouteHandler:
    """The route, in front of the port that `llm` returns."""

    @post(
        _SERVED.path,
        status_code=200,
        dto=body_decoder(_SERVED),
        return_dto=None,
        before_request=partial(read_body, BODY_SECONDS),
        request_max_body_size=JSON_LIMIT,
        operation_id="Llm.chat_completions",
        summary=_SERVED.summary,
        tags=["Llm"],
        exception_handlers=_HANDLERS,
        responses=_DOCUMENTED,
    )
    async def completions(data: Annotated[ChatRequest, BodyKwarg()]) -> Response[bytes]:
        if data is None:
            raise BadInput("body: it is empty")
        port = llm()
        named = data.model not in ALIASES
        critical = is_critical(data.model, await port.models()) if named else data.model == "critical"
        turn = turn_of(data, critical=critical)
        if data.stream:
            wants_usage = data.stream_options is not None and bool(data.stream_options.include_usage)
            stream = _Stream(data.model, int(clock().timestamp()), turn, wants_usage=wants_usage)
            return StreamAnswer(_STREAMED, _EVENTS, HEARTBEAT_SECONDS, lambda: stream.chunks(port))
        return UnaryAnswer(_SERVED, lambda: _completion(port, turn, int(clock().timestamp())))

    return completions


async def _completion(llm: Llm, turn: Turn, created: int) -> ChatCompletion:
    reply = await llm.turn(turn)
    calls = [told_call(call) for call in reply.tool_calls]
    message = ReplyMessage(reply.text or None if calls else reply.text, "assistant", calls or msgspec.UNSET)
    choice = Choice(message, finish_reason(turn, reply.usage, calls=bool(calls)))
    return ChatCompletion(new_id("chatcmpl"), created, reply.model, [choice], reply.usage)


class _Stream:
    """One completion in chunks. `model` is what was asked for; the last chunks name the one that answered."""

    def __init__(self, model: str, created: int, turn: Turn, *, wants_usage: bool) -> None:
        self._id = new_id("chatcmpl")
        self._model = model
        self._created = created
        self._turn = turn
        self._wants_usage = wants_usage

    async def chunks(self, llm: Llm) -> AsyncGenerator[ChatChunk | End, None]:
        """All of them. Raises what `Llm.stream_turn` raises."""
        begun = False
        calls = 0
        parts = llm.stream_turn(self._turn)
        try:
            async for part in parts:
                if not begun:
                    begun = True
                    yield self._chunk(ChunkChoice(Delta("assistant", "")))
                match part:
                    case TextPiece(text):
                        yield self._chunk(ChunkChoice(Delta(content=text)))
                    case ToolPiece(id=call_id, name=name, arguments=arguments):
                        call = CallPiece(calls, call_id, Function(name, arguments))
                        calls += 1
                        yield self._chunk(ChunkChoice(Delta(tool_calls=[call])))
                    case TurnDone(model=model, usage=usage):
                        self._model = model
                        yield self._chunk(ChunkChoice(Delta(), finish_reason(self._turn, usage, calls=calls > 0)))
                        if self._wants_usage:
                            yield ChatChunk(self._id, self._created, model, [], usage)
                        yield End()
        finally:
            await close(parts)

    def _chunk(self, choice: ChunkChoice) -> ChatChunk:
        usage = None if self._wants_usage else msgspec.UNSET
        return ChatChunk(self._id, self._created, self._model, [choice], usage)


class _Events:
    """Chunks as OpenAI sends them: server-sent events without a name."""

    @staticmethod
    def encode(item: msgspec.Struct) -> bytes:
        """The event's bytes."""
        return b"data: [DONE]\n\n" if isinstance(item, End) else b"data: " + encode(item) + b"\n\n"

    @staticmethod
    def failure(problem: Problem) -> bytes:
        """The event that ends a stream that failed."""
        return b"data: " + encode(_failure(problem)) + b"\n\n"


_SERVED = operations(Chat)[0]
_STREAMED = msgspec.structs.replace(_SERVED, timeout=10.0)
_EVENTS = _Events()
_DOCUMENTED = {
    200: ResponseSpec(ChatCompletion, generate_examples=False, description="With `stream`, chunks of it as events"),
    **{
        status: ResponseSpec(ChatFailure, generate_examples=False, description=responses[status])
        for status in (400, 401, 402, 403, 404, 429, 500, 502, 503, 504)
    },
}

_CODES = {
    kind().problem().type: code
    for kind, code in {
        Unauthenticated: "invalid_api_key",
        NoCredit: "insufficient_quota",
        NotFound: "model_not_found",
        TooLarge: "context_length_exceeded",
        RateLimited: "rate_limit_exceeded",
    }.items()
}
_PARAMS = {"model_not_found": "model", "context_length_exceeded": "messages"}


def _failure(problem: Problem) -> ChatFailure:
    kind: ErrorType = "invalid_request_error"
    if problem.status >= 500:
        kind = "server_error"
    elif problem.status == NoCredit.status:
        kind = "insufficient_quota"
    elif problem.status == RateLimited.status:
        kind = "rate_limit_error"
    code = _CODES.get(problem.type)
    if code is None and problem.type.startswith("urn:"):
        code = problem.type.rpartition(":")[2].replace("-", "_")
    return ChatFailure(ChatError(problem.detail or problem.title, kind, code, _PARAMS.get(code or "")))


def _on_error(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    return _response(request, problems.problem_of(error))


def _on_http_exception(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    phrase = responses.get(error.status_code, "Refused")
    told = Problem("about:blank", phrase, error.status_code, error.detail)
    known = ScrizaError.from_problem(told).problem()
    return _response(request, known if known.status == told.status else told)


def _response(request: Request[Any, Any, Any], problem: Problem) -> Response[bytes]:
    """As `problems.response`, in the other shape; what does not fit the model's context is a bad request there."""
    answer = problems.response(request, problem)
    answer.content = encode(_failure(problem))
    answer.media_type = "application/json"
    if problem.status == TooLarge.status:
        answer.status_code = BadInput.status
    return answer


_HANDLERS: ExceptionHandlersMap = {HTTPException: _on_http_exception, Exception: _on_error}
