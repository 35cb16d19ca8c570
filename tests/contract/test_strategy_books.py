"""What the books of playbooks keep to: those in the store, and those in memory that other tests use."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

import msgspec
import pytest

from scriza.modules.strategy.books import Commit, Refs, Rendering, RenderingBook, StrategyBook, Version
from scriza.ports.playbook_changes import Conflict
from scriza.ports.strategy import RefChange
from tests.memory_strategies import MemoryRenderingBook, MemoryStrategyBook
from tests.strategy_rig import NOW, refs, version

MINUTE = timedelta(minutes=1)


@dataclass
class Books:
    strategies: StrategyBook
    renderings: RenderingBook


@pytest.fixture(params=["memory", "store"])
def books(request: pytest.FixtureRequest) -> Books:
    if request.param == "memory":
        renderings = MemoryRenderingBook()
        return Books(MemoryStrategyBook(renderings), renderings)
    from scriza.modules.strategy.stored import MongoRenderingBook, MongoStrategyBook

    store = request.getfixturevalue("store")
    return Books(MongoStrategyBook(store), MongoRenderingBook(store))


def change(old: Refs, new: Refs, *versions: Version, log: str = "", rendering: Rendering | None = None) -> Commit:
    lines = [RefChange(new.revision, "draft", "save", old.draft, new.draft, log, NOW)] if log else []
    return Commit("ours", old, new, versions, lines, rendering)


def rendering(name: str, *, urgent: bool = False, due: timedelta = timedelta(0)) -> Rendering:
    return Rendering("ours", "tea-shop", name, urgent, NOW + due)


# ---- versions and what points at them ----------------------------------------------------------------------------


async def test_a_version_is_kept_as_it_was(books: Books) -> None:
    kept = version(1)
    assert await books.strategies.commit(change(refs(0), refs(1, draft=kept.info.id), kept))
    assert await books.strategies.version("ours", kept.info.id) == kept
    assert await books.strategies.numbered("ours", "tea-shop", 1) == kept
    assert await books.strategies.versions("ours", "tea-shop", 99, 10) == [kept.info]
    assert await books.strategies.infos("ours", [kept.info.id, "sv_none"]) == {kept.info.id: kept.info}
    assert await books.strategies.infos("theirs", [kept.info.id]) == {}


async def test_keys_that_a_store_may_not_like_are_kept(books: Books) -> None:
    odd = version(1, persona={"name": "Tess", "pronunciations": {"a.b": "c", "$d": "e"}}, ext={"x-$a.b": {"$c": [1]}})
    await books.strategies.commit(change(refs(0), refs(1), odd))
    assert await books.strategies.version("ours", odd.info.id) == odd


async def test_what_a_slug_points_at_is_changed_only_by_who_has_seen_it(books: Books) -> None:
    first, second = version(1), version(2)
    assert await books.strategies.commit(change(refs(0), refs(1, draft=first.info.id), first, log="ann"))
    assert not await books.strategies.commit(change(refs(0), refs(1, draft=second.info.id), second, log="ben"))
    assert await books.strategies.refs("ours", "tea-shop") == refs(1, draft=first.info.id)
    assert await books.strategies.version("ours", second.info.id) is None
    assert [line.by for line in await books.strategies.log("ours", "tea-shop", 99, 10)] == ["ann"]


async def test_of_many_who_change_it_at_once_exactly_one_does(books: Books) -> None:
    await books.strategies.commit(change(refs(0), refs(1)))
    rivals = [version(number) for number in range(2, 18)]
    won = await asyncio.gather(
        *(
            books.strategies.commit(change(refs(1), refs(2, published=rival.info.id), rival, log=rival.info.title))
            for rival in rivals
        )
    )
    assert sum(won) == 1
    winner = rivals[won.index(True)]
    assert await books.strategies.refs("ours", "tea-shop") == refs(2, published=winner.info.id)
    assert [line.by for line in await books.strategies.log("ours", "tea-shop", 99, 99)] == [winner.info.title]
    assert await books.strategies.versions("ours", "tea-shop", 99, 99) == [winner.info]


async def test_of_many_who_begin_a_slug_at_once_exactly_one_does(books: Books) -> None:
    rivals = [version(1, title=f"by {name}") for name in "abcdefgh"]
    won = await asyncio.gather(
        *(books.strategies.commit(change(refs(0), refs(1, draft=rival.info.id), rival)) for rival in rivals)
    )
    assert sum(won) == 1


async def test_a_version_that_is_there_stays_as_it_is(books: Books) -> None:
    kept = version(1)
    again = Version(msgspec.structs.replace(kept.info, number=2, author="another"), kept.playbook)
    await books.strategies.commit(change(refs(0), refs(1), kept))
    assert await books.strategies.commit(change(refs(1), refs(2), again))
    assert await books.strategies.version("ours", kept.info.id) == kept


async def test_several_shipped_versions_are_kept_beside_each_other(books: Books) -> None:
    shipped = [
        Version(msgspec.structs.replace(each.info, number=0, created_at=None), each.playbook)
        for each in (version(0, title="old"), version(0, title="new"))
    ]
    assert await books.strategies.commit(change(refs(0), refs(1), *shipped))
    for each in shipped:
        assert await books.strategies.version("ours", each.info.id) == each


async def test_workspaces_see_nothing_of_each_other(books: Books) -> None:
    kept = version(1)
    await books.strategies.commit(change(refs(0), refs(1, draft=kept.info.id), kept, log="ann"))
    assert await books.strategies.version("theirs", kept.info.id) is None
    assert await books.strategies.refs("theirs", "tea-shop") is None
    assert await books.strategies.page("theirs", "", 10) == []
    assert await books.strategies.versions("theirs", "tea-shop", 99, 10) == []
    assert await books.strategies.log("theirs", "tea-shop", 99, 10) == []


async def test_slugs_come_in_pages_in_their_order(books: Books) -> None:
    for slug in ("c", "a", "d", "b"):
        await books.strategies.commit(change(refs(0, slug=slug), refs(1, slug=slug)))
    first = await books.strategies.page("ours", "", 3)
    assert [each.slug for each in first] == ["a", "b", "c"]
    assert [each.slug for each in await books.strategies.page("ours", "c", 3)] == ["d"]


async def test_versions_and_the_log_come_the_newest_first(books: Books) -> None:
    before = refs(0)
    for number in range(1, 5):
        after = refs(number)
        await books.strategies.commit(change(before, after, version(number), log=f"ann {number}"))
        before = after
    assert [info.number for info in await books.strategies.versions("ours", "tea-shop", 4, 2)] == [3, 2]
    assert [line.revision for line in await books.strategies.log("ours", "tea-shop", 4, 2)] == [3, 2]


async def test_open_conflicts_are_kept_with_the_draft(books: Books) -> None:
    open_one = Conflict("/faqs/hours/a/0", "text", "nine", "ten", "eleven", "choose one", "ours")
    removed = Conflict("/objections/price", "delete_edit", {"id": "price"}, theirs={"id": "price", "ask": False})
    kept = msgspec.structs.replace(refs(1), conflicts=(open_one, removed), unresolved=("sv_1", "sv_2"))
    await books.strategies.commit(change(refs(0), kept))
    assert await books.strategies.refs("ours", "tea-shop") == kept


# ---- what is to be spoken ----------------------------------------------------------------------------------------


async def test_a_rendering_is_asked_for_with_the_change_or_not_at_all(books: Books) -> None:
    await books.strategies.commit(change(refs(0), refs(1), rendering=rendering("sv_1")))
    assert not await books.strategies.commit(change(refs(0), refs(1), rendering=rendering("sv_2")))
    assert await books.renderings.find("ours", "sv_1") == rendering("sv_1")
    assert await books.renderings.find("ours", "sv_2") is None


async def test_what_is_urgent_goes_first_and_what_waits_longest(books: Books) -> None:
    for each in (
        rendering("later", due=MINUTE),
        rendering("second", due=-MINUTE),
        rendering("third"),
        rendering("first", urgent=True),
    ):
        await books.renderings.ask(each)
    taken = [await books.renderings.take(NOW, NOW + MINUTE, f"h{number}") for number in range(4)]
    assert [each.version if each else "" for each in taken] == ["first", "second", "third", ""]


async def test_one_of_many_takes_a_rendering(books: Books) -> None:
    await books.renderings.ask(rendering("sv_1"))
    taken = await asyncio.gather(*(books.renderings.take(NOW, NOW + MINUTE, f"h{number}") for number in range(8)))
    assert len([each for each in taken if each]) == 1


async def test_what_its_holder_has_let_go_of_by_dying_is_taken_again(books: Books) -> None:
    await books.renderings.ask(rendering("sv_1"))
    dead = await books.renderings.take(NOW, NOW + MINUTE, "dead")
    assert dead is not None
    assert await books.renderings.take(NOW, NOW + MINUTE, "early") is None
    heir = await books.renderings.take(NOW + MINUTE, NOW + 2 * MINUTE, "heir")
    assert heir is not None
    assert (heir.version, heir.holder) == ("sv_1", "heir")
    assert not await books.renderings.hold(dead, NOW + 5 * MINUTE)
    await books.renderings.finish(dead)
    assert await books.renderings.find("ours", "sv_1") == heir


async def test_a_holder_may_hold_it_for_longer_and_again(books: Books) -> None:
    await books.renderings.ask(rendering("sv_1"))
    taken = await books.renderings.take(NOW, NOW + MINUTE, "holder")
    assert taken is not None
    assert await books.renderings.hold(taken, NOW + 2 * MINUTE)
    assert await books.renderings.hold(taken, NOW + 3 * MINUTE)
    assert await books.renderings.take(NOW + 2 * MINUTE, NOW + 4 * MINUTE, "other") is None


async def test_what_was_put_off_comes_when_it_is_due(books: Books) -> None:
    await books.renderings.ask(rendering("sv_1"))
    taken = await books.renderings.take(NOW, NOW + MINUTE, "holder")
    assert taken is not None
    await books.renderings.put_off(taken, NOW + 2 * MINUTE, "no engine of speech can work now")
    assert await books.renderings.take(NOW + MINUTE, NOW + 3 * MINUTE, "early") is None
    again = await books.renderings.take(NOW + 2 * MINUTE, NOW + 3 * MINUTE, "again")
    assert again is not None
    assert (again.tries, again.reason) == (1, "no engine of speech can work now")
    await books.renderings.put_off(again, NOW)
    given_back = await books.renderings.find("ours", "sv_1")
    assert given_back is not None
    assert (given_back.tries, given_back.reason, given_back.holder) == (1, "", "")


async def test_what_is_published_while_its_draft_waits_becomes_urgent_and_due(books: Books) -> None:
    await books.renderings.ask(rendering("sv_1", due=MINUTE))
    await books.renderings.ask(rendering("sv_1", urgent=True))
    taken = await books.renderings.take(NOW, NOW + MINUTE, "holder")
    assert taken is not None
    assert taken.urgent
    await books.renderings.finish(taken)
    assert await books.renderings.find("ours", "sv_1") is None
