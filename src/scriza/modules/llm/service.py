"""The `Llm` port: policy, cache and metering around a completion."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec
import structlog

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.errors import ScrizaError, Unavailable, UpstreamFailed
from scriza.kernel.principal import RequestContext, current
from scriza.kernel.remarks import note_header
from scriza.modules.llm.cache import Answer, TurnCache, cache_key
from scriza.modules.llm.completer import Completer, Patience
from scriza.modules.llm.engine import Engine
from scriza.modules.llm.limits import check
from scriza.modules.llm.playbook_engine import PLAYBOOK
from scriza.modules.llm.prompt import with_system
from scriza.modules.llm.shared_stream import SharedStream
from scriza.modules.llm.tokens import estimated_usage
from scriza.ports.events import Teller
from scriza.ports.llm import Model, Models, TextPiece, ToolCall, ToolPiece, Turn, TurnDone, TurnReply, Usage, UsagePiece
from scriza.ports.usage import LlmUsed, usage_event

logger = structlog.get_logger()

Part = TextPiece | ToolPiece | UsagePiece | TurnDone


class LlmService:
    """Answers turns by `engine`, and from their script when there is none or it fails before its first token.

    `critical` and `cheap` are the names of the engine's models that the policy chooses from. Answers are kept for
    `cache_ttl_s` seconds (0: never), `cache_size` of them at most. Usage is told to `teller`, under the id of the
    request that asked. It must be closed.
    """

    def __init__(
        self,
        teller: Teller,
        *,
        engine: Engine | None = None,
        critical: str = "",
        cheap: str = "",
        cache_ttl_s: float = 3600,
        cache_size: int = 4_096,
        patience: Patience | None = None,
        clock: WallClock = utc_now,
    ) -> None:
        if engine is not None and not (critical and cheap):
            raise ValueError("an engine needs the names of a critical and of a cheap model")
        self._engine = engine
        self._critical = critical
        self._cheap = cheap
        self._completer = Completer(engine, patience or Patience())
        self._cache = TurnCache(cache_ttl_s, cache_size)
        self._flights: dict[str, SharedStream[Part]] = {}
        self._teller = teller
        self._clock = clock

    async def warm_up(self) -> None:
        """Make the first turn as quick as the next; a model that cannot be reached now is a warning in the log."""
        if self._engine is None:
            return
        try:
            await self._engine.warm_up()
        except ScrizaError as error:
            logger.warning("llm.warm_up_failed", engine=self._engine.name, reason=error.slug, detail=error.detail)

    async def close(self) -> None:
        """End what is under way, tell its usage, and let go of the model's connections."""
        for flight in list(self._flights.values()):
            await flight.close(Unavailable("the process is stopping"))
        if self._engine is not None:
            await self._engine.close()

    async def models(self) -> Models:
        """Which models answer: the engine's two, then the playbook."""
        fallback = Model(id=PLAYBOOK, policy="fallback", engine=PLAYBOOK)
        if self._engine is None:
            return Models([fallback])
        name = self._engine.name
        return Models([Model(self._critical, "critical", name), Model(self._cheap, "cheap", name), fallback])

    async def turn(self, request: Turn) -> TurnReply:
        """The whole reply."""
        calls: list[ToolCall] = []
        async with aclosing(self.stream_turn(request)) as parts:
            async for part in parts:
                match part:
                    case ToolPiece():
                        calls.append(ToolCall(part.id, part.name, part.arguments))
                    case UsagePiece(estimated=True):
                        note_header("x-scriza-usage", "estimated")
                    case TurnDone():
                        return TurnReply(part.text, part.usage, part.model, part.cached, calls)
        raise UpstreamFailed("the reply ended before it was complete")

    async def stream_turn(self, request: Turn) -> AsyncGenerator[Part, None]:
        """The reply as it is made; the same turn asked twice at the same time is made once."""
        check(request)
        async with aclosing(self._answer(request)) as parts:
            async for part in parts:
                yield part

    def _answer(self, request: Turn) -> AsyncGenerator[Part, None]:
        """The reply from where it is had: kept, under way, or to be made."""
        asked = current()
        if self._engine is None:
            model = PLAYBOOK
            note_header("x-scriza-usage", "estimated")
        else:
            model = self._critical if request.policy.critical else self._cheap
        if not self._cache.keeps:
            note_header("x-scriza-cache", "bypass")
            return self._made(request, model, asked, key="")
        key = cache_key(asked.principal.workspace, model, request, request.script if self._engine is None else ())
        kept = self._cache.get(key, asyncio.get_running_loop().time())
        if kept is not None:
            note_header("x-scriza-cache", "hit")
            return self._kept(request, kept, asked)
        under_way = self._flights.get(key)
        if under_way is not None:
            note_header("x-scriza-cache", "hit")
            return self._joined(request, under_way, asked)
        note_header("x-scriza-cache", "miss")
        made = SharedStream(self._made(request, model, asked, key), on_end=lambda: self._landed(key))
        self._flights[key] = made
        return made.read()

    def _landed(self, key: str) -> None:
        del self._flights[key]

    async def _kept(self, request: Turn, answer: Answer, asked: RequestContext) -> AsyncGenerator[Part, None]:
        """A reply from the cache."""
        if answer.estimated:
            note_header("x-scriza-usage", "estimated")
        usage = answer.usage
        self._tell(request, asked, answer.model, usage, cached=True, estimated=answer.estimated)
        yield TextPiece(answer.text)
        yield _usage_piece(usage, answer.estimated)
        yield TurnDone(answer.text, answer.model, cached=True, usage=usage)

    async def _joined(
        self, request: Turn, under_way: SharedStream[Part], asked: RequestContext
    ) -> AsyncGenerator[Part, None]:
        """The reply that somebody else's request is having made."""
        estimated = False
        async with aclosing(under_way.read()) as parts:
            async for part in parts:
                match part:
                    case UsagePiece():
                        estimated = part.estimated
                        yield part
                    case TurnDone():
                        self._tell(request, asked, part.model, part.usage, cached=True, estimated=estimated)
                        yield msgspec.structs.replace(part, cached=True)
                    case _:
                        yield part

    async def _made(self, request: Turn, model: str, asked: RequestContext, key: str) -> AsyncGenerator[Part, None]:
        """A new reply, metered, also when it is broken off, and kept under `key` unless that is empty."""
        messages = with_system(request.messages, request.persona, request.goals)
        prompt = msgspec.structs.replace(request, messages=messages)
        text: list[str] = []
        arguments: list[str] = []
        told: UsagePiece | None = None
        answered = model
        failed = False
        try:
            async with aclosing(self._completer.complete(prompt, model)) as pieces:
                async for source, piece in pieces:
                    answered = source
                    match piece:
                        case UsagePiece():
                            told = piece
                            continue
                        case TextPiece():
                            text.append(piece.text)
                        case ToolPiece():
                            arguments.append(piece.name + piece.arguments)
                    yield piece
        except ScrizaError:
            failed = True
            raise
        finally:
            usage, estimated = _usage(prompt, "".join(text + arguments), told)
            if text or arguments or not failed:
                self._tell(request, asked, answered, usage, cached=False, estimated=estimated)
        whole = "".join(text)
        cut_short = usage.completion_tokens >= request.policy.max_tokens
        if key and answered == model and not arguments and not cut_short:
            self._cache.put(key, Answer(whole, answered, usage, estimated), asyncio.get_running_loop().time())
        yield _usage_piece(usage, estimated)
        yield TurnDone(whole, answered, cached=False, usage=usage)

    def _tell(
        self, request: Turn, asked: RequestContext, model: str, usage: Usage, *, cached: bool, estimated: bool
    ) -> None:
        used = LlmUsed(
            call_id=asked.call_id or request.conversation_id,
            model=model,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            cached=cached,
            estimated=estimated,
        )
        self._teller.tell(usage_event(used, asked, self._clock()))


def _usage(prompt: Turn, completion: str, told: UsagePiece | None) -> tuple[Usage, bool]:
    """What was used, and whether that is our own estimate."""
    if told is None:
        return estimated_usage(prompt.messages, completion), True
    return Usage(told.prompt_tokens, told.completion_tokens, told.total_tokens), told.estimated


def _usage_piece(usage: Usage, estimated: bool) -> UsagePiece:
    return UsagePiece(usage.prompt_tokens, usage.completion_tokens, usage.total_tokens, estimated)
