"""What every set of books keeps to: those in the store, and those in memory that other tests use."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from scriza.kernel.errors import Conflict, RateLimited
from scriza.modules.telephony.call_log import Assignment
from scriza.modules.telephony.placing.books import BarredBook, IntentBook, NumberBook, Standing, SwitchBook
from scriza.modules.telephony.placing.callbacks import Callback, CallbackBook
from scriza.modules.telephony.placing.intents import (
    AnswerLost,
    Asked,
    CallWish,
    Done,
    Ended,
    Intent,
    Refused,
    TextWish,
    after,
    erased,
)
from scriza.ports.call_desk import BarredNumber, PhoneNumber, Switch
from tests.memory_books import (
    MemoryBarredBook,
    MemoryCallbackBook,
    MemoryIntentBook,
    MemoryNumberBook,
    MemorySwitchBook,
    name_of,
)

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


@dataclass
class Books:
    intents: IntentBook
    numbers: NumberBook
    barred: BarredBook
    switch: SwitchBook
    callbacks: CallbackBook


@pytest.fixture(params=["memory", "store"])
def books(request: pytest.FixtureRequest) -> Books:
    if request.param == "memory":
        return Books(
            MemoryIntentBook(), MemoryNumberBook(), MemoryBarredBook(), MemorySwitchBook(), MemoryCallbackBook()
        )
    from scriza.modules.telephony.placing.stored import (
        MongoBarredBook,
        MongoCallbackBook,
        MongoIntentBook,
        MongoNumberBook,
        MongoSwitchBook,
    )

    store = request.getfixturevalue("store")
    return Books(
        MongoIntentBook(store, name_of),
        MongoNumberBook(store),
        MongoBarredBook(store, name_of),
        MongoSwitchBook(store),
        MongoCallbackBook(store, name_of),
    )


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def call(name: str = "i1", *, to: str = "+4930123456", cost: int = 100, when: datetime = START) -> Intent:
    wish = CallWish(Assignment("book", "+14155550100", name, "a reason", {"na.me$": "Ada"}), ring_seconds=20)
    return Intent(
        intent_id=name,
        workspace="default",
        sender="+4930999999",
        to=to,
        wish=wish,
        recorded_at=when,
        expires_at=when + timedelta(minutes=2),
        due_at=when,
        cost_micro_usd=cost,
    )


def anything(_: Standing) -> None: ...


class Door:
    """Admits so many calls and so much money, and remembers how things stood."""

    def __init__(self, calls: int = 99, micro_usd: int = 10_000) -> None:
        self.calls, self.micro_usd = calls, micro_usd
        self.last = Standing(0, False, 0)

    def __call__(self, standing: Standing) -> None:
        self.last = standing
        if standing.open_calls >= self.calls or standing.spent_micro_usd >= self.micro_usd:
            raise RateLimited("full")


async def change(book: IntentBook, name: str, *events: Asked | Done | Ended | Refused | AnswerLost) -> Intent:
    intent = await book.find(name)
    for event in events:
        assert intent is not None
        moved = after(intent, event, at(1))
        assert await book.change(intent, moved)
        intent = await book.find(name)
        assert intent == moved
    assert intent is not None
    return intent


async def test_an_intent_is_kept_once_as_it_was_first_told(books: Books) -> None:
    first = call()
    assert await books.intents.record(first, anything) == first
    assert await books.intents.record(call(to="+49301111111"), anything) == first
    assert await books.intents.find("i1") == first
    assert await books.intents.find("i2") is None


async def test_an_intent_is_changed_only_by_who_knows_how_it_stands(books: Books) -> None:
    intent = await books.intents.record(call(), anything)
    asked = after(intent, Asked(), at(1))
    assert await books.intents.change(intent, asked)
    assert not await books.intents.change(intent, after(intent, Refused("late"), at(1)))
    assert await books.intents.find("i1") == asked


async def test_of_many_who_take_up_an_intent_one_does(books: Books) -> None:
    intent = await books.intents.record(call(), anything)
    asked = after(intent, Asked(), at(1))
    assert sum(await asyncio.gather(*(books.intents.change(intent, asked) for _ in range(6)))) == 1


async def test_what_is_due_is_found_and_what_is_done_is_not(books: Books) -> None:
    for name in ("waiting", "asking", "unsure", "done", "refused", "later"):
        await books.intents.record(call(name, when=at(60) if name == "later" else START), anything)
    await change(books.intents, "asking", Asked())
    await change(books.intents, "unsure", Asked(), AnswerLost())
    await change(books.intents, "done", Asked(), Done("CA1"))
    await change(books.intents, "refused", Refused("no"))
    assert {intent.intent_id for intent in await books.intents.due(at(2), 10)} == {"waiting", "unsure"}
    assert [intent.intent_id for intent in await books.intents.due(at(45), 10)] == ["waiting", "unsure", "asking"]
    assert len(await books.intents.due(at(100), 2)) == 2


async def test_the_carriers_ids_of_our_own_intents_are_known(books: Books) -> None:
    await books.intents.record(call(), anything)
    await change(books.intents, "i1", Asked(), Done("CA1"))
    assert await books.intents.owned(["CA1", "CA2"]) == {"CA1"}
    assert await books.intents.owned([]) == set()


async def test_a_call_counts_until_it_is_over_and_costs_what_it_cost(books: Books) -> None:
    door = Door()
    await books.intents.record(call("a", to="+4930111111"), door)
    assert door.last == Standing(0, False, 0)
    await books.intents.record(call("b", to="+4930222222"), door)
    assert door.last == Standing(1, False, 100)
    await change(books.intents, "a", Asked(), Done("CA1"), Ended(30))
    await change(books.intents, "b", Refused("no"))
    await books.intents.record(call("c"), door)
    assert door.last == Standing(0, False, 30)
    await books.intents.record(call("d"), door)
    assert door.last == Standing(1, True, 130)


async def test_a_call_whose_end_nobody_told_is_over_when_it_has_had_its_longest_time(books: Books) -> None:
    door = Door()
    await books.intents.record(call("a"), anything)
    lost = await change(books.intents, "a", Asked(), Done("CA1"))
    await books.intents.record(call("b", to="+4930222222", when=lost.open_until - timedelta(seconds=1)), door)
    assert door.last.open_calls == 1
    await books.intents.record(call("c", when=lost.open_until), door)
    assert door.last == Standing(1, False, 200)


async def test_each_day_has_its_own_money(books: Books) -> None:
    door = Door()
    await books.intents.record(call("a"), anything)
    await books.intents.record(call("b", when=START + timedelta(days=1)), door)
    assert door.last.spent_micro_usd == 0
    await change(books.intents, "a", Refused("no"))  # of yesterday
    await books.intents.record(call("c", when=START + timedelta(days=1)), door)
    assert door.last.spent_micro_usd == 100


async def test_the_caps_of_one_workspace_are_not_anothers(books: Books) -> None:
    door = Door()
    await books.intents.record(call("a"), anything)
    await books.intents.record(msgspec.structs.replace(call("b"), workspace="other"), door)
    assert door.last == Standing(0, False, 0)


async def test_what_is_not_admitted_is_not_kept(books: Books) -> None:
    with pytest.raises(RateLimited):
        await books.intents.record(call(), Door(calls=0))
    assert await books.intents.find("i1") is None


@pytest.mark.parametrize(
    ("door", "cost"),
    [(Door(calls=2), 100), (Door(calls=2), 0), (Door(micro_usd=200), 100)],
    ids=["calls", "calls that cost nothing", "money"],
)
async def test_of_many_at_the_same_time_no_more_are_admitted_than_there_are_places(
    books: Books, door: Door, cost: int
) -> None:
    names = [f"i{n}" for n in range(6)]
    done = await asyncio.gather(
        *(books.intents.record(call(name, to=f"+493011111{n}", cost=cost), door) for n, name in enumerate(names)),
        return_exceptions=True,
    )
    assert sum(isinstance(each, Intent) for each in done) == 2
    assert sum(isinstance(each, RateLimited) for each in done) == 4
    assert sum([await books.intents.find(name) is not None for name in names]) == 2


async def test_messages_are_kept_without_asking_for_a_place(books: Books) -> None:
    text = msgspec.structs.replace(call(), wish=TextWish("Grüße"), cost_micro_usd=0)
    assert await books.intents.record(text, Door(calls=0)) == text
    assert await books.intents.find("i1") == text


async def test_what_was_intended_for_a_person_is_found_by_their_pseudonym_until_it_is_erased(books: Books) -> None:
    who = name_of("default", "+4930123456")
    for name, to, when in (
        ("a", "+4930123456", START),
        ("b", "+4930111111", START),
        ("c", "+4930123456", at(60)),
    ):
        await books.intents.record(call(name, to=to, when=when), anything)
    assert [intent.intent_id for intent in await books.intents.of("default", who, at(1))] == ["a"]
    assert await books.intents.of("other", who, at(1)) == []
    refused = await change(books.intents, "a", Refused("forgotten"))
    assert await books.intents.change(refused, erased(refused))
    assert await books.intents.of("default", who, at(1)) == []
    kept = await books.intents.find("a")
    assert kept is not None
    assert (kept.to, kept.reason, kept.sender) == ("", "forgotten", "+4930999999")
    assert kept.wish == CallWish(Assignment("book"), ring_seconds=20)


# ---- numbers ------------------------------------------------------------------------------------------------------


async def test_a_number_belongs_to_one_workspace(books: Books) -> None:
    number = PhoneNumber(number="+14155550100", label="Sales", playbook="book", hours="Mon 09:00-10:00")
    await books.numbers.put("default", number)
    changed = msgspec.structs.replace(number, label="Support")
    await books.numbers.put("default", changed)
    assert await books.numbers.find("+14155550100") == ("default", changed)
    with pytest.raises(Conflict):
        await books.numbers.put("other", number)
    await books.numbers.forget("other", "+14155550100")
    assert await books.numbers.find("+14155550100") == ("default", changed)
    await books.numbers.forget("default", "+14155550100")
    await books.numbers.forget("default", "+14155550100")
    assert await books.numbers.find("+14155550100") is None


async def test_a_workspaces_numbers_are_listed_in_their_order(books: Books) -> None:
    for number in ("+3", "+1", "+2"):
        await books.numbers.put("other" if number == "+2" else "default", PhoneNumber(number=number))
    assert [number.number for number in await books.numbers.of("default")] == ["+1", "+3"]


# ---- the do-not-call list -----------------------------------------------------------------------------------------


async def test_the_first_entry_of_a_number_stands_but_for_one_of_the_team(books: Books) -> None:
    first, teams = BarredNumber("+1", "message", "STOP", START), BarredNumber("+1", "team", "rude", at(1))
    assert await books.barred.put("default", first) == first
    assert await books.barred.put("default", BarredNumber("+1", "carrier", "STOP", at(1))) == first
    assert await books.barred.find("default", "+1") == first
    assert await books.barred.find("other", "+1") is None
    assert await books.barred.put("default", teams) == teams
    for later in (BarredNumber("+1", "team", "again", at(2)), first):
        assert await books.barred.put("default", later) == teams
    assert await books.barred.find("default", "+1") == teams


async def test_an_entry_is_taken_off_only_if_it_came_from_where_it_is_said(books: Books) -> None:
    await books.barred.put("default", BarredNumber("+1", "team", "", START))
    await books.barred.forget("default", "+1", only_source="message")
    await books.barred.forget("other", "+1")
    assert await books.barred.find("default", "+1") is not None
    await books.barred.forget("default", "+1", only_source="team")
    assert await books.barred.find("default", "+1") is None


async def test_an_erased_number_stays_on_the_list_under_its_pseudonym_alone(books: Books) -> None:
    who = name_of("default", "+1")
    await books.barred.put("default", BarredNumber("+1", "call", "asked for by Ada", START))
    await books.barred.put("other", BarredNumber("+1", "call", "of others", START))
    assert await books.barred.erase("default", who) == 1
    assert await books.barred.erase("default", who) == 0
    assert await books.barred.page("default", 10, "") == [BarredNumber(who, "call", "", START)]
    assert await books.barred.find("default", "+1") == BarredNumber("+1", "call", "", START)
    assert await books.barred.find("default", "+12") is None
    assert await books.barred.find("other", "+1") == BarredNumber("+1", "call", "of others", START)


async def test_an_erased_entry_stands_as_any_other_and_never_gets_its_number_back(books: Books) -> None:
    who = name_of("default", "+1")
    await books.barred.put("default", BarredNumber("+1", "call", "", START))
    await books.barred.erase("default", who)
    assert (await books.barred.put("default", BarredNumber("+1", "message", "STOP", at(1)))).source == "call"
    assert (await books.barred.put("default", BarredNumber("+1", "team", "Ada", at(2)))).source == "team"
    assert await books.barred.page("default", 10, "") == [BarredNumber(who, "team", "", at(2))]
    await books.barred.forget("default", "+1", only_source="message")
    assert await books.barred.find("default", "+1") is not None
    await books.barred.forget("default", "+1")
    assert await books.barred.find("default", "+1") is None


async def test_an_erased_entry_is_taken_off_by_its_pseudonym_as_well(books: Books) -> None:
    who = name_of("default", "+1")
    await books.barred.put("default", BarredNumber("+1", "call", "", START))
    await books.barred.erase("default", who)
    await books.barred.forget("default", who)
    assert await books.barred.find("default", "+1") is None


async def test_the_list_is_paged_by_number(books: Books) -> None:
    for number in ("+3", "+1", "+2", "+4"):
        await books.barred.put("default", BarredNumber(number, "team", "", START))
    await books.barred.put("other", BarredNumber("+11", "team", "", START))
    assert [entry.number for entry in await books.barred.page("default", 3, "")] == ["+1", "+2", "+3"]
    assert [entry.number for entry in await books.barred.page("default", 3, "+3")] == ["+4"]


# ---- the switch ---------------------------------------------------------------------------------------------------


async def test_the_switch_keeps_the_time_at_which_it_was_turned(books: Books) -> None:
    assert await books.switch.read() == Switch(stopped=False)
    assert await books.switch.set(stopped=False, at=START) == Switch(stopped=False)
    assert await books.switch.set(stopped=True, at=at(1)) == Switch(True, at(1))
    assert await books.switch.set(stopped=True, at=at(2)) == Switch(True, at(1))
    assert await books.switch.set(stopped=False, at=at(3)) == Switch(False, at(3))
    assert await books.switch.read() == Switch(False, at(3))


# ---- callbacks --------------------------------------------------------------------------------------------------


def callback(name: str, due: float, **changes: object) -> Callback:
    known = Callback(name, "acme", at(due), "+14155550100", "+4930123456", "book", "a reason", {"na.me$": "Ada"})
    return msgspec.structs.replace(known, **changes)


async def test_callbacks_are_due_in_the_order_of_their_times(books: Books) -> None:
    for name, due in (("late", 90), ("second", 20), ("first", 10)):
        await books.callbacks.put(callback(name, due))
    assert await books.callbacks.due(at(30), 10) == [callback("first", 10), callback("second", 20)]
    assert await books.callbacks.due(at(30), 1) == [callback("first", 10)]


async def test_a_callback_is_kept_once_and_settled_once(books: Books) -> None:
    await books.callbacks.put(callback("c1", 10))
    await books.callbacks.put(callback("c1", 99))
    assert await books.callbacks.due(at(99), 10) == [callback("c1", 10)]
    await books.callbacks.settle("c1", "ordered")
    await books.callbacks.settle("c1", "refused", "late")
    assert await books.callbacks.due(at(99), 10) == []


async def test_callbacks_to_a_number_are_forgotten_in_its_workspace_alone(books: Books) -> None:
    await books.callbacks.put(callback("c1", 10))
    await books.callbacks.put(callback("c2", 10, to="+14155550123"))
    await books.callbacks.put(callback("c3", 10, workspace="other"))
    assert await books.callbacks.forget("acme", name_of("acme", "+4930123456")) == 1
    assert {each.callback_id for each in await books.callbacks.due(at(10), 10)} == {"c2", "c3"}
