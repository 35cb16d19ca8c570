"""The language model behind a policy: which model, from cache or not, at what usage."""

from collections.abc import AsyncIterator
from typing import Annotated, Literal, Protocol

import msgspec

from scriza.kernel.errors import UpstreamFailed
from scriza.kernel.operation import operation
from scriza.kernel.scopes import Scope

_MILLION = 1_000_000


class ModelRefused(UpstreamFailed):
    """A model's server refused the request or answered with garbage; over HTTP it arrives as UpstreamFailed."""

    def __init__(
        self, detail: str = "", *, code: str = "", lasting: bool = False, retry_after: int | None = None
    ) -> None:
        super().__init__(detail, retry_after=retry_after)
        self.code = code
        """The vendor's word for it, or ours where it gave none: ``insufficient_quota``, ``status_500``."""
        self.lasting = lasting
        """The next request would be refused too: the key, the account or the model's name is not right."""


class Persona(msgspec.Struct, omit_defaults=True):
    """Who speaks."""

    name: str = ""
    role: str = ""
    company: str = ""
    tone: str = ""
    locale: str = "en-US"
    style: list[str] = []


class ToolCall(msgspec.Struct):
    """The model wants a tool to run; `arguments` is JSON text, as the model wrote it."""

    id: str
    name: str
    arguments: str


class Message(msgspec.Struct, omit_defaults=True):
    """One message of the conversation, in the shape that chat models take."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str = ""
    tool_calls: list[ToolCall] = []
    tool_call_id: str = ""


class Tool(msgspec.Struct):
    """A function that the model may call; `parameters` is a JSON Schema object."""

    name: str
    description: str
    parameters: dict[str, object] = {}


class Policy(msgspec.Struct):
    """`critical` picks the strong model, otherwise the cheap one."""

    critical: bool = False
    temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] = 0.7
    max_tokens: Annotated[int, msgspec.Meta(ge=1, le=4096)] = 300


class ScriptLine(msgspec.Struct):
    """A line of the playbook that answers the last message; the agent ranks them, best first."""

    id: str
    text: str


class Turn(msgspec.Struct):
    """One turn. `persona` and `goals` are rendered into the system message by this module."""

    messages: Annotated[list[Message], msgspec.Meta(min_length=1)]
    conversation_id: str = ""
    persona: Persona = msgspec.field(default_factory=Persona)
    goals: list[str] = []
    tools: list[Tool] = []
    policy: Policy = msgspec.field(default_factory=Policy)
    script: list[ScriptLine] = []
    """What the `playbook` engine answers from: with no keys, and when every model is down."""


class Usage(msgspec.Struct):
    """Tokens of one completion."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class TurnReply(msgspec.Struct, omit_defaults=True):
    """The whole reply; `tool_calls` is left out when there are none."""

    text: str
    usage: Usage
    model: str
    cached: bool
    tool_calls: list[ToolCall] = []


class TextPiece(msgspec.Struct, tag="text"):
    """The next piece of the reply's text."""

    text: str


class ToolPiece(msgspec.Struct, tag="tool"):
    """A whole tool call."""

    id: str
    name: str
    arguments: str


class UsagePiece(msgspec.Struct, tag="usage", omit_defaults=True):
    """Tokens used; told once, before `done`."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    estimated: bool = False
    """The model's server told no usage; the tokens are counted by us."""
    cached_prompt_tokens: int = 0
    """So many of the prompt's tokens were in the model's own cache, and cost less."""


class TurnDone(msgspec.Struct, tag="done"):
    """The reply is complete."""

    text: str
    model: str
    cached: bool
    usage: Usage


class ModelPrice(msgspec.Struct, frozen=True):
    """Micro-USD per million tokens, by kind; `table` is the version of the price table that they are from."""

    prompt: int
    cached_prompt: int
    completion: int
    table: str

    def of(self, usage: UsagePiece) -> int:
        """What a completion costs, rounded to whole micro-USD, a half upwards."""
        cached = min(usage.cached_prompt_tokens, usage.prompt_tokens)
        cost = (
            (usage.prompt_tokens - cached) * self.prompt
            + cached * self.cached_prompt
            + usage.completion_tokens * self.completion
        )
        return (cost + _MILLION // 2) // _MILLION


class Model(msgspec.Struct):
    """A model that can answer; `policy` is the alias that leads to it.

    `object`, `created` and `owned_by` are there for clients that know OpenAI's list of models.
    """

    id: str
    policy: Literal["critical", "cheap", "fallback"]
    engine: str
    order: int = 0
    """Its place among the models of its alias: 0 is asked first, the others when those before are late or fail."""
    first_token_ms: int = 0
    """So long it may take to its first token before the next model is asked too; 0: as long as the turn allows."""
    state: Literal["closed", "open", "half-open"] = "closed"
    """Its breaker's: an open one leaves the model alone, a half-open one tries it with one turn at a time."""
    price: ModelPrice | None = None
    """Null where it is not known."""
    object: Literal["model"] = "model"
    created: int = 0
    """Seconds since 1970; 0, since nobody tells us."""
    owned_by: str = "scriza"


class Models(msgspec.Struct):
    """Every model that is configured, in the order of preference."""

    data: list[Model]
    object: Literal["list"] = "list"


class Llm(Protocol):
    """Answers turns."""

    @operation("POST /v1/turn", timeout=30, keyed=True, scope=Scope.ENGINES)
    async def turn(self, request: Turn) -> TurnReply:
        """The whole reply.

        Raises BadInput or TooLarge for a conversation that no model can take; when there is no `script` to answer from,
        UpstreamFailed or DeadlineExceeded if the model did not answer, Unavailable if none is configured.
        """
        ...

    @operation("POST /v1/stream-turn", timeout=10, keyed=True, scope=Scope.ENGINES)
    def stream_turn(self, request: Turn) -> AsyncIterator[TextPiece | ToolPiece | UsagePiece | TurnDone]:
        """The reply as it is made. Closing the stream closes the one to the model.

        Raises what `turn` raises; after the first piece also UpstreamFailed or DeadlineExceeded, when the model breaks
        off.
        """
        ...

    @operation("GET /v1/models", scope=Scope.ENGINES)
    async def models(self) -> Models:
        """Which models answer."""
        ...
