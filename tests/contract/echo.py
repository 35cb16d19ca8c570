"""A port with an operation of every kind, and an implementation that fails, waits and remembers on demand."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Literal, Protocol

import msgspec

from scriza.kernel.errors import BadInput, Conflict, NotFound, RateLimited, ScrizaError, TooLarge
from scriza.kernel.operation import operation
from scriza.kernel.principal import current
from scriza.kernel.remarks import note_header

Mood = Literal["fine", "refuse", "rate", "break", "wait"]


class Say(msgspec.Struct):
    text: str
    times: Annotated[int, msgspec.Meta(ge=1, le=10)] = 1
    mood: Mood = "fine"


class Said(msgspec.Struct):
    text: str


class Measure(msgspec.Struct):
    """Base64 in JSON, or a raw body."""

    audio: bytes
    rate: Annotated[int, msgspec.Meta(ge=8000)] = 8000
    words: list[str] = []


class Measured(msgspec.Struct):
    size: int
    rate: int
    words: list[str]


class Find(msgspec.Struct):
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50
    exact: bool = False
    after: str | None = None
    names: list[str] = []


class Found(msgspec.Struct):
    query: Find


class Count(msgspec.Struct):
    """Numbers up to `to`; `mood` shows after `then` of them."""

    to: int
    then: int = 0
    mood: Mood = "fine"


class Number(msgspec.Struct, tag="number"):
    value: int
    note: str = ""


class Counted(msgspec.Struct, tag="counted"):
    """Has no field but its tag."""


class Hello(msgspec.Struct, tag="hello"):
    name: str = ""
    mood: Mood = "fine"


class Piece(msgspec.Struct, tag="piece"):
    payload: bytes


class Flush(msgspec.Struct, tag="flush"):
    """Asks how much came."""


class Bye(msgspec.Struct, tag="bye"):
    """Ends the talk."""

    word: str = ""


class Heard(msgspec.Struct, tag="heard"):
    name: str
    size: int


class Echo(Protocol):
    """Says back what it was told."""

    @operation("POST /v1/echo")
    async def say(self, request: Say) -> Said:
        """The same words.

        Raises NotFound.
        """
        ...

    @operation("POST /v1/echo/again", idempotent=True)
    async def say_again(self, request: Say) -> Said:
        """The same words, and no harm if said twice."""
        ...

    @operation("POST /v1/echo/soon", timeout=0.3)
    async def say_soon(self, request: Say) -> Said:
        """The same words, in a hurry."""
        ...

    @operation("POST /v1/echo/measure", binary="audio")
    async def measure(self, request: Measure) -> Measured:
        """How long it is."""
        ...

    @operation("GET /v1/echo")
    async def find(self, query: Find) -> Found:
        """What was asked for."""
        ...

    @operation("GET /v1/echo/{name}/parts/{part}")
    async def part(self, name: str, part: str) -> Said:
        """One of two names."""
        ...

    @operation("DELETE /v1/echo/{name}")
    async def forget(self, name: str) -> None:
        """Nothing comes back."""
        ...

    @operation("GET /v1/echo/context/now")
    async def context(self) -> Said:
        """Who asks."""
        ...

    @operation("POST /v1/echo/count")
    def count(self, request: Count) -> AsyncIterator[Number | Counted]:
        """One after the other."""
        ...

    @operation("POST /v1/echo/count-soon", timeout=0.3)
    def count_soon(self, request: Count) -> AsyncIterator[Number | Counted]:
        """One after the other, in a hurry."""
        ...

    @operation("WS /v1/echo/talk-soon", binary="payload", timeout=0.3)
    def talk_soon(self, opening: Hello, blocks: AsyncIterator[Piece | Flush | Bye]) -> AsyncIterator[Heard]:
        """As `talk`, for who opens in a hurry."""
        ...

    @operation("WS /v1/echo/talk", binary="payload")
    def talk(self, opening: Hello, blocks: AsyncIterator[Piece | Flush | Bye]) -> AsyncIterator[Heard]:
        """How much was said since the last flush."""
        ...


class Parrot:
    """`working` and `ended` tell what the test cannot see from outside."""

    def __init__(self) -> None:
        self.working = asyncio.Event()
        self.ended = asyncio.Event()
        self.calls = 0
        self.taken: list[object] = []

    async def say(self, request: Say) -> Said:
        try:
            self.calls += 1
            _check(request.text)
            await self._feel(request.mood)
            note_header("x-scriza-cache", "hit" if self.calls > 1 else "miss")
            return Said(request.text * request.times)
        finally:
            self.ended.set()

    async def say_again(self, request: Say) -> Said:
        return await self.say(request)

    async def say_soon(self, request: Say) -> Said:
        return await self.say(request)

    async def measure(self, request: Measure) -> Measured:
        return Measured(len(request.audio), request.rate, request.words)

    async def find(self, query: Find) -> Found:
        _check(query.after or "")
        return Found(query)

    async def part(self, name: str, part: str) -> Said:
        if not name.strip("."):
            raise NotFound("no such name")
        _check(name)
        return Said(f"{name}|{part}")

    async def forget(self, name: str) -> None:
        if name == "nobody":
            raise NotFound("nobody is known by that name")

    async def context(self) -> Said:
        asked = current()
        return Said(f"{asked.principal.workspace} {asked.principal.subject} {asked.request_id} {asked.call_id}")

    async def count(self, request: Count) -> AsyncIterator[Number | Counted]:
        try:
            note_header("x-scriza-usage", "estimated")
            for value in range(request.to):
                if value == request.then:
                    await self._feel(request.mood)
                yield Number(value)
            yield Counted()
        finally:
            self.ended.set()

    def count_soon(self, request: Count) -> AsyncIterator[Number | Counted]:
        return self.count(request)

    def talk_soon(self, opening: Hello, blocks: AsyncIterator[Piece | Flush | Bye]) -> AsyncIterator[Heard]:
        return self.talk(opening, blocks)

    async def talk(self, opening: Hello, blocks: AsyncIterator[Piece | Flush | Bye]) -> AsyncIterator[Heard]:
        size = 0
        try:
            _check(opening.name)
            await self._feel(opening.mood)
            async for block in blocks:
                self.taken.append(block)
                match block:
                    case Piece(payload):
                        size += len(payload)
                        if payload == b"break":
                            raise ZeroDivisionError("a secret")
                        if payload == b"refuse":
                            raise Conflict("no such piece", retry_after=3)
                    case Flush():
                        yield Heard(opening.name, size)
                        size = 0
                    case Bye(word=word):
                        _check(word)
                        return
            yield Heard("the end", size)
        finally:
            self.ended.set()

    async def _feel(self, mood: Mood) -> None:
        self.working.set()
        match mood:
            case "refuse":
                raise TooLarge("too much")
            case "rate":
                raise RateLimited("slowly", retry_after=7, reason="too-eager")
            case "break":
                raise ZeroDivisionError("a secret")
            case "wait":
                await asyncio.Event().wait()


def _check(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadInput("a text is not valid Unicode") from None


Described = tuple[type[ScrizaError], str, int | None, str]


def described(error: ScrizaError) -> Described:
    """What must be equal on both sides of a wire."""
    return type(error), error.detail, error.retry_after, error.reason
