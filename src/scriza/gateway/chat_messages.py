"""OpenAI's chat completions as messages of the `Llm` port, and back: pure translation.

The protocol is https://platform.openai.com/docs/api-reference/chat. Beside what it has, a request may carry `persona`,
`goals` and `script` of `scriza.ports.llm.Turn`.
"""

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from scriza.kernel.errors import BadInput, NotFound
from scriza.ports.llm import Message, Models, Persona, Policy, ScriptLine, Tool, ToolCall, Turn, Usage

MOST_TOKENS = 4096
"""What the port takes for one reply; who asks for more, or says nothing, gets this."""

ALIASES = ("critical", "cheap")
"""What a request may name instead of a model."""

_ROLES: dict[str, Literal["system", "user", "assistant", "tool"]] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
}


class Part(msgspec.Struct):
    """A part of a message's content."""

    type: str
    text: str = ""


class Function(msgspec.Struct):
    """A tool call's function; `arguments` is JSON text."""

    name: str
    arguments: str


class ChatToolCall(msgspec.Struct):
    """A function that the model wants to run."""

    id: str
    function: Function
    type: Literal["function"] = "function"


class ChatMessage(msgspec.Struct):
    """One message of the conversation."""

    role: str
    content: str | list[Part] | None = None
    tool_calls: list[ChatToolCall] | None = None
    tool_call_id: str | None = None


class FunctionTool(msgspec.Struct):
    """A function that the model may call."""

    name: str
    description: str | None = None
    parameters: dict[str, object] | None = None


class ChatTool(msgspec.Struct):
    """A tool; other types than ``function`` are not taken."""

    type: str
    function: FunctionTool | None = None


class StreamOptions(msgspec.Struct):
    """What a stream tells beside the text."""

    include_usage: bool | None = None


class ResponseFormat(msgspec.Struct):
    """How the reply is written; other types than ``text`` are not taken."""

    type: str


class ChatRequest(msgspec.Struct):
    """A chat completion that is asked for. Sampling hints beside `temperature` are ignored."""

    model: str
    messages: list[ChatMessage]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    tools: list[ChatTool] | None = None
    tool_choice: str | dict[str, object] | None = None
    n: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    response_format: ResponseFormat | None = None
    stop: str | list[str] | None = None
    modalities: list[str] | None = None
    functions: list[object] | None = None
    user: str | None = None
    metadata: dict[str, str] | None = None
    persona: Persona | None = None
    goals: list[str] = []
    script: list[ScriptLine] = []


class ReplyMessage(msgspec.Struct, omit_defaults=True):
    """The reply."""

    content: str | None
    role: Literal["assistant"] | UnsetType = UNSET
    tool_calls: list[ChatToolCall] | UnsetType = UNSET


FinishReason = Literal["stop", "length", "tool_calls"]


class Choice(msgspec.Struct):
    """The one reply."""

    message: ReplyMessage
    finish_reason: FinishReason
    index: int = 0


class ChatCompletion(msgspec.Struct):
    """A whole completion."""

    id: str
    created: int
    model: str
    choices: list[Choice]
    usage: Usage
    object: Literal["chat.completion"] = "chat.completion"


class CallPiece(msgspec.Struct):
    """A whole tool call in a stream; `index` is its place among them."""

    index: int
    id: str
    function: Function
    type: Literal["function"] = "function"


class Delta(msgspec.Struct):
    """What is new in a stream."""

    role: Literal["assistant"] | UnsetType = UNSET
    content: str | UnsetType = UNSET
    tool_calls: list[CallPiece] | UnsetType = UNSET


class ChunkChoice(msgspec.Struct):
    """The one reply, as far as it is new."""

    delta: Delta
    finish_reason: FinishReason | None = None
    index: int = 0


class ChatChunk(msgspec.Struct):
    """A piece of a completion; the last one has no choices but the usage, for who asked for it."""

    id: str
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: Usage | UnsetType | None = UNSET
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"


def is_critical(model: str, models: Models) -> bool:
    """Which of the two aliases leads to the model. The playbook is asked for by name only where nothing else is.

    Raises NotFound for a model that is not configured.
    """
    alone = len(models.data) == 1
    for known in models.data:
        if known.id == model and (known.policy != "fallback" or alone):
            return known.policy == "critical"
    raise NotFound(f"there is no model {model[:100]!r} here; see GET /v1/models, or ask for critical or cheap")


def turn_of(request: ChatRequest, *, critical: bool) -> Turn:
    """The turn that is asked for. Raises BadInput for what is not taken."""
    _refuse_the_untakable(request)
    limits = (request.max_completion_tokens, request.max_tokens, MOST_TOKENS)
    limit = next(limit for limit in limits if limit is not None)
    temperature = Policy().temperature if request.temperature is None else request.temperature
    if not 0 <= temperature <= 2:
        raise BadInput("temperature must be from 0 to 2")
    if limit < 1:
        raise BadInput("max_completion_tokens must be 1 or more")
    return Turn(
        messages=[_message(message, f"messages[{place}]") for place, message in enumerate(request.messages)],
        conversation_id=(request.metadata or {}).get("call_id") or request.user or "",
        persona=request.persona or Persona(locale=""),
        goals=request.goals,
        tools=_tools(request),
        policy=Policy(critical, temperature, min(limit, MOST_TOKENS)),
        script=request.script,
    )


def finish_reason(turn: Turn, usage: Usage, *, calls: bool) -> FinishReason:
    """Why the reply ended."""
    if calls:
        return "tool_calls"
    return "length" if usage.completion_tokens >= turn.policy.max_tokens else "stop"


def told_call(call: ToolCall) -> ChatToolCall:
    """A tool call of the reply."""
    return ChatToolCall(call.id, Function(call.name, call.arguments))


def _refuse_the_untakable(request: ChatRequest) -> None:
    """Whatever would be silently answered otherwise than asked."""
    if request.n not in {None, 1}:
        raise BadInput("n: one reply is given, not several")
    if request.logprobs or request.top_logprobs:
        raise BadInput("logprobs: log probabilities are not given")
    if request.response_format is not None and request.response_format.type != "text":
        raise BadInput("response_format: only text is given")
    if request.stop:
        raise BadInput("stop: stop sequences are not taken")
    if request.functions:
        raise BadInput("functions: use tools instead")
    if set(request.modalities or ["text"]) != {"text"}:
        raise BadInput("modalities: only text is given")
    if request.tool_choice not in (None, "auto", "none"):
        raise BadInput("tool_choice: only auto and none are taken")


def _message(message: ChatMessage, where: str) -> Message:
    role = _ROLES.get(message.role)
    if role is None:
        raise BadInput(f"{where}: the role must be one of {', '.join(_ROLES)}")
    calls = [ToolCall(call.id, call.function.name, call.function.arguments) for call in message.tool_calls or ()]
    return Message(role, _text(message.content, where), calls, message.tool_call_id or "")


def _text(content: str | list[Part] | None, where: str) -> str:
    if content is None or isinstance(content, str):
        return content or ""
    for part in content:
        if part.type != "text":
            raise BadInput(f"{where}: content of the type {part.type[:50]!r} is not taken, only text is")
    return "".join(part.text for part in content)


def _tools(request: ChatRequest) -> list[Tool]:
    told = [] if request.tool_choice == "none" else request.tools or []
    found = []
    for place, tool in enumerate(told):
        if tool.type != "function" or tool.function is None:
            raise BadInput(f"tools[{place}]: only functions are taken")
        function = tool.function
        found.append(Tool(function.name, function.description or "", function.parameters or {}))
    return found
