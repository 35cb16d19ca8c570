"""Memory's port, and its ear on the bus."""

import re

import msgspec
import structlog

from scriza.kernel.clock import WallClock, utc_now
from scriza.kernel.cursor import cursor, read_cursor
from scriza.kernel.errors import BadInput, NotFound
from scriza.kernel.events import Event, Topic
from scriza.kernel.principal import current
from scriza.kernel.pseudonym import NameOf
from scriza.modules.memory.book import MemoryBook, Place
from scriza.modules.memory.callers import told_of
from scriza.modules.memory.post_call import PostCall
from scriza.modules.memory.projection import HEARD, told
from scriza.ports.memory import (
    CallerErased,
    CallerMemory,
    CallsQuery,
    Correction,
    Erasure,
    Recall,
    Remembered,
    RememberedCall,
    RememberedCalls,
)

_log = structlog.get_logger()

TOPICS = HEARD | {Topic.CALLER_ERASED}
"""What `MemoryService.hear` is to be told."""

_E164 = re.compile(r"\+[1-9]\d{6,14}")


class MemoryService:
    """Implements Memory for the workspace of the request."""

    def __init__(self, book: MemoryBook, post_call: PostCall, name_of: NameOf, *, clock: WallClock = utc_now) -> None:
        self._book = book
        self._post_call = post_call
        self._name_of = name_of
        self._clock = clock

    async def hear(self, event: Event) -> None:
        """Take in one event, once; what it holds is kept when this returns. What is not readable is left out."""
        try:
            if event.type == Topic.CALLER_ERASED:
                await self._book.acknowledge(event, _ERASED.decode(event.data))
                return
            what = told(event)
        except msgspec.DecodeError:
            _log.warning("memory.unreadable", event_id=event.id, topic=event.type.value)
            return
        if await self._book.hear(event, what) and what.completes:
            self._post_call.wake()

    async def recall(self, asked: Recall) -> CallerMemory:
        """What earlier calls of the number have taught; nothing for a number that is withheld."""
        if not asked.number:
            return CallerMemory()
        return await self.caller(asked.number)

    async def call(self, call_id: str) -> RememberedCall:
        """One call with its turns. Raises NotFound."""
        call = await self._book.call(_workspace(), call_id)
        if call is None:
            raise NotFound("there is no such call")
        return call

    async def calls(self, query: CallsQuery) -> RememberedCalls:
        """A page of calls, newest first. Raises BadInput for a cursor that no page has given."""
        after = read_cursor(query.cursor, Place) if query.cursor else None
        found = await self._book.page(_workspace(), query, after, query.limit + 1)
        page, more = found[: query.limit], len(found) > query.limit
        return RememberedCalls(page, _cursor(page[-1]) if more else "")

    async def caller(self, number: str) -> CallerMemory:
        """What is known of who has this number. Raises BadInput."""
        return told_of(await self._book.caller(_workspace(), self._who(number)))

    async def correct(self, number: str, correction: Correction) -> Remembered:
        """Put right one thing that is known. Raises NotFound and BadInput."""
        text = correction.text.strip()
        if not text:
            raise BadInput("what is right is not said: `text` is empty")
        changed = await self._book.correct(_workspace(), self._who(number), correction.id, text, self._clock())
        return next(item for item in changed.known if item.id == correction.id)

    async def forget_one(self, number: str, known_id: str) -> None:
        """Forget one thing that is known."""
        await self._book.forget_one(_workspace(), self._who(number), known_id, self._clock())

    async def forget(self, number: str) -> Erasure:
        """Erase everything about a number, here at once and in every other module by `caller.forgotten`."""
        erasure = await self._book.forget(_workspace(), self._who(number), self._clock())
        _log.info("memory.caller_forgotten", erasure_id=erasure.erasure_id)
        return erasure

    async def erasure(self, erasure_id: str) -> Erasure:
        """How far an erasure is. Raises NotFound."""
        found = await self._book.erasure(_workspace(), erasure_id)
        if found is None:
            raise NotFound("there is no such erasure")
        return found

    def _who(self, number: str) -> str:
        if not _E164.fullmatch(number):
            raise BadInput("a number is in E.164: a plus sign, the country's code, the rest without spaces")
        return self._name_of(_workspace(), number)


def _workspace() -> str:
    return current().principal.workspace


def _cursor(last: RememberedCall) -> str:
    assert last.started_at is not None
    return cursor(Place(last.started_at, last.call_id))


_ERASED = msgspec.json.Decoder(CallerErased)
