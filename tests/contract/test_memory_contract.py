"""The memory port, in process and over HTTP, on a real store: calls, callers, and how somebody is forgotten."""

from datetime import date, timedelta

import pytest

from scriza.kernel.errors import BadInput, NotFound
from scriza.kernel.principal import Principal, acting
from scriza.ports.memory import ERASERS, CallsQuery, Correction, Evidence, ExtractedField, Memory, Recall
from scriza_adapters.mongo.store import MongoStore
from tests.contract.doors import Doors
from tests.memory_calls import BEGAN, NUMBER, OTHER_NUMBER, VERSION, Rememberer, ToldCall, demo_call, erased


@pytest.fixture
def here(store: MongoStore) -> Rememberer:
    return Rememberer(store)


# ---- calls --------------------------------------------------------------------------------------------------------


async def test_a_call_is_told_with_what_was_said_generated_and_heard(here: Rememberer, doors: Doors) -> None:
    told = ToldCall().turn("how much is it", "It is nineteen dollars a month.", heard="It is nineteen", meant="price")
    await here.hears(told.events)
    async with doors(Memory, here.memory) as memory:
        call = await memory.call("CA1")
    assert (call.state, call.direction, call.playbook, call.started_at) == ("live", "inbound", VERSION, BEGAN)
    (turn,) = call.turns
    assert (turn.said, turn.confidence, turn.said_in) == ("how much is it", 0.9, "pitch")
    assert (turn.generated, turn.heard) == ("It is nineteen dollars a month.", "It is nineteen")
    assert (turn.stage, turn.model, turn.tokens, turn.meant) == ("booking", "cheap-1", 7, "price")
    assert (turn.clips, turn.clips_cached, turn.said_from_ms, turn.said_to_ms) == (2, 1, 0, 400)
    assert (turn.said_at, turn.answered_at) == (BEGAN + timedelta(seconds=2), BEGAN + timedelta(seconds=3))


async def test_a_call_that_is_over_is_worked_over_without_a_model(here: Rememberer, doors: Doors) -> None:
    await here.remembers(demo_call())
    async with doors(Memory, here.memory) as memory:
        call = await memory.call("CA1")
    assert (call.state, call.outcome, call.duration_seconds) == ("worked", "demo_booked", 65)
    assert call.ended_at == BEGAN + timedelta(seconds=65)
    assert call.fields == [
        ExtractedField("name", "Priya", Evidence(1, "Priya")),
        ExtractedField("rooms", 3, Evidence(2, "we have three rooms")),
        ExtractedField("demo_day", "2026-03-03", Evidence(6, "tomorrow then")),
    ]
    assert (call.refused, call.scorecard, call.summary_by) == ([], [], "rules")
    assert "name Priya" in call.summary
    assert "demo booked" in call.summary
    assert "1 question without an answer" in call.summary
    assert "forty" not in call.summary


async def test_a_call_that_nobody_told_of_is_not_there(here: Rememberer, doors: Doors) -> None:
    await here.hears(demo_call().events)
    async with doors(Memory, here.memory) as memory:
        with pytest.raises(NotFound):
            await memory.call("CA2")
        if not doors.remote:  # the wire's token is of the default workspace
            with acting(Principal(workspace="other")), pytest.raises(NotFound):
                await memory.call("CA1")


async def test_calls_come_newest_first_page_by_page(here: Rememberer, doors: Doors) -> None:
    for hour in range(5):
        await here.hears(demo_call(f"CA{hour}", BEGAN - timedelta(days=hour)).events)
    async with doors(Memory, here.memory) as memory:
        first = await memory.calls(CallsQuery(limit=3))
        second = await memory.calls(CallsQuery(limit=3, cursor=first.next))
        with pytest.raises(BadInput):
            await memory.calls(CallsQuery(cursor="no-page-gave-this"))
    assert [call.call_id for call in (*first.data, *second.data)] == ["CA0", "CA1", "CA2", "CA3", "CA4"]
    assert second.next == ""
    assert {len(call.turns) for call in first.data} == {0}


async def test_calls_are_found_by_day_outcome_and_playbook(here: Rememberer, doors: Doors) -> None:
    await here.hears(demo_call("CA1").events)
    await here.hears(ToldCall("CA2", began=BEGAN - timedelta(days=1)).turn("no").over("not_interested").events)
    async with doors(Memory, here.memory) as memory:

        async def found(query: CallsQuery) -> list[str]:
            return [call.call_id for call in (await memory.calls(query)).data]

        assert await found(CallsQuery(day=BEGAN.date())) == ["CA1"]
        assert await found(CallsQuery(day=date(2026, 3, 1))) == ["CA2"]
        assert await found(CallsQuery(day=date(2026, 2, 1))) == []
        assert await found(CallsQuery(outcome="not_interested")) == ["CA2"]
        assert await found(CallsQuery(playbook=VERSION)) == ["CA1", "CA2"]
        assert await found(CallsQuery(playbook="sv_other")) == []


# ---- what is known of a caller ------------------------------------------------------------------------------------


async def test_what_a_call_taught_is_known_in_the_next_one(here: Rememberer, doors: Doors) -> None:
    await here.remembers(demo_call())
    async with doors(Memory, here.memory) as memory:
        known = await memory.recall(Recall(NUMBER))
        assert await memory.caller(NUMBER) == known
        assert (await memory.recall(Recall(OTHER_NUMBER))).known == []
        assert (await memory.recall(Recall(""))).calls == 0
    assert (known.calls, known.last_call_at, known.last_outcome) == (1, BEGAN, "demo_booked")
    assert [(item.kind, item.name, item.text, item.call_id, item.turn) for item in known.known] == [
        ("fact", "day", "2026-03-03", "CA1", 6),
        ("fact", "name", "Priya", "CA1", 1),
        ("fact", "rooms", "3", "CA1", 2),
        ("promise", "callback", "We call you tomorrow at ten.", "CA1", 6),
    ]


async def test_the_later_call_stands_whichever_is_worked_over_first(here: Rememberer, doors: Doors) -> None:
    later = (
        ToldCall("CA2", began=BEGAN + timedelta(days=1)).turn("i am Prya Rao", learned={"name": "Prya Rao"}).over("")
    )
    await here.remembers(later)
    await here.remembers(demo_call("CA1"))
    async with doors(Memory, here.memory) as memory:
        known = await memory.recall(Recall(NUMBER))
    assert (known.calls, known.last_call_at, known.last_outcome) == (2, later.began, "")
    assert {item.name: item.text for item in known.known}["name"] == "Prya Rao"


async def test_a_correction_stands_over_what_later_calls_say(here: Rememberer, doors: Doors) -> None:
    await here.remembers(demo_call())
    async with doors(Memory, here.memory) as memory:
        name = next(item for item in (await memory.caller(NUMBER)).known if item.name == "name")
        right = await memory.correct(NUMBER, Correction(name.id, " Priya Shah "))
        assert (right.text, right.corrected, right.call_id) == ("Priya Shah", True, "")
        await here.remembers(demo_call("CA2", BEGAN + timedelta(days=1)))
        known = {item.name: item.text for item in (await memory.caller(NUMBER)).known}
        with pytest.raises(NotFound):
            await memory.correct(NUMBER, Correction("mem_other", "x"))
        with pytest.raises(BadInput):
            await memory.correct(NUMBER, Correction(name.id, "  "))
    assert known["name"] == "Priya Shah"


async def test_one_thing_is_forgotten_until_it_is_said_anew(here: Rememberer, doors: Doors) -> None:
    told = demo_call()
    await here.remembers(told)
    async with doors(Memory, here.memory) as memory:

        async def names() -> list[str]:
            return [item.name for item in (await memory.caller(NUMBER)).known if item.kind == "fact"]

        name = next(item for item in (await memory.caller(NUMBER)).known if item.name == "name")
        await memory.forget_one(NUMBER, name.id)
        await memory.forget_one(NUMBER, name.id)
        assert await names() == ["day", "rooms"]
        told.turn("something late")
        await here.remembers(told)
        assert await names() == ["day", "rooms"]
        await here.remembers(demo_call("CA2", here.now + timedelta(days=1)))
        assert await names() == ["day", "name", "rooms"]


@pytest.mark.parametrize("number", ["9876543210", "+0123456", "someone", "+9198765432101234567"])
async def test_what_is_no_number_is_refused(here: Rememberer, doors: Doors, number: str) -> None:
    async with doors(Memory, here.memory) as memory:
        for ask in (memory.caller, memory.forget):
            with pytest.raises(BadInput):
                await ask(number)


# ---- forgetting ---------------------------------------------------------------------------------------------------


async def test_a_number_is_forgotten_at_once_here_and_pending_elsewhere(here: Rememberer, doors: Doors) -> None:
    await here.remembers(demo_call("CA1"))
    await here.remembers(demo_call("CA2", number=OTHER_NUMBER))
    async with doors(Memory, here.memory) as memory:
        erasure = await memory.forget(NUMBER)
        with pytest.raises(NotFound):
            await memory.call("CA1")
        assert (await memory.recall(Recall(NUMBER))).calls == 0
        assert [call.call_id for call in (await memory.calls(CallsQuery())).data] == ["CA2"]
        assert (await memory.recall(Recall(OTHER_NUMBER))).calls == 1
    parts = {part.module: (part.state, part.erased) for part in erasure.modules}
    assert parts == {
        "memory": ("done", {"calls": 1, "turns": 7, "known": 4}),
        **{module: ("pending", {}) for module in ERASERS},
    }
    assert not erasure.done


async def test_an_erasure_is_done_when_every_module_has_said_so(here: Rememberer, doors: Doors) -> None:
    await here.remembers(demo_call())
    async with doors(Memory, here.memory) as memory:
        erasure_id = (await memory.forget(NUMBER)).erasure_id
        for module in ERASERS[:-1]:
            await here.hears([erased(erasure_id, module, turns=2)])
        assert not (await memory.erasure(erasure_id)).done
        last = erased(erasure_id, ERASERS[-1], rows=3)
        await here.hears([last, last, erased(erasure_id, ERASERS[-1], key="2", rows=1)])
        erasure = await memory.erasure(erasure_id)
        with pytest.raises(NotFound):
            await memory.erasure("era_other")
    assert erasure.done
    assert {part.module: part.erased for part in erasure.modules}[ERASERS[-1]] == {"rows": 4}


async def test_a_number_that_nobody_knows_is_forgotten_all_the_same(here: Rememberer, doors: Doors) -> None:
    async with doors(Memory, here.memory) as memory:
        first, second = await memory.forget(NUMBER), await memory.forget(NUMBER)
    assert first.erasure_id != second.erasure_id
    assert first.modules[0].erased == {"calls": 0, "turns": 0, "known": 0}


async def test_who_calls_again_after_having_been_forgotten_is_new(here: Rememberer, doors: Doors) -> None:
    await here.remembers(demo_call())
    async with doors(Memory, here.memory) as memory:
        await memory.forget(NUMBER)
        here.now += timedelta(hours=1)
        await here.remembers(ToldCall("CA2", began=here.now).turn("it is Priya", learned={"name": "Priya"}).over())
        known = await memory.recall(Recall(NUMBER))
    assert (known.calls, [item.text for item in known.known]) == (1, ["Priya"])
