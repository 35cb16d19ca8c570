"""What a caller of any port can rely on, whether the port is an object in this process or a client over HTTP."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import TypeVar, cast

import pytest

from scriza.kernel.errors import BadInput, Conflict, NotFound, RateLimited, ScrizaError, TooLarge
from scriza.kernel.principal import Principal, acting
from scriza.kernel.remarks import remarks
from tests.contract.doors import Doors
from tests.contract.echo import (
    Bye,
    Count,
    Counted,
    Described,
    Echo,
    Find,
    Flush,
    Found,
    Heard,
    Hello,
    Measure,
    Measured,
    Mood,
    Number,
    Parrot,
    Piece,
    Said,
    Say,
    described,
)

T = TypeVar("T")
Block = Piece | Flush | Bye


def closing(items: AsyncIterator[Number | Counted] | AsyncIterator[Heard]) -> "aclosing[AsyncGenerator[object, None]]":
    return aclosing(cast("AsyncGenerator[object, None]", items))


async def these(*blocks: Block) -> AsyncIterator[Block]:
    for block in blocks:
        yield block


async def these_and_silence(*blocks: Block) -> AsyncIterator[Block]:
    for block in blocks:
        yield block
    await asyncio.Event().wait()


async def take(items: AsyncIterator[T], into: list[T]) -> None:
    async for item in items:
        into.append(item)  # noqa: PERF401  # what came before an error is kept


async def soon(event: asyncio.Event) -> None:
    async with asyncio.timeout(10):
        await event.wait()


async def test_a_request_is_answered(doors: Doors) -> None:
    async with doors(Echo, Parrot()) as echo:
        assert await echo.say(Say("Grüß Gott ", times=2)) == Said("Grüß Gott Grüß Gott ")


async def test_arguments_may_be_named(doors: Doors) -> None:
    async with doors(Echo, Parrot()) as echo:
        assert await echo.say(request=Say("a")) == Said("a")
        assert await echo.part(part="2", name="1") == Said("1|2")
        with pytest.raises(TypeError):
            await echo.say()  # type: ignore[call-arg]  # what is tested


async def test_bytes_arrive_as_they_are(doors: Doors) -> None:
    async with doors(Echo, Parrot()) as echo:
        assert await echo.measure(Measure(bytes(range(256)), rate=16000, words=["a b", "ü&="])) == Measured(
            256, 16000, ["a b", "ü&="]
        )
        assert await echo.measure(Measure(b"")) == Measured(0, 8000, [])


@pytest.mark.parametrize(
    "query", [Find(), Find(limit=200, exact=True, after="a&b=c", names=["x", "y z"]), Find(after="")]
)
async def test_a_query_arrives_as_it_was_asked(doors: Doors, query: Find) -> None:
    async with doors(Echo, Parrot()) as echo:
        assert await echo.find(query) == Found(query)


async def test_names_in_paths_may_hold_anything_but_a_slash(doors: Doors) -> None:
    async with doors(Echo, Parrot()) as echo:
        assert await echo.part("a b?c#d%2e", "ü\n..") == Said("a b?c#d%2e|ü\n..")


@pytest.mark.parametrize("name", ["", ".", ".."])
async def test_what_is_not_a_name_finds_nothing(doors: Doors, name: str) -> None:
    async with doors(Echo, Parrot()) as echo:
        with pytest.raises(NotFound):
            await echo.part(name, "b")


async def test_nothing_may_come_back(doors: Doors) -> None:
    async with doors(Echo, Parrot()) as echo:
        await echo.forget("somebody")
        with pytest.raises(NotFound, match="nobody is known by that name"):
            await echo.forget("nobody")


@pytest.mark.parametrize(
    ("mood", "expected"),
    [("refuse", (TooLarge, "too much", None, "")), ("rate", (RateLimited, "slowly", 7, "too-eager"))],
)
async def test_an_error_is_the_same_on_both_sides(doors: Doors, mood: Mood, expected: Described) -> None:
    async with doors(Echo, Parrot()) as echo:
        with pytest.raises(ScrizaError) as unary:
            await echo.say(Say("a", mood=mood))
        with pytest.raises(ScrizaError) as stream:
            await anext(echo.count(Count(3, mood=mood)))
        with pytest.raises(ScrizaError) as duplex:
            await anext(echo.talk(Hello(mood=mood), these()))
    assert [described(raised.value) for raised in (unary, stream, duplex)] == [expected] * 3


async def test_half_a_character_is_bad_input(doors: Doors) -> None:
    half = "\ud83d"
    async with doors(Echo, Parrot()) as echo:
        asked: list[Callable[[], Awaitable[object]]] = [
            lambda: echo.say(Say(half)),
            lambda: echo.say_again(Say(half)),
            lambda: echo.find(Find(after=half)),
            lambda: echo.part(half, "b"),
            lambda: take(echo.talk(Hello(half), these_and_silence()), []),
            lambda: take(echo.talk(Hello(), these_and_silence(Bye(half))), []),
        ]
        for ask in asked:
            with pytest.raises(BadInput, match="Unicode"):
                await ask()


async def test_a_stream_gives_its_items_and_ends(doors: Doors) -> None:
    parrot = Parrot()
    async with doors(Echo, parrot) as echo:
        items = [item async for item in echo.count(Count(3))]
    assert items == [Number(0), Number(1), Number(2), Counted()]
    assert parrot.ended.is_set()


async def test_what_a_stream_gave_before_it_failed_is_kept(doors: Doors) -> None:
    items: list[Number | Counted] = []
    async with doors(Echo, Parrot()) as echo:
        with pytest.raises(RateLimited) as raised:
            await take(echo.count(Count(3, then=2, mood="rate")), items)
    assert items == [Number(0), Number(1)]
    assert described(raised.value) == (RateLimited, "slowly", 7, "too-eager")


async def test_closing_a_stream_closes_the_work_behind_it(doors: Doors) -> None:
    parrot = Parrot()
    async with doors(Echo, parrot) as echo:
        async with closing(echo.count(Count(10**9))) as items:
            assert await anext(items) == Number(0)
        await soon(parrot.ended)


async def test_closing_a_stream_that_waits_closes_the_work_behind_it(doors: Doors) -> None:
    parrot = Parrot()
    async with doors(Echo, parrot) as echo, closing(echo.count(Count(3, then=1, mood="wait"))) as items:
        assert await anext(items) == Number(0)
        waiting = asyncio.ensure_future(anext(items))
        await soon(parrot.working)
        assert not parrot.ended.is_set()
        waiting.cancel()
        await asyncio.wait([waiting])
        await soon(parrot.ended)


async def test_cancelling_a_caller_cancels_the_work_behind_it(doors: Doors) -> None:
    parrot = Parrot()
    async with doors(Echo, parrot) as echo:
        calling = asyncio.ensure_future(echo.say(Say("a", mood="wait")))
        await soon(parrot.working)
        assert not parrot.ended.is_set()
        calling.cancel()
        await soon(parrot.ended)
        with pytest.raises(asyncio.CancelledError):
            await calling


async def test_cancelling_before_the_first_item_cancels_the_work_behind_it(doors: Doors) -> None:
    parrot = Parrot()
    async with doors(Echo, parrot) as echo:
        calling = asyncio.ensure_future(anext(echo.count(Count(3, mood="wait"))))
        await soon(parrot.working)
        calling.cancel()
        await soon(parrot.ended)


async def test_a_talk_goes_both_ways(doors: Doors) -> None:
    parrot = Parrot()
    told = asyncio.Queue[Block]()

    async def blocks() -> AsyncIterator[Block]:
        while not isinstance(block := await told.get(), Bye):
            yield block
        yield block

    async with doors(Echo, parrot) as echo, closing(echo.talk(Hello("Ada"), blocks())) as heard:
        for block in (Piece(b"\x00\xff"), Piece(b"abc"), Flush()):
            told.put_nowait(block)
        assert await anext(heard) == Heard("Ada", 5)
        told.put_nowait(Flush())
        assert await anext(heard) == Heard("Ada", 0)
        told.put_nowait(Bye())
        assert await anext(heard, None) is None
    assert parrot.taken == [Piece(b"\x00\xff"), Piece(b"abc"), Flush(), Flush(), Bye()]
    assert parrot.ended.is_set()


async def test_the_end_of_the_blocks_is_told(doors: Doors) -> None:
    async with doors(Echo, Parrot()) as echo:
        assert [item async for item in echo.talk(Hello(), these(Piece(b"abc")))] == [Heard("the end", 3)]


async def test_more_blocks_than_are_taken_at_once_all_arrive_in_order(doors: Doors) -> None:
    parrot = Parrot()
    many = [Piece(str(number).encode()) for number in range(500)]
    async with doors(Echo, parrot) as echo:
        assert len([item async for item in echo.talk(Hello(), these(*many, Flush()))]) == 2
    assert parrot.taken == [*many, Flush()]


async def test_a_talk_that_fails_raises_the_same(doors: Doors) -> None:
    items: list[Heard] = []
    async with doors(Echo, Parrot()) as echo:
        with pytest.raises(Conflict) as raised:
            await take(echo.talk(Hello("Ada"), these_and_silence(Flush(), Piece(b"refuse"))), items)
    assert items == [Heard("Ada", 0)]
    assert described(raised.value) == (Conflict, "no such piece", 3, "")


async def test_closing_a_talk_closes_the_work_behind_it(doors: Doors) -> None:
    parrot = Parrot()
    async with doors(Echo, parrot) as echo:
        async with closing(echo.talk(Hello("Ada"), these_and_silence(Flush()))) as heard:
            assert await anext(heard) == Heard("Ada", 0)
        await soon(parrot.ended)


async def test_cancelling_a_talk_cancels_the_work_behind_it(doors: Doors) -> None:
    parrot = Parrot()
    async with doors(Echo, parrot) as echo:
        talking = asyncio.ensure_future(anext(echo.talk(Hello(mood="wait"), these_and_silence())))
        await soon(parrot.working)
        assert not parrot.ended.is_set()
        talking.cancel()
        await soon(parrot.ended)


WAITING: dict[str, Callable[[Echo], Awaitable[object]]] = {
    "unary": lambda echo: echo.say(Say("a", mood="wait")),
    "duplex": lambda echo: take(echo.talk(Hello(mood="wait"), these_and_silence()), []),
}


@pytest.mark.parametrize("kind", WAITING)
@pytest.mark.parametrize("steps", range(6))
async def test_cancelling_a_caller_again_while_it_cleans_up_leaves_no_work_behind(
    doors: Doors, kind: str, steps: int
) -> None:
    parrot = Parrot()
    async with doors(Echo, parrot) as echo:
        asking = asyncio.ensure_future(WAITING[kind](echo))
        await soon(parrot.working)
        asking.cancel()
        for _ in range(steps):
            await asyncio.sleep(0)
        asking.cancel()
        await soon(parrot.ended)
        await asyncio.wait([asking])


async def test_what_the_callers_own_blocks_raise_comes_back_to_the_caller(doors: Doors) -> None:
    parrot = Parrot()

    async def broken() -> AsyncIterator[Block]:
        yield Flush()
        raise LookupError("the microphone is gone")

    async with doors(Echo, parrot) as echo:
        with pytest.raises(LookupError, match="the microphone is gone"):
            await take(echo.talk(Hello(), broken()), [])
        await soon(parrot.ended)


async def test_who_asks_for_which_request_and_call_is_known_behind_every_door(doors: Doors) -> None:
    async with doors(Echo, Parrot()) as echo:
        with acting(Principal("acme", "ada", frozenset({"calls:read"})), request_id="req_1", call_id="CA1"):
            assert await echo.context() == Said("acme ada req_1 CA1")
        with acting(Principal("zürich", "Ä")) as made:
            assert await echo.context() == Said(f"zürich Ä {made.request_id} ")


async def test_what_is_said_beside_a_reply_is_told(doors: Doors) -> None:
    async with doors(Echo, Parrot()) as echo:
        with remarks() as unary:
            await echo.say(Say("a"))
        with remarks() as stream:
            assert await anext(echo.count(Count(1))) == Number(0)
    assert unary == {"x-scriza-cache": "miss"}
    assert stream == {"x-scriza-usage": "estimated"}


async def test_many_callers_do_not_disturb_each_other(doors: Doors) -> None:
    async with doors(Echo, Parrot()) as echo:

        async def work(number: int) -> bool:
            said = await echo.say(Say(str(number)))
            counted = [item async for item in echo.count(Count(number))]
            heard = [item async for item in echo.talk(Hello(str(number)), these(Piece(bytes(number)), Flush(), Bye()))]
            return (said, len(counted), heard) == (Said(str(number)), number + 1, [Heard(str(number), number)])

        assert all(await asyncio.gather(*(work(number) for number in range(20))))
