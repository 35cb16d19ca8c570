"""What every book of figures keeps to: that of the store, and the one in memory that other tests use."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest

from scriza.kernel.events import Event, Topic, event
from scriza.kernel.ids import new_id
from scriza.modules.memory.projection import told
from scriza.modules.memory.reports.books import ALL_QUARTERS, DaysWanted, FiguresBook, Log
from scriza.modules.memory.reports.counter import Counter
from scriza.modules.memory.reports.figures import TimedFigures, total_of
from scriza.ports.agent import TurnNotes
from scriza.ports.memory import RememberedCall
from scriza.ports.telephony import CallCompleted, CallStarted, ReplyGenerated, UtteranceTranscribed
from tests.memory_reports import MemoryFigures, MemoryLog, always, kite
from tests.report_calls import MONDAY, objection, talk

MARCH = DaysWanted(date(2026, 3, 1), date(2026, 3, 31), ALL_QUARTERS)


def events_of(call: RememberedCall, workspace: str) -> list[Event]:
    """What telephony tells of such a call."""

    def about(topic: Topic, data: msgspec.Struct, key: str, at: datetime) -> Event:
        return event(topic, data, source="telephony", subject=call.call_id, key=key, time=at, workspace=workspace)

    assert call.started_at is not None
    started = CallStarted(call.call_id, call.direction, "who_1", call.playbook)
    found = [about(Topic.CALL_STARTED, started, "started", call.started_at)]
    for turn in call.turns:
        said = UtteranceTranscribed(call.call_id, turn.turn, turn.said, turn.confidence or 0.0, turn.said_in)
        notes = TurnNotes(turn.meant, turn.kind, turn.unanswered, playbook=call.playbook)
        reply = ReplyGenerated(call.call_id, turn.turn, "", "", turn.stage, "", turn.tokens, notes=notes)
        at = turn.said_at or call.started_at
        found += [
            about(Topic.UTTERANCE_TRANSCRIBED, said, str(turn.turn), at),
            about(Topic.REPLY_GENERATED, reply, f"{turn.turn}/{new_id('again')}", at),
        ]
    if call.state != "live":
        completed = CallCompleted(
            *(call.call_id, "completed", call.ended_reason, call.outcome, call.duration_seconds or 0, len(call.turns)),
            direction=call.direction,
            caller="who_1",
            playbook=call.playbook,
            started_at=call.started_at,
        )
        found.append(about(Topic.CALL_COMPLETED, completed, new_id("end"), call.started_at + timedelta(minutes=1)))
    return found


@dataclass
class Kept:
    """A book, the log that it counts, and what memory does with the log."""

    figures: FiguresBook
    log: Log
    write: Callable[[RememberedCall, str], Awaitable[None]]
    forget: Callable[[str], Awaitable[object]]
    seal: Callable[[str], Awaitable[None]]

    @property
    def counter(self) -> Counter:
        return Counter(self.figures, self.log, kite, always)

    async def count(self, *calls: RememberedCall, workspace: str = "default") -> None:
        for call in calls:
            await self.write(call, workspace)
        await self.counter.catch_up()

    async def total(self, wanted: DaysWanted = MARCH, workspace: str = "default") -> TimedFigures:
        days = await self.figures.days(workspace, wanted)
        return total_of((figures for day in days for figures in day.open(TimedFigures).total.values()), TimedFigures)


def in_memory() -> Kept:
    figures = MemoryFigures()
    log = MemoryLog(figures)

    async def seal(call_id: str) -> None:
        await figures.seal("default", [call_id], erase=False)

    return Kept(figures, log, log.write, log.forget, seal)


def in_store(request: pytest.FixtureRequest) -> Kept:
    from scriza.modules.memory.reports.documents import seal as seal_in
    from scriza.modules.memory.reports.stored import MongoFigures, StoredLog
    from scriza.modules.memory.stored import MongoMemoryBook

    store = request.getfixturevalue("store")
    book = MongoMemoryBook(store)

    async def write(call: RememberedCall, workspace: str) -> None:
        for each in events_of(call, workspace):
            await book.hear(each, told(each))

    async def forget(_: str) -> object:
        return await book.forget("default", "who_1", datetime.now(UTC))

    async def seal(call_id: str) -> None:
        await store.run(lambda unit: seal_in("default", [call_id], unit.session, erase=False))

    return Kept(MongoFigures(store), StoredLog(store, book), write, forget, seal)


@pytest.fixture(params=["memory", "store"])
def kept(request: pytest.FixtureRequest) -> Kept:
    return in_memory() if request.param == "memory" else in_store(request)


async def test_what_is_written_waits_to_be_counted_and_is_counted_once(kept: Kept) -> None:
    await kept.write(talk("CA1", objection("price"), outcome="booked"), "default")
    assert [mark.call_id for mark in await kept.figures.uncounted(10)] == ["CA1"]
    await kept.counter.catch_up()
    await kept.counter.catch_up()
    assert await kept.figures.uncounted(10) == []
    found = await kept.total()
    assert (found.calls, found.won, found.objections_heard) == (1, 1, {"price": 1})


async def test_a_call_that_goes_on_is_counted_anew_and_leaves_the_row_that_it_was_in(kept: Kept) -> None:
    await kept.count(talk("CA1", objection("price"), state="live"))
    await kept.count(talk("CA1", objection("price"), outcome="lost"))
    found = await kept.total()
    assert (found.calls, found.ended, found.outcomes) == (1, 1, {"lost": 1})
    (day,) = await kept.figures.days("default", MARCH)
    assert day.open(TimedFigures).total.keys() == {"lost"}


async def test_days_are_found_by_what_they_are_asked_for(kept: Kept) -> None:
    await kept.count(
        talk("CA1", playbook="kite.1", direction="inbound"),
        talk("CA2", playbook="kite.2", direction="outbound"),
        talk("CA3", playbook="clinic.1", at=MONDAY + timedelta(days=1)),
    )
    for wanted, calls in (
        ({}, 3),
        ({"agent": "kite"}, 2),
        ({"playbooks": ("kite.2", "clinic.1")}, 2),
        ({"direction": "outbound"}, 1),
        ({"until": MONDAY.date()}, 2),
        ({"since": date(2026, 3, 3)}, 1),
        ({"agent": "nobody"}, 0),
    ):
        assert (await kept.total(msgspec.structs.replace(MARCH, **wanted))).calls == calls
    assert (await kept.total(workspace="acme")).calls == 0


async def test_only_those_quarters_are_read_that_are_asked_for(kept: Kept) -> None:
    await kept.count(talk("CA1"), talk("CA2", at=MONDAY + timedelta(hours=5)))
    (all_,) = await kept.figures.days("default", MARCH)
    assert all_.quarters.keys() == {36, 56}
    for asked, found in (((36, 37), {36}), ((), set())):
        (some,) = await kept.figures.days("default", msgspec.structs.replace(MARCH, quarters=asked))
        assert some.quarters.keys() == found
        assert some.total == all_.total


async def test_the_figures_of_a_forgotten_call_stay_and_nothing_leads_to_it(kept: Kept) -> None:
    await kept.count(talk("CA1", outcome="booked"))
    await kept.forget("CA1")
    await kept.counter.catch_up()
    assert (await kept.total()).won == 1
    (day,) = await kept.figures.days("default", MARCH)
    assert day.key.sealed
    assert await kept.counter.rebuild("default", MARCH.since, MARCH.until) == 0
    assert (await kept.total()).won == 1


async def test_a_sealed_call_of_which_more_is_told_stays_as_it_was_counted(kept: Kept) -> None:
    await kept.count(talk("CA1", outcome="booked"))
    await kept.seal("CA1")
    await kept.count(talk("CA1", outcome="lost"))
    assert await kept.counter.rebuild("default", MARCH.since, MARCH.until) == 0
    assert (await kept.total()).outcomes == {"booked": 1}


async def test_a_rebuild_puts_wrong_sums_right_and_says_how_many(kept: Kept) -> None:
    await kept.count(talk("CA1"), talk("CA2", at=MONDAY + timedelta(days=1)))
    right = await kept.total()
    await break_a_day(kept)
    assert (await kept.total()).calls == 2 + 7
    assert await kept.counter.rebuild("default", MARCH.since, MARCH.until) == 1
    assert await kept.total() == right


async def break_a_day(kept: Kept) -> None:
    day = (await kept.figures.days("default", MARCH))[0]
    sums = day.open(TimedFigures)
    sums.add(3, "", TimedFigures(calls=7))
    if isinstance(kept.figures, MemoryFigures):
        kept.figures.sums["default", day.key] = sums.encode()
        return
    from scriza.modules.memory.documents import report_days

    which = {"workspace": "default", "day": day.key.day.isoformat()}
    await report_days().update_one(which, {"$set": {"total": sums.encode()[0]}})


async def test_two_that_count_at_the_same_time_count_once(kept: Kept) -> None:
    for number in range(8):
        await kept.write(talk(f"CA{number}", outcome="booked"), "default")
    await asyncio.gather(*(kept.counter.catch_up() for _ in range(3)))
    found = await kept.total()
    assert (found.calls, found.won) == (8, 8)


async def test_words_without_an_answer_are_read_latest_first_within_their_time(kept: Kept) -> None:
    turns = [
        msgspec.structs.replace(
            objection("", answered=number == 0, said=f"question {number}"),
            turn=number,
            said_in="close",
            said_at=MONDAY + timedelta(minutes=number),
        )
        for number in range(4)
    ]
    await kept.write(talk("CA1", *turns), "default")
    found = await kept.log.unanswered("default", MONDAY, MONDAY + timedelta(minutes=3), 10)
    assert [each.words for each in found] == ["question 2", "question 1"]
    assert {(each.call_id, each.stage, each.playbook, each.direction) for each in found} == {
        ("CA1", "close", "kite.1", "inbound")
    }
    assert len(await kept.log.unanswered("default", MONDAY, MONDAY + timedelta(minutes=9), 1)) == 1
    assert await kept.log.unanswered("acme", MONDAY, MONDAY + timedelta(minutes=9), 10) == []
