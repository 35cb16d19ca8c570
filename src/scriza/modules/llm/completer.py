"""One completion, from whoever can give it in time."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from math import ceil

import msgspec
import structlog

from scriza.kernel.breaker import Breaker, State, Tolerance
from scriza.kernel.errors import DeadlineExceeded, ScrizaError, Unavailable, UpstreamFailed
from scriza.modules.llm.attempt import Attempt
from scriza.modules.llm.engine import Piece, Route, Upstream
from scriza.modules.llm.playbook_engine import PLAYBOOK, PlaybookEngine
from scriza.ports.llm import TextPiece, Turn, UsagePiece

_log = structlog.get_logger()

_AT_WORK = TextPiece("")
_TIMERS_S = 0.001
"""A timer of the loop may be early by its clock's resolution."""


class Speaks(msgspec.Struct, frozen=True):
    """Who answers; told once, before its first piece."""

    model: str
    attempts: int
    """How many requests were sent until then."""
    waited_s: float
    """From the first request to the first piece."""


Spent = Callable[[Attempt], None]
"""Is told of each request whose model was at work and is not heard: the vendor counts its tokens too."""


class Completer:
    """Completes turns by the models of a route, or by their script when there is no route or nobody speaks in time.

    A model that is late is not waited for alone: the next one is asked beside it, the first to speak is heard, and the
    others are stopped at once. Once a token is out, a failure ends the completion: who has heard half a sentence must
    not hear another one instead.
    """

    def __init__(self, tolerance: Tolerance | None = None) -> None:
        self._tolerance = tolerance
        self._breakers: dict[Upstream, Breaker] = {}
        self._playbook = PlaybookEngine()

    def state(self, upstream: Upstream) -> State:
        """The state of a model's breaker."""
        return self._breaker(upstream).state(asyncio.get_running_loop().time())

    async def complete(self, turn: Turn, route: Route | None, spent: Spent) -> AsyncGenerator[Speaks | Piece, None]:
        """Who speaks, then the pieces; `turn` has its prompt rendered.

        Raises what the last model raised, UpstreamFailed when it answers nothing at all, DeadlineExceeded when nobody
        speaks in time or the speaker stalls, Unavailable when every model rests.
        """
        race = _Race(turn, route, self._breaker, spent) if route is not None else None
        asked_at = asyncio.get_running_loop().time()
        begun = False
        try:
            if race is not None:
                try:
                    async with aclosing(race.pieces()) as pieces:
                        async for piece in pieces:
                            begun = True
                            yield piece
                except ScrizaError as error:
                    race.stop()
                    if begun or not turn.script:
                        raise
                    _log.warning("llm.playbook_answers", reason=error.slug, attempts=race.attempts)
                else:
                    return
            waited_s = asyncio.get_running_loop().time() - asked_at
            yield Speaks(PLAYBOOK, race.attempts if race is not None else 0, waited_s)
            async with aclosing(self._playbook.stream(turn)) as lines:
                async for words in lines:
                    yield words
        finally:
            if race is not None:
                await race.close()

    def _breaker(self, upstream: Upstream) -> Breaker:
        found = self._breakers.get(upstream)
        if found is None:
            found = self._breakers[upstream] = Breaker(self._tolerance)
        return found


class _Race:
    """One turn's way through its route. It must be closed."""

    def __init__(self, turn: Turn, route: Route, breaker: Callable[[Upstream], Breaker], spent: Spent) -> None:
        self.attempts = 0
        self._turn, self._patience, self._breaker, self._spent = turn, route.patience, breaker, spent
        self._budget_s = self._patience.first_token_s if turn.script else self._patience.first_token_alone_s
        self._upstreams = route.upstreams
        self._waiting = list(route.upstreams)
        self._running: list[Attempt] = []
        self._closing: list[asyncio.Task[None]] = []
        self._heard: Attempt | None = None
        self._error: ScrizaError | None = None
        self._hedge_at = 0.0

    async def pieces(self) -> AsyncGenerator[Speaks | Piece, None]:
        """Speaks, then what that model says."""
        loop = asyncio.get_running_loop()
        asked_at = loop.time()
        while True:
            speaker = await self._first_to_speak(asked_at + self._budget_s)
            try:
                piece = speaker.first.result()
                while piece is not None:
                    if not isinstance(piece, UsagePiece) and piece != _AT_WORK:
                        if self._heard is None:
                            self._heard = speaker
                            yield Speaks(speaker.upstream.model, self.attempts, loop.time() - asked_at)
                        yield piece
                    piece = await speaker.next(self._patience.next_token_s)
                if self._heard is None:
                    raise speaker.failed(UpstreamFailed("the model answered nothing"))
            except ScrizaError as error:
                if self._heard is not None:
                    raise
                self._error = error
                self._spent(speaker)
                self._give_up(speaker)
                continue
            speaker.succeeded()
            if speaker.told is not None:
                yield speaker.told
            return

    def stop(self) -> None:
        """Stop whoever is still at work, without waiting for their end."""
        for attempt in list(self._running):
            self._give_up(attempt)

    async def close(self) -> None:
        """Stop whoever is still at work, and wait until all have stopped."""
        self.stop()
        if self._closing:
            await asyncio.wait(self._closing)

    async def _first_to_speak(self, until: float) -> Attempt:
        """Stops all others. Raises ScrizaError when there is nobody left who could."""
        loop = asyncio.get_running_loop()
        while True:
            now = loop.time()
            if now >= until:
                self._mark_late(now)
                raise self._error or DeadlineExceeded(f"the model said nothing for {self._budget_s:g} s")
            if (not self._running or now >= self._hedge_at) and self._start_next(now):
                self._hedge_at = now + self._patience.hedge_s
            if not self._running:
                raise self._error or self._all_rest(now)
            wake_at = min(self._hedge_at, until) if self._waiting else until
            firsts = {attempt.first for attempt in self._running}
            await asyncio.wait(firsts, timeout=wake_at - now, return_when=asyncio.FIRST_COMPLETED)
            speakers = list(self._speaking())
            for other in [attempt for attempt in self._running if attempt not in speakers[:1]] if speakers else ():
                self._give_up(other)
            if speakers:
                return speakers[0]

    def _speaking(self) -> Iterator[Attempt]:
        """Those of the running who have said something; who failed is not among the running any more."""
        for attempt in [attempt for attempt in self._running if attempt.first.done()]:
            try:
                piece = attempt.first.result()
                if piece is None or isinstance(piece, UsagePiece):
                    raise UpstreamFailed("the model answered nothing")
            except ScrizaError as error:
                self._error = attempt.failed(error)
                self._give_up(attempt)
                self._hedge_at = 0.0
            else:
                yield attempt

    def _start_next(self, now: float) -> bool:
        """Ask the next model whose breaker allows it, beside those who are late."""
        while self._waiting:
            upstream = self._waiting.pop(0)
            breaker = self._breaker(upstream)
            if breaker.allows(now):
                self._mark_late(now)
                self.attempts += 1
                self._running.append(Attempt(upstream, self._turn, breaker))
                return True
        return False

    def _mark_late(self, now: float) -> None:
        for attempt in self._running:
            if now - attempt.asked_at >= min(self._patience.hedge_s, self._budget_s) - _TIMERS_S:
                attempt.is_late()

    def _all_rest(self, now: float) -> Unavailable:
        rest_s = min(self._breaker(upstream).rests_for(now) for upstream in self._upstreams)
        return Unavailable("every model rests after failures", retry_after=max(1, ceil(rest_s)))

    def _give_up(self, attempt: Attempt) -> None:
        """Stop it; `close` waits for its end. What it used is told, unless it has failed by itself or was heard."""
        self._running.remove(attempt)
        if attempt.under_way and attempt is not self._heard:
            self._spent(attempt)
        attempt.stop()
        self._closing.append(asyncio.create_task(attempt.close(), name="llm-attempt-closes"))
