"""The `Llm` port: policy, cache and metering around a completion."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Literal

import msgspec
import structlog

from scriza.kernel.breaker import Tolerance
from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.errors import ScrizaError, Unavailable, UpstreamFailed
from scriza.kernel.principal import RequestContext, current
from scriza.kernel.remarks import note_header
from scriza.modules.llm.attempt import Attempt
from scriza.modules.llm.cache import Answer, AnswerCache, cache_key, ran_tools
from scriza.modules.llm.completer import Completer, Speaks
from scriza.modules.llm.credit import demand_credit
from scriza.modules.llm.engine import Engine, Route
from scriza.modules.llm.limits import check
from scriza.modules.llm.metering import Meter, counted
from scriza.modules.llm.playbook_engine import PLAYBOOK
from scriza.modules.llm.prices import Prices, built_in
from scriza.modules.llm.prompt import with_system
from scriza.modules.llm.shared_stream import SharedStream
from scriza.ports.credit import Check
from scriza.ports.events import Teller
from scriza.ports.llm import (
    Model,
    ModelRefused,
    Models,
    TextPiece,
    ToolCall,
    ToolPiece,
    Turn,
    TurnDone,
    TurnReply,
    Usage,
    UsagePiece,
)
from scriza.ports.shared_state import SharedState

_log = structlog.get_logger()

Part = TextPiece | ToolPiece | UsagePiece | TurnDone

_Flight = tuple[str, int, tuple[str, ...]]
"""What is the same for all who share a completion."""


class _Begun(msgspec.Struct, frozen=True):
    """Precedes the parts: what is said about them in headers."""

    model: str
    cache: Literal["hit", "miss", "bypass"]
    attempts: int = 0
    waited_s: float = 0.0
    """For models, of the time to the first part."""
    estimated: bool = False
    """Usage will be our own estimate, as far as is known before the first part."""


class LlmService:
    """Answers turns by the models of two routes, and from their script when there is none or none speaks in time.

    `critical` and `cheap` are the routes that a turn's policy chooses from; either both or none. Answers are kept for
    `cache_ttl_s` seconds (0: never), `cache_size` of them at most in this process, or in `shared` where that is given.
    Usage is told to `teller`, under the id of the request that asked, at what it cost by `prices`. Each turn is begun
    only if `credit` says that there is some, where that is given. It must be closed.
    """

    def __init__(
        self,
        teller: Teller,
        *,
        critical: Route | None = None,
        cheap: Route | None = None,
        cache_ttl_s: float = 3600,
        cache_size: int = 4_096,
        shared: SharedState | None = None,
        prices: Prices | None = None,
        tolerance: Tolerance | None = None,
        credit: Check | None = None,
        clock: WallClock = utc_now,
    ) -> None:
        if (critical is None) != (cheap is None):
            raise ValueError("there must be a critical and a cheap route, or none")
        self._critical = critical
        self._cheap = cheap
        self._credit = credit
        self._completer = Completer(tolerance)
        self._cache = AnswerCache(cache_ttl_s, cache_size, shared)
        self._flights: dict[_Flight, SharedStream[_Begun | Part]] = {}
        self._prices = prices or built_in()
        self._meter = Meter(teller, self._prices, clock)

    @property
    def cache(self) -> AnswerCache:
        """The answers that are kept."""
        return self._cache

    async def warm_up(self) -> None:
        """Make the first turn as quick as the next.

        A server that cannot be reached now is a warning in the log; one that will refuse every turn, because of its
        key, is an error there.
        """
        await asyncio.gather(*(_warm_up(engine) for engine in self._engines()))

    async def close(self) -> None:
        """End what is under way, tell its usage, and let go of the models' connections."""
        for flight in list(self._flights.values()):
            await flight.close(Unavailable("the process is stopping"))
        for engine in self._engines():
            await engine.close()

    async def models(self) -> Models:
        """Which models answer: each route's in their order, then the playbook."""
        critical, cheap = self._listed("critical", self._critical), self._listed("cheap", self._cheap)
        return Models([*critical, *cheap, Model(id=PLAYBOOK, policy="fallback", engine=PLAYBOOK)])

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
        """The reply as it is made; the same turn, script and limit asked twice at the same time is made once."""
        begun_at = asyncio.get_running_loop().time()
        check(request)
        if self._credit is not None:
            await demand_credit(self._credit, request.conversation_id)
        async with aclosing(self._answer(request, current())) as parts:
            async for part in parts:
                if isinstance(part, _Begun):
                    _note(part, asyncio.get_running_loop().time() - begun_at)
                else:
                    yield part

    def _answer(self, request: Turn, asked: RequestContext) -> AsyncGenerator[_Begun | Part, None]:
        """The reply from where it is had: kept, under way, or to be made."""
        route = self._critical if request.policy.critical else self._cheap
        if not self._cache.keeps or ran_tools(request):
            return self._made(request, route, asked, key="")
        model, script = (PLAYBOOK, request.script) if route is None else (route.model, ())
        key = cache_key(asked.principal.workspace, model, request, script)
        # What is being made may yet be cut off at its longest, or come from the script: only who asked for that joins.
        flight = (key, request.policy.max_tokens, tuple(line.text for line in request.script))
        under_way = self._flights.get(flight)
        if under_way is not None:
            return self._joined(request, under_way, asked)
        begun = SharedStream(self._kept_or_made(request, route, asked, key), on_end=lambda: self._landed(flight))
        self._flights[flight] = begun
        return begun.read()

    def _landed(self, flight: _Flight) -> None:
        del self._flights[flight]

    async def _kept_or_made(
        self, request: Turn, route: Route | None, asked: RequestContext, key: str
    ) -> AsyncGenerator[_Begun | Part, None]:
        """A reply from the cache, or a new one."""
        kept = await self._cache.get(key)
        if kept is None:
            async with aclosing(self._made(request, route, asked, key)) as parts:
                async for part in parts:
                    yield part
            return
        self._meter.tell(request, asked, kept.model, kept.usage, cached=True)
        yield _Begun(kept.model, "hit", estimated=kept.usage.estimated)
        yield TextPiece(kept.text)
        yield kept.usage
        yield TurnDone(kept.text, kept.model, cached=True, usage=_whole(kept.usage))

    async def _joined(
        self, request: Turn, under_way: SharedStream[_Begun | Part], asked: RequestContext
    ) -> AsyncGenerator[_Begun | Part, None]:
        """The reply that somebody else's request is having made."""
        usage: UsagePiece | None = None
        async with aclosing(under_way.read()) as parts:
            async for part in parts:
                match part:
                    case _Begun():
                        yield msgspec.structs.replace(part, cache="hit", attempts=0)
                    case TurnDone():
                        if usage is not None:
                            self._meter.tell(request, asked, part.model, usage, cached=True)
                        yield msgspec.structs.replace(part, cached=True)
                    case _:
                        usage = part if isinstance(part, UsagePiece) else usage
                        yield part

    async def _made(
        self, request: Turn, route: Route | None, asked: RequestContext, key: str
    ) -> AsyncGenerator[_Begun | Part, None]:
        """A new reply, metered, also when it is broken off, and kept under `key` unless that is empty."""
        messages = with_system(request.messages, request.persona, request.goals)
        prompt = msgspec.structs.replace(request, messages=messages)
        given_up = 0

        def spent(attempt: Attempt) -> None:
            nonlocal given_up
            given_up += 1
            usage = counted(prompt, attempt.completion, attempt.told)
            self._meter.tell(request, asked, attempt.upstream.model, usage, part=f"given-up/{given_up}")

        text: list[str] = []
        arguments: list[str] = []
        told: UsagePiece | None = None
        speaks: Speaks | None = None
        failed = False
        try:
            async with aclosing(self._completer.complete(prompt, route, spent)) as pieces:
                async for piece in pieces:
                    match piece:
                        case Speaks():
                            speaks = piece
                            by_us = piece.model == PLAYBOOK
                            cache: Literal["miss", "bypass"] = "miss" if key else "bypass"
                            yield _Begun(piece.model, cache, piece.attempts, piece.waited_s, by_us)
                            continue
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
            usage = counted(prompt, "".join(text + arguments), told)
            if speaks is not None and (text or arguments or not failed):
                self._meter.tell(request, asked, speaks.model, usage)
        assert speaks is not None, "a completion tells first who speaks"
        whole = "".join(text)
        cut_short = usage.completion_tokens >= request.policy.max_tokens
        first_choice = PLAYBOOK if route is None else route.model
        if key and speaks.model == first_choice and not arguments and not cut_short:
            await self._cache.put(key, Answer(whole, speaks.model, usage))
        yield usage
        yield TurnDone(whole, speaks.model, cached=False, usage=_whole(usage))

    def _listed(self, policy: Literal["critical", "cheap"], route: Route | None) -> Iterator[Model]:
        if route is None:
            return
        for order, upstream in enumerate(route.upstreams):
            yield Model(
                id=upstream.model,
                policy=policy,
                engine=upstream.engine.name,
                order=order,
                first_token_ms=round(route.patience.hedge_s * 1000),
                state=self._completer.state(upstream),
                price=self._prices.of(upstream.model),
            )

    def _engines(self) -> list[Engine]:
        """Each once."""
        routes = [route for route in (self._critical, self._cheap) if route is not None]
        return list(dict.fromkeys(upstream.engine for route in routes for upstream in route.upstreams))


async def _warm_up(engine: Engine) -> None:
    try:
        await engine.warm_up()
    except ScrizaError as error:
        lasting = isinstance(error, ModelRefused) and error.lasting
        tell = _log.error if lasting else _log.warning
        tell("llm.warm_up_failed", engine=engine.name, reason=error.slug, detail=error.detail)


def _note(begun: _Begun, took_s: float) -> None:
    """What is to be known about the reply beside its message."""
    note_header("x-scriza-cache", begun.cache)
    note_header("x-scriza-model", begun.model)
    note_header("x-scriza-attempts", str(begun.attempts))
    if begun.attempts:
        note_header("x-scriza-overhead-ms", f"{max(0.0, took_s - begun.waited_s) * 1000:.1f}")
    if begun.estimated:
        note_header("x-scriza-usage", "estimated")


def _whole(usage: UsagePiece) -> Usage:
    return Usage(usage.prompt_tokens, usage.completion_tokens, usage.total_tokens)
