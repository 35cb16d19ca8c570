"""What has outlived its time is removed from the store, a batch at a time, and its figures stay."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from scriza.kernel.principal import Principal, acting
from scriza.modules.memory.claim import Claim
from scriza.modules.memory.documents import callers, calls, logs, stored
from scriza.modules.memory.projection import told
from scriza.modules.memory.reports.books import DaysWanted
from scriza.modules.memory.reports.counter import Counter
from scriza.modules.memory.reports.figures import Figures
from scriza.modules.memory.reports.stored import MongoFigures, StoredLog
from scriza.modules.memory.retention.service import Purge, RetentionService
from scriza.modules.memory.stored import MongoMemoryBook
from scriza.ports.memory import Remembered
from scriza.ports.retention import Purged, RetentionPolicy
from scriza_adapters.mongo.store import MongoStore
from tests.contract.test_figures_book import events_of
from tests.memory_reports import always, kite
from tests.report_calls import objection, talk

NOW = datetime(2026, 3, 31, 12, 0, tzinfo=UTC)
KEEP_ALL = RetentionPolicy()


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


class Office:
    """Memory with its job, in one store; `now` is the job's time."""

    def __init__(self, store: MongoStore) -> None:
        self.store, self.now = store, NOW
        self.book = MongoMemoryBook(store)
        self.figures = MongoFigures(store)
        self.counter = Counter(self.figures, StoredLog(store, self.book), kite, always)

    def purge(self, default: RetentionPolicy = KEEP_ALL) -> Purge:
        return Purge(self.store, default, Claim(self.store, "purge", clock=self.clock), self.clock)

    def policies(self, default: RetentionPolicy = KEEP_ALL) -> RetentionService:
        return RetentionService(self.store, default)

    def clock(self) -> datetime:
        return self.now

    async def call(self, call_id: str, at: datetime, workspace: str = "default") -> None:
        said = objection("price", said="your price is terrible")
        for each in events_of(talk(call_id, said, at=at, outcome="booked"), workspace):
            await self.book.hear(each, told(each))
        await self.counter.catch_up()

    async def know(self, caller: str, *, said: datetime, called: datetime) -> None:
        fact = stored(Remembered("mem_1", "fact", "name", "Ada", said_at=said))
        row = {"workspace": "default", "known": [fact], "last_call_at": called, "last_summary": "They object."}
        await callers().update_one({"_id": f"default/{caller}"}, {"$set": row}, upsert=True)

    async def booked(self, workspace: str = "default") -> int:
        march = DaysWanted(NOW.date() - timedelta(days=900), NOW.date(), ())
        days = await self.figures.days(workspace, march)
        return sum(figures.won for day in days for figures in day.open(Figures).total.values())


@pytest.fixture
def office(store: MongoStore) -> Office:
    return Office(store)


async def words_of(call_id: str) -> set[str]:
    turn = await logs().find_one({"call_id": call_id})
    return set() if turn is None else {"said", "generated", "heard", "learned", "promised"} & turn.keys()


async def test_nothing_is_removed_where_nothing_is_said(office: Office) -> None:
    await office.call("CA1", days_ago(1000))
    assert await office.purge().run() == {}
    assert await words_of("CA1")


async def test_words_go_when_their_time_is_over_and_the_figures_stay(office: Office) -> None:
    await office.call("CA1", days_ago(31))
    await office.call("CA2", days_ago(29))
    assert await office.purge(RetentionPolicy(transcript_days=30)).run() == {"default": Purged(NOW, transcripts=1)}
    assert await words_of("CA1") == set()
    assert "said" in await words_of("CA2")
    assert await office.booked() == 2
    assert await office.counter.rebuild("default", days_ago(40).date(), NOW.date()) == 0
    assert await office.booked() == 2


async def test_a_call_whose_words_are_gone_still_says_when_and_how_it_was(office: Office) -> None:
    await office.call("CA1", days_ago(31))
    await calls().update_one({"call_id": "CA1"}, {"$set": {"summary": "They object.", "fields": [{"quote": "dear"}]}})
    await office.purge(RetentionPolicy(transcript_days=30)).run()
    call = await office.book.call("default", "CA1")
    assert call is not None
    assert (call.outcome, call.summary, call.fields, call.duration_seconds) == ("booked", "", [], 60)
    assert [(turn.stage, turn.said, turn.meant) for turn in call.turns] == [("pitch", "", "price")]


async def test_calls_go_when_their_time_is_over_and_the_figures_stay(office: Office) -> None:
    await office.call("CA1", days_ago(31))
    await office.call("CA2", days_ago(29))
    assert await office.purge(RetentionPolicy(call_days=30)).run() == {"default": Purged(NOW, calls=1)}
    assert await office.book.call("default", "CA1") is None
    assert await logs().count_documents({"call_id": "CA1"}) == 0
    assert await office.book.call("default", "CA2") is not None
    assert await office.counter.rebuild("default", days_ago(40).date(), NOW.date()) == 0
    assert await office.booked() == 2


async def test_facts_go_when_their_time_is_over_and_callers_of_whom_none_is_left(office: Office) -> None:
    await office.know("who_old", said=days_ago(31), called=days_ago(31))
    await office.know("who_back", said=days_ago(31), called=days_ago(1))
    await office.know("who_new", said=days_ago(29), called=days_ago(29))
    await office.policies().set_retention(RetentionPolicy(fact_days=30))
    assert await office.purge().run() == {"default": Purged(NOW, facts=2, callers=1)}
    left = {str(row["_id"]): row["known"] for row in await callers().find({}).to_list()}
    assert left.keys() == {"default/who_back", "default/who_new"}
    assert left["default/who_back"] == []
    assert left["default/who_new"]


async def test_the_summary_that_a_call_left_with_its_caller_goes_with_its_words(office: Office) -> None:
    await office.know("who_1", said=days_ago(1), called=days_ago(31))
    await office.call("CA1", days_ago(31))
    await office.purge(RetentionPolicy(transcript_days=30)).run()
    row = await callers().find_one({"_id": "default/who_1"})
    assert row is not None
    assert row["last_summary"] == ""


async def test_each_workspace_has_its_own_policy_before_that_of_the_settings(office: Office) -> None:
    await office.call("CA1", days_ago(40))
    await office.call("CA2", days_ago(40), workspace="acme")
    settings = RetentionPolicy(transcript_days=30)
    policies = office.policies(settings)
    with acting(Principal("acme")):
        assert (await policies.retention()).policy == settings
        state = await policies.set_retention(RetentionPolicy(call_days=90))
        assert (state.policy, state.own, state.last_purge) == (RetentionPolicy(call_days=90), True, None)
    assert (await office.purge(settings).run()).keys() == {"default"}
    assert await words_of("CA1") == set()
    assert await words_of("CA2")
    state = await policies.retention()
    assert (state.own, state.last_purge) == (False, Purged(NOW, transcripts=1))


async def test_done_again_it_removes_nothing_more_and_goes_on_with_what_has_grown_old(office: Office) -> None:
    await office.call("CA1", days_ago(31))
    await office.call("CA2", days_ago(29))
    purge = office.purge(RetentionPolicy(transcript_days=30))
    assert len(await purge.run()) == 1
    assert await purge.run() == {}
    office.now += timedelta(days=2)
    assert await purge.run() == {"default": Purged(office.now, transcripts=1)}


async def test_many_calls_of_the_same_moment_all_lose_their_words(office: Office) -> None:
    ids = [f"CA{number}" for number in range(120)]
    told = {"workspace": "default", "started_at": days_ago(40)}
    await calls().insert_many([{"_id": f"default/{call_id}", "call_id": call_id, **told} for call_id in ids])
    await office.figures.mark("default", ids)
    await office.counter.catch_up()
    purged = await office.purge(RetentionPolicy(transcript_days=30)).run()
    assert purged == {"default": Purged(NOW, transcripts=120)}


async def test_one_process_purges_at_a_time_and_another_takes_over_from_a_dead_one(office: Office) -> None:
    await office.call("CA1", days_ago(31))
    policy = RetentionPolicy(transcript_days=30)
    dead = Claim(office.store, "purge", clock=office.clock)
    assert await dead.hold()
    purge = office.purge(policy)
    assert await purge.run() == {}
    assert await words_of("CA1")
    office.now += timedelta(minutes=2)
    assert len(await purge.run()) == 1
    assert not await dead.hold()


async def test_of_many_who_claim_at_once_one_does(office: Office) -> None:
    claims = [Claim(office.store, "work", clock=office.clock) for _ in range(5)]
    assert sum(await asyncio.gather(*(claim.hold() for claim in claims))) == 1


async def test_the_log_says_how_much_was_removed_and_nothing_else(office: Office) -> None:
    await office.call("CA1", days_ago(31))
    with capture_logs() as logged:
        await office.purge(RetentionPolicy(transcript_days=30)).run()
    assert logged == [
        {
            "event": "memory.purged",
            "log_level": "info",
            "workspace": "default",
            "transcripts": 1,
            "calls": 0,
            "facts": 0,
            "callers": 0,
        }
    ]
