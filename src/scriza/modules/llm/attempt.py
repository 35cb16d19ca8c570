"""One request to one model, from its beginning to its end."""

import asyncio

import structlog

from scriza.kernel.breaker import Breaker
from scriza.kernel.errors import DeadlineExceeded, ScrizaError, TooLarge, UpstreamFailed
from scriza.modules.llm.engine import Piece, Upstream
from scriza.ports.llm import ModelRefused, TextPiece, ToolPiece, Turn, UsagePiece

_log = structlog.get_logger()

_LONGEST = 100_000
"""Characters of a completion. The largest that can be asked for has 4096 tokens; not every server keeps to it."""
_LONGEST_WAIT_S = 3600
"""A server that asks for more patience than this gets only so much."""
_CLOSING_S = 2.0
"""How long an engine may take to let go of a request."""


class Attempt:
    """Asks at once; `first` becomes the first piece. It must be closed, and tells the breaker once how it went.

    `completion` is all that the model has written, and `told` what its server says about usage. `under_way` until the
    model has answered or failed.
    """

    def __init__(self, upstream: Upstream, turn: Turn, breaker: Breaker) -> None:
        self.upstream = upstream
        self.completion = ""
        self.told: UsagePiece | None = None
        self.asked_at = asyncio.get_running_loop().time()
        self.under_way = True
        self._late = False
        self._breaker = breaker
        self._pieces = upstream.engine.stream(upstream.model, turn)
        self.first = asyncio.create_task(self._next(), name="llm-first-piece")

    async def next(self, wait_s: float) -> Piece | None:
        """The next piece after the first one; none at the end. Raises UpstreamFailed, DeadlineExceeded for a stall."""
        try:
            async with asyncio.timeout(wait_s):
                return await self._next()
        except TimeoutError:
            raise self._too_slow(f"the model stalled: it said nothing for {wait_s:g} s") from None
        except ScrizaError as error:
            raise self.failed(error) from None

    def is_late(self) -> None:
        """It had its time and has said nothing; if it never does, that is a failure."""
        self._late = True

    def succeeded(self) -> None:
        """The model answered."""
        if self._ends():
            self._breaker.succeeded()

    def failed(self, error: ScrizaError) -> ScrizaError:
        """The model failed with this error, which is returned."""
        if not self._ends():
            return error
        if isinstance(error, TooLarge):  # says something about the conversation, nothing about the model
            self._breaker.gave_up()
            return error
        now = asyncio.get_running_loop().time()
        lasting = isinstance(error, ModelRefused) and error.lasting
        wait_s = min(error.retry_after or 0, _LONGEST_WAIT_S)
        self._breaker.failed(now, at_once=lasting or wait_s > 0, retry_after=wait_s)
        return error

    def stop(self) -> None:
        """Stop a model that has not spoken, without waiting for its end."""
        self.first.cancel()

    async def close(self) -> None:
        """Stop the model, wherever it is; to have been late without a word is a failure of the model's."""
        if self.completion:
            self.succeeded()
        elif self._late and self.under_way:
            self._too_slow("the model said nothing in time")
        elif self._ends():
            self._breaker.gave_up()
        self.stop()
        if not self.first.done():
            await asyncio.wait({self.first}, timeout=_CLOSING_S)
        elif not self.first.cancelled():
            self.first.exception()  # seen: the loop need not complain about it
        if self.first.done():
            await self._pieces.aclose()

    def _too_slow(self, how: str) -> ScrizaError:
        error = DeadlineExceeded(how)
        self.upstream.engine.gave_up(error)
        return self.failed(error)

    def _ends(self) -> bool:
        ends, self.under_way = self.under_way, False
        return ends

    async def _next(self) -> Piece | None:
        try:
            piece = await anext(self._pieces, None)
        except ScrizaError:
            raise
        except Exception as error:  # an SDK's surprise must not end a call; its text may quote what was said
            _log.error("llm.engine_broke", engine=self.upstream.engine.name, error=type(error).__name__)
            raise UpstreamFailed("the model's engine broke") from None
        match piece:
            case TextPiece():
                self.completion += piece.text
            case ToolPiece():
                self.completion += piece.name + piece.arguments
            case UsagePiece():
                self.told = piece
        if len(self.completion) > _LONGEST:
            raise UpstreamFailed("the model does not stop")
        return piece
