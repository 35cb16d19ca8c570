"""A clip while it is being made: once, for everybody who asks for it meanwhile."""

import asyncio
import traceback
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterator
from contextlib import aclosing, contextmanager
from copy import copy

import structlog

from scriza.kernel.errors import DeadlineExceeded, ScrizaError, TooLarge, Unavailable, UpstreamFailed
from scriza.modules.tts.clip import Clip, Form, Made, made
from scriza.modules.tts.engine import Piece

_log = structlog.get_logger()

FIRST_PIECE_S = 6.0
NEXT_PIECE_S = 3.0
LONGEST_CLIP_S = 600
"""A text of nothing but digits or emoji sounds far longer than it looks."""


class Flight:
    """One clip in the making. Whoever joins late gets it from its beginning."""

    def __init__(self, form: Form) -> None:
        self.clip: Clip | None = None
        self.listeners = 0
        self._form = form
        self._pieces: list[Made] = []
        self.failure: ScrizaError | None = None
        self._news = asyncio.Event()
        self._samples_left = LONGEST_CLIP_S * form.sample_rate

    async def listen(self) -> AsyncGenerator[Made, None]:
        """All pieces, as they are made; when they end, `clip` is there. Raises what the making raised."""
        told = 0
        while True:
            while told < len(self._pieces):
                told += 1
                yield self._pieces[told - 1]
            if self.failure is not None:
                raise copy(self.failure)  # each listener has an instance of its own
            if self.clip is not None:
                return
            await self._news.wait()

    async def make(
        self,
        source: AsyncGenerator[Piece, None],
        finish: Callable[[list[Made]], Awaitable[Clip]],
        first_s: float = FIRST_PIECE_S,
    ) -> Clip | None:
        """Make the clip; `finish` joins its pieces. None when that failed: then the listeners are told why.

        `first_s` is how long the first piece may take.
        """
        try:
            async with aclosing(source):
                while piece := await self._next(source, NEXT_PIECE_S if self._pieces else first_s):
                    self._samples_left -= len(piece[0])
                    if self._samples_left < 0:
                        raise TooLarge(f"this text takes longer than {LONGEST_CLIP_S} seconds to speak")
                    self._pieces.append(made(self._form, *piece))
                    self._tell()
                    await asyncio.sleep(0)  # a source that has more at once would keep the listeners waiting
            if not any(piece.audio for piece in self._pieces):
                raise UpstreamFailed("the engine made no sound")
            self.clip = await finish(self._pieces)
        except ScrizaError as failure:
            self.failure = failure
        except TimeoutError:
            self.failure = DeadlineExceeded("the engine took too long")
        except Exception as error:  # the task's outermost shell
            # The message may hold what is to be spoken; the place where it happened does not.
            where = "".join(traceback.format_tb(error.__traceback__))
            _log.error("tts.engine_broke", error=type(error).__name__, where=where)
            self.failure = UpstreamFailed("the engine broke")
        finally:
            self._tell()
        return self.clip

    def give_up(self) -> None:
        """End the waiting of whoever still listens to a clip that will not be made."""
        if not self.over:
            self.failure = _shutting_down()
            self._tell()

    @property
    def over(self) -> bool:
        """Whether the clip is there, or will never be."""
        return self.clip is not None or self.failure is not None

    async def _next(self, source: AsyncGenerator[Piece, None], seconds: float) -> Piece | None:
        async with asyncio.timeout(seconds):
            return await anext(source, None)

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


class Flights:
    """All clips in the making, by key. Owns their tasks; a clip that nobody waits for any more is given up."""

    def __init__(self) -> None:
        self._flights: dict[str, Flight] = {}
        self._tasks: dict[Flight, asyncio.Task[None]] = {}
        self._closed = False

    @contextmanager
    def joined(
        self, key: str, form: Form, fly: Callable[[Flight], Coroutine[object, object, None]]
    ) -> Iterator[tuple[Flight, bool]]:
        """Take part in the flight of this key; True when it began for this listener, with `fly` in its own task.

        Raises Unavailable when no flight begins any more.
        """
        flight = self._flights.get(key)
        began = flight is None
        if flight is None:
            if self._closed:
                raise _shutting_down()
            flight = self._flights[key] = Flight(form)
            self._tasks[flight] = asyncio.create_task(fly(flight), name="tts flight")
            self._tasks[flight].add_done_callback(lambda task: self._landed(key, flight, task))
        flight.listeners += 1
        try:
            yield flight, began
        finally:
            flight.listeners -= 1
            if not flight.listeners and not flight.over:
                self._leave(key, flight)
                self._tasks[flight].cancel()

    async def close(self) -> None:
        """Give up what is being made, and begin nothing more: whoever is told so may turn to another engine."""
        self._closed = True
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _landed(self, key: str, flight: Flight, task: asyncio.Task[None]) -> None:
        self._leave(key, flight)
        del self._tasks[flight]
        flight.give_up()
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("tts.flight_broke", error=type(error).__name__)

    def _leave(self, key: str, flight: Flight) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]


def _shutting_down() -> Unavailable:
    return Unavailable("speech is shutting down")
