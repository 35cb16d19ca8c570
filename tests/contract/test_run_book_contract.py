"""What every book of tools' runs keeps to: the one in the store, and the one in memory that other tests use."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from scriza.modules.agent.tools.runs import Run, RunBook
from tests.memory_runs import MemoryRunBook

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


@pytest.fixture(params=["memory", "store"])
def book(request: pytest.FixtureRequest) -> RunBook:
    if request.param == "memory":
        return MemoryRunBook()
    from scriza.modules.agent.tools.stored import MongoRunBook

    return MongoRunBook(request.getfixturevalue("store"))


def run(name: str = "r1", *, at: float = 0, **changes: object) -> Run:
    began = START + timedelta(seconds=at)
    known = Run(name, "acme", "CA1", 3, "book", '{"na.me$":"Ada"}', began, began + timedelta(seconds=9), harmless=False)
    return msgspec.structs.replace(known, **changes)


async def test_a_run_is_claimed_once(book: RunBook) -> None:
    assert await book.claim(run()) is None
    assert await book.claim(run(at=5)) == run()
    assert await book.find("r1") == run()


async def test_a_run_that_is_not_there_is_not_found(book: RunBook) -> None:
    assert await book.find("r1") is None


async def test_what_came_of_a_run_is_kept(book: RunBook) -> None:
    await book.claim(run())
    over = run(state="done", result='{"ok": true}', ms=120)
    assert await book.change(run(), over)
    assert await book.find("r1") == over


async def test_of_two_who_take_up_a_run_one_is_first(book: RunBook) -> None:
    await book.claim(run())
    one, other = run(state="unknown"), run(attempt=2)
    assert await book.change(run(), one)
    assert not await book.change(run(), other)
    assert await book.find("r1") == one


async def test_the_runs_of_a_call_come_in_their_order(book: RunBook) -> None:
    for name, at in (("r2", 20), ("r1", 10), ("r3", 30)):
        await book.claim(run(name, at=at))
    await book.claim(run("other", call_id="CA2"))
    await book.claim(run("foreign", workspace="elsewhere"))
    assert [each.run_id for each in await book.of_call("acme", "CA1")] == ["r1", "r2", "r3"]


async def test_runs_of_a_call_that_is_forgotten_are_gone(book: RunBook) -> None:
    await book.claim(run())
    await book.claim(run("r2", call_id="CA2"))
    assert await book.forget(["CA1", "CA9"]) == 1
    assert await book.forget(["CA1"]) == 0
    assert await book.find("r1") is None
    assert await book.find("r2") is not None
