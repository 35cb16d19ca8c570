"""What the usage module promises: each event counts once, credit is held by one update, parts sum to totals."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from scriza.kernel.errors import BadInput, Conflict, ScrizaError
from scriza.kernel.principal import Principal, acting
from scriza.modules.usage.documents import UsageCall, UsageEvent, collection
from scriza.modules.usage.prices import PriceTable, Tokens
from scriza.modules.usage.service import UsageService
from scriza.ports.credit import (
    CreditCheck,
    CreditRules,
    GrantWish,
    HoldWish,
    LedgerQuery,
    QuarantineQuery,
    RepriceAsked,
    Repricing,
    SummaryAsked,
    UsageBook,
)
from scriza_adapters.mongo.store import StoreOptions
from tests.contract.doors import Doors
from tests.usage_rig import ME, NOON, PRICES, UsageRig, asr, completed, llm, tts, usage_rig

DOLLAR = 1_000_000


@pytest.fixture
async def rig(store_options: StoreOptions) -> AsyncIterator[UsageRig]:
    async with usage_rig(store_options) as rig:
        with acting(ME):
            yield rig


@pytest.fixture
async def usage(doors: Doors, rig: UsageRig) -> AsyncIterator[UsageBook]:
    async with doors(UsageBook, rig.service) as usage:
        yield usage


def a_call(call_id: str, at: datetime = NOON) -> list[object]:
    return [
        llm(call_id, "1", at=at),
        tts(call_id, "1", at=at),
        asr(call_id, "1", at=at),
        llm(call_id, "2", at=at, cached=True),
        tts(call_id, "2", at=at, cached=True),
        completed(call_id, at=at),
    ]


COST = 300 + 50 + 20 + 20_000
"""Of such a call: 100 tokens in and 25 out, 50 characters, 2 s heard, two minutes begun."""


# ---- counting ------------------------------------------------------------------------------------------------------


async def test_a_call_is_counted_by_kind_and_priced(rig: UsageRig, usage: UsageBook) -> None:
    await rig.ingest.take_all(a_call("CA1"))
    summary = await usage.summary(SummaryAsked())
    totals = summary.totals
    assert totals.cost_micro_usd == COST
    assert (totals.calls, totals.call_seconds, totals.minutes) == (1, 61, 1.02)
    assert (totals.prompt_tokens, totals.completion_tokens, totals.total_tokens) == (100, 25, 125)
    assert (totals.characters, totals.cached_characters, totals.audio_ms) == (50, 50, 2_000)
    assert (totals.saved_micro_usd, totals.saved_tokens) == (350, 125)
    assert [(group.name, group.totals.cost_micro_usd) for group in summary.top_agents] == [("sv_one", COST)]


async def test_the_same_again_in_any_order_changes_nothing(rig: UsageRig, usage: UsageBook) -> None:
    events = [*a_call("CA1"), *a_call("CA2"), *a_call("CA3")]
    await rig.ingest.take_all(events)
    once = await usage.summary(SummaryAsked()), await usage.credit(), await usage.ledger(LedgerQuery())
    for seed in range(5):
        shuffled = events * 2
        random.Random(seed).shuffle(shuffled)
        await rig.ingest.take_all(shuffled)
    assert (await usage.summary(SummaryAsked()), await usage.credit(), await usage.ledger(LedgerQuery())) == once


async def test_the_sums_are_the_same_in_whatever_order_and_batches_events_arrive(
    store_options: StoreOptions,
) -> None:
    events = [*a_call("CA1"), *a_call("CA2", NOON + timedelta(minutes=20)), llm("", "alone")]
    found = []
    for seed in range(4):
        options = msgspec.structs.replace(store_options, database=f"{store_options.database}_{seed}")
        async with usage_rig(options) as rig:
            rest = events.copy()
            random.Random(seed).shuffle(rest)
            while rest:
                size = random.Random(seed + len(rest)).randint(1, 4)
                await rig.ingest.take_all(rest[:size])
                rest = rest[size:]
            with acting(ME):
                rig.clock.pass_(hours=1)
                found.append([await rig.service.summary(SummaryAsked(group_by=by)) for by in ("agent", "model", "day")])
    assert found[0] == found[1] == found[2] == found[3]


async def test_events_that_come_at_the_same_time_by_several_processes_count_once(
    rig: UsageRig, usage: UsageBook
) -> None:
    others = [UsageRig(rig.store, rig.clock) for _ in range(3)]
    events = [*a_call("CA1"), *a_call("CA2")]
    await asyncio.gather(*(one.ingest.take(event) for one in (rig, *others) for event in events))
    assert (await usage.summary(SummaryAsked())).totals.cost_micro_usd == 2 * COST
    assert await rig.ledger_sum() == -2 * COST == (await usage.credit()).balance


async def test_the_id_of_another_event_is_put_aside_and_counts_nothing(rig: UsageRig, usage: UsageBook) -> None:
    await rig.ingest.take(llm("CA1", "1"))
    before = await usage.summary(SummaryAsked())
    await rig.ingest.take(llm("CA1", "1", prompt=1_000_000))
    await rig.ingest.take(llm("CA1", "1", prompt=1_000_000))
    assert await usage.summary(SummaryAsked()) == before
    (aside,) = (await usage.quarantine(QuarantineQuery())).data
    assert (aside.topic, aside.subject, aside.reason) == ("usage.llm", "CA1", "the id of another event")


async def test_what_cannot_be_read_is_put_aside_and_holds_nothing_up(rig: UsageRig, usage: UsageBook) -> None:
    garbled = msgspec.structs.replace(llm("CA1", "1"), data=msgspec.Raw(b'{"model": 7}'))
    await rig.ingest.take_all([garbled, *a_call("CA2")])
    assert (await usage.summary(SummaryAsked())).totals.cost_micro_usd == COST
    (aside,) = (await usage.quarantine(QuarantineQuery())).data
    assert (aside.event_id, aside.reason) == (garbled.id, "cannot be read")
    with acting(Principal("other", "somebody")):
        assert (await usage.quarantine(QuarantineQuery())).data == []


async def test_a_late_event_lands_on_its_own_day(rig: UsageRig, usage: UsageBook) -> None:
    yesterday = NOON - timedelta(days=1)
    await rig.ingest.take_all([*a_call("CA1"), *a_call("CA0", yesterday)])
    summary = await usage.summary(SummaryAsked("7d", group_by="day"))
    assert [(group.name, group.totals.calls) for group in summary.groups] == [("2026-11-29", 1), ("2026-11-30", 1)]


async def test_workspaces_do_not_see_each_other(rig: UsageRig, usage: UsageBook) -> None:
    await rig.ingest.take_all(a_call("CA1"))
    with acting(Principal("other", "somebody")):
        assert (await usage.summary(SummaryAsked())).totals.calls == 0
        assert (await usage.ledger(LedgerQuery())).data == []


# ---- other prices --------------------------------------------------------------------------------------------------


DEARER = msgspec.structs.replace(
    PRICES, version="test-2", models={"gpt-4o": Tokens(prompt=3_000_000, completion=1_000_000)}, voices={}
)
"""A token of a prompt costs one micro-USD more, one of an answer three less; voices cost what they did upstream."""
NOVEMBER = RepriceAsked(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC), limit=4)


async def repriced(rig: UsageRig, prices: PriceTable) -> list[Repricing]:
    """All answers, batch by batch."""
    service, told, cursor = UsageService(rig.book, prices, minute_micro_usd=1, clock=rig.clock), list[Repricing](), ""
    while not told or cursor:
        told.append(await service.recompute(msgspec.structs.replace(NOVEMBER, cursor=cursor)))
        cursor = told[-1].next
    return told


async def test_other_prices_are_corrected_in_the_ledger_and_in_all_sums(rig: UsageRig, usage: UsageBook) -> None:
    await usage.grant(GrantWish(DOLLAR))
    for number in range(3):
        await rig.ingest.take_all(a_call(f"CA{number}"))
    told = await repriced(rig, DEARER)
    each = (100 - 75) - 50
    assert sum(answer.events for answer in told) == 18
    assert sum(answer.correction_micro_usd for answer in told) == 3 * each
    summary, invoice = await usage.summary(SummaryAsked(group_by="agent")), await usage.invoice("2026-11")
    assert summary.totals.cost_micro_usd == invoice.total_micro_usd == 3 * (COST + each)
    assert [group.name for group in summary.groups] == ["sv_one"]
    assert summary.totals.saved_micro_usd == 3 * 325
    assert (await usage.credit()).balance == await rig.ledger_sum() == DOLLAR - 3 * (COST + each)
    lines = (await usage.ledger(LedgerQuery(call_id="CA1"))).data
    assert sorted(line.amount for line in lines if line.kind == "correction") == [-25, 50]


async def test_prices_that_are_asked_for_twice_change_nothing_and_the_old_ones_restore_all(
    rig: UsageRig, usage: UsageBook
) -> None:
    await rig.ingest.take_all([*a_call("CA1"), llm("CA2", "1")])
    before = await usage.summary(SummaryAsked(group_by="model"))
    await repriced(rig, DEARER)
    after, ledger = await usage.summary(SummaryAsked(group_by="model")), await usage.ledger(LedgerQuery())
    assert {answer.corrected for answer in await repriced(rig, DEARER)} == {0}
    assert (await usage.summary(SummaryAsked(group_by="model")), await usage.ledger(LedgerQuery())) == (after, ledger)
    await repriced(rig, PRICES)
    assert await usage.summary(SummaryAsked(group_by="model")) == before != after
    assert (await usage.credit()).balance == await rig.ledger_sum() == -(COST + 300)


async def test_what_was_left_off_after_a_batch_goes_on_by_asking_again(rig: UsageRig, usage: UsageBook) -> None:
    for number in range(2):
        await rig.ingest.take_all(a_call(f"CA{number}"))
    dearer = UsageService(rig.book, DEARER, minute_micro_usd=1, clock=rig.clock)
    first = await dearer.recompute(NOVEMBER)
    assert (first.events, bool(first.next)) == (4, True)
    credit, totals = await usage.credit(), (await usage.summary(SummaryAsked())).totals
    assert credit.balance == await rig.ledger_sum() == -totals.cost_micro_usd
    again = await repriced(rig, DEARER)
    assert first.corrected + sum(answer.corrected for answer in again) == 2 * 4
    assert (await usage.credit()).balance == await rig.ledger_sum() == -2 * (COST - 25)


async def test_prices_that_are_asked_for_at_once_by_several_correct_once(rig: UsageRig, usage: UsageBook) -> None:
    for number in range(2):
        await rig.ingest.take_all(a_call(f"CA{number}"))
    found = await asyncio.gather(*(repriced(rig, DEARER) for _ in range(3)))
    assert sum(answer.corrected for told in found for answer in told) == 2 * 4
    assert (await usage.credit()).balance == await rig.ledger_sum() == -2 * (COST - 25)


async def test_a_call_that_ends_after_a_correction_takes_it_to_its_agent(rig: UsageRig, usage: UsageBook) -> None:
    await rig.ingest.take(llm("CA1", "1"))
    await repriced(rig, DEARER)
    await rig.ingest.take(completed("CA1"))
    (group,) = (await usage.summary(SummaryAsked(group_by="agent"))).groups
    assert (group.name, group.totals.cost_micro_usd) == ("sv_one", 20_000 + 325)


async def test_nothing_that_tells_who_called_is_kept_of_an_event(rig: UsageRig) -> None:
    ending = completed("CA1")
    data = msgspec.json.decode(ending.data) | {"caller": "psn_somebody"}
    await rig.ingest.take(msgspec.structs.replace(ending, data=msgspec.Raw(msgspec.json.encode(data))))
    (row,) = await collection(UsageEvent).find().to_list()
    assert b"psn_somebody" not in row["data"]
    assert b"sv_one" in row["data"]


async def test_a_span_that_ends_before_it_begins_and_an_unknown_place_are_refused(usage: UsageBook) -> None:
    for asked in (
        RepriceAsked(NOVEMBER.until, NOVEMBER.since),
        msgspec.structs.replace(NOVEMBER, cursor="somewhere"),
    ):
        with pytest.raises(BadInput):
            await usage.recompute(asked)


# ---- sums ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["agent", "model", "day"])
async def test_the_parts_of_a_summary_sum_to_its_totals(rig: UsageRig, usage: UsageBook, by: str) -> None:
    for number in range(6):
        await rig.ingest.take_all(a_call(f"CA{number}", NOON - timedelta(hours=9 * number)))
    await rig.ingest.take_all([llm("CA9", "1"), tts("", "1")])
    summary = await usage.summary(SummaryAsked("7d", group_by=by))
    for name in msgspec.structs.asdict(summary.totals):
        if name != "minutes":
            assert sum(getattr(group.totals, name) for group in summary.groups) == getattr(summary.totals, name)


@pytest.mark.parametrize(
    ("now", "tz", "hours"),
    [
        ("2026-03-29T20:00", "Europe/Berlin", 23),
        ("2026-10-25T20:00", "Europe/Berlin", 25),
        ("2026-07-01T15:00", "Asia/Kolkata", 24),
    ],
)
async def test_a_day_is_the_zone_s_with_23_or_25_hours_too(
    rig: UsageRig, usage: UsageBook, now: str, tz: str, hours: int
) -> None:
    rig.clock.now = datetime.fromisoformat(now).replace(tzinfo=UTC)
    midnight = (await usage.summary(SummaryAsked("today", tz=tz))).since
    events = [llm(f"CA{hour}", "1", at=midnight + timedelta(hours=hour)) for hour in range(-1, hours + 1)]
    await rig.ingest.take_all(events)
    rig.clock.pass_(hours=30)
    summary = await usage.summary(SummaryAsked("7d", tz=tz, group_by="day"))
    assert next(g.totals.prompt_tokens for g in summary.groups if g.name == now[:10]) == 100 * hours


async def test_an_invoice_s_lines_sum_to_its_total(rig: UsageRig, usage: UsageBook) -> None:
    for number in range(3):
        await rig.ingest.take_all(a_call(f"CA{number}"))
    invoice = await usage.invoice("2026-11")
    assert [(line.kind, line.item, line.quantity, line.cost_micro_usd) for line in invoice.lines] == [
        ("asr", "whisper", 6, 60),
        ("call", "inbound", 183, 60_000),
        ("llm", "gpt-4o", 375, 900),
        ("tts", "elevenlabs", 150, 150),
    ]
    assert sum(line.cost_micro_usd for line in invoice.lines) == invoice.total_micro_usd == 3 * COST
    assert (await usage.invoice("2026-12")).lines == []


@pytest.mark.parametrize(
    "asked",
    [
        SummaryAsked("yesterday"),
        SummaryAsked(tz="Mars/Olympus"),
        SummaryAsked("2026-13-01"),
        SummaryAsked("2030-01-01"),
    ],
)
async def test_moments_and_zones_that_there_are_not_are_refused(usage: UsageBook, asked: SummaryAsked) -> None:
    with pytest.raises(BadInput):
        await usage.summary(asked)


@pytest.mark.parametrize("month", ["2026", "2026-13", "november", "2026-11-30"])
async def test_what_is_no_month_has_no_invoice(usage: UsageBook, month: str) -> None:
    with pytest.raises(BadInput):
        await usage.invoice(month)


# ---- credit --------------------------------------------------------------------------------------------------------


async def test_without_any_grant_everything_is_allowed_and_a_number_is_told(rig: UsageRig, usage: UsageBook) -> None:
    assert (await usage.check(CreditCheck())).allowed
    await rig.ingest.take_all(a_call("CA1"))
    answer = await usage.check(CreditCheck(hold=HoldWish("CA2")))
    assert answer.allowed
    assert answer.hold_id
    assert answer.remaining == -COST - 300_000


async def test_credit_is_used_up_and_then_refused_with_a_reason(rig: UsageRig, usage: UsageBook) -> None:
    await usage.grant(GrantWish(COST))
    assert msgspec.to_builtins(await usage.check(CreditCheck())) == {"allowed": True, "remaining": COST}
    await rig.ingest.take_all(a_call("CA1"))
    refusal = msgspec.to_builtins(await usage.check(CreditCheck()))
    assert refusal == {"allowed": False, "remaining": 0, "reason": "no-credit"}


async def test_200_at_once_on_credit_for_10_calls_allow_exactly_10(rig: UsageRig, usage: UsageBook) -> None:
    await usage.grant(GrantWish(10 * 300_000))
    asked = [usage.check(CreditCheck(hold=HoldWish(f"CA{number}"))) for number in range(200)]
    answers = await asyncio.gather(*asked)
    assert sum(answer.allowed for answer in answers) == 10
    assert len({answer.hold_id for answer in answers if answer.allowed}) == 10
    assert (await usage.credit()).available == 0


async def test_a_call_s_hold_is_one_however_often_it_is_asked_for(usage: UsageBook) -> None:
    await usage.grant(GrantWish(DOLLAR))
    first = await usage.check(CreditCheck(hold=HoldWish("CA1")))
    assert await usage.check(CreditCheck(hold=HoldWish("CA1"))) == first
    assert (await usage.credit()).held == 300_000


async def test_what_is_held_for_a_call_is_its_own_to_use(rig: UsageRig, usage: UsageBook) -> None:
    await usage.grant(GrantWish(300_000))
    await usage.check(CreditCheck(hold=HoldWish("CA1")))
    answers = [await usage.check(CreditCheck(call_id=call_id)) for call_id in ("CA1", "CA2", "")]
    assert [(answer.allowed, answer.remaining) for answer in answers] == [(True, 300_000), (False, 0), (False, 0)]
    assert (await usage.check(CreditCheck(amount=300_000, call_id="CA1"))).allowed
    refusal = await usage.check(CreditCheck(amount=300_001, call_id="CA1"))
    assert (refusal.allowed, refusal.reason) == (False, "no-credit")
    await rig.ingest.take(llm("CA1", "1", prompt=150_000, answer=0))
    assert not (await usage.check(CreditCheck(call_id="CA1"))).allowed


async def test_a_hold_that_is_asked_for_with_more_seconds_grows_while_there_is_credit(usage: UsageBook) -> None:
    await usage.grant(GrantWish(600_000))
    first = await usage.check(CreditCheck(hold=HoldWish("CA1", 300)))
    grown = await usage.check(CreditCheck(hold=HoldWish("CA1", 540)))
    assert (grown.allowed, grown.hold_id, grown.remaining) == (True, first.hold_id, 60_000)
    refused = await usage.check(CreditCheck(hold=HoldWish("CA1", 660)))
    assert msgspec.to_builtins(refused) == {
        "allowed": False,
        "remaining": 60_000,
        "hold_id": first.hold_id,
        "reason": "no-credit",
    }
    assert (await usage.credit()).held == 540_000
    assert (await usage.check(CreditCheck(hold=HoldWish("CA1", 60)))).allowed
    assert (await usage.credit()).held == 540_000


async def test_what_a_call_has_used_of_its_hold_does_not_count_twice(rig: UsageRig, usage: UsageBook) -> None:
    await usage.grant(GrantWish(600_000))
    await usage.check(CreditCheck(hold=HoldWish("CA1", 300)))
    await rig.ingest.take(llm("CA1", "1", prompt=100_000, answer=0))
    credit = await usage.credit()
    assert (credit.balance, credit.held, credit.available) == (400_000, 100_000, 300_000)
    assert (await usage.check(CreditCheck(hold=HoldWish("CA1", 600)))).allowed
    assert (await usage.credit()).available == 0


async def test_100_holds_that_grow_at_once_on_credit_for_10_minutes_grow_by_exactly_10(usage: UsageBook) -> None:
    await usage.grant(GrantWish(30 * 60_000))
    await asyncio.gather(*(usage.check(CreditCheck(hold=HoldWish(f"CA{number}", 60))) for number in range(20)))
    asked = [usage.check(CreditCheck(hold=HoldWish(f"CA{number % 20}", 120))) for number in range(100)]
    answers = await asyncio.gather(*asked)
    assert len({answer.hold_id for answer in answers if answer.allowed}) == 10
    credit = await usage.credit()
    assert (credit.held, credit.available) == (30 * 60_000, 0)


async def test_a_hold_that_has_grown_lapses_later(rig: UsageRig, usage: UsageBook) -> None:
    await usage.grant(GrantWish(300_000))
    await usage.check(CreditCheck(hold=HoldWish("CA1", 60)))
    await usage.check(CreditCheck(hold=HoldWish("CA1", 300)))
    rig.clock.pass_(minutes=14)
    assert not (await usage.check(CreditCheck(hold=HoldWish("CA2", 60)))).allowed
    rig.clock.pass_(minutes=1)
    assert (await usage.check(CreditCheck(hold=HoldWish("CA2", 60)))).allowed


async def test_a_call_that_ends_settles_its_hold_once(rig: UsageRig, usage: UsageBook) -> None:
    await usage.grant(GrantWish(DOLLAR))
    await usage.check(CreditCheck(hold=HoldWish("CA1")))
    await rig.ingest.take_all(a_call("CA1"))
    await rig.ingest.take_all(a_call("CA1"))
    credit = await usage.credit()
    assert (credit.held, credit.balance, credit.available) == (0, DOLLAR - COST, DOLLAR - COST)


async def test_a_hold_that_nobody_settles_lapses(rig: UsageRig, usage: UsageBook) -> None:
    await usage.grant(GrantWish(300_000))
    assert (await usage.check(CreditCheck(hold=HoldWish("CA1")))).allowed
    assert not (await usage.check(CreditCheck(hold=HoldWish("CA2")))).allowed
    rig.clock.pass_(minutes=15)
    assert (await usage.check(CreditCheck(hold=HoldWish("CA2")))).allowed


async def test_a_grant_counts_once_under_its_id(usage: UsageBook) -> None:
    for _ in range(3):
        await usage.grant(GrantWish(DOLLAR, "order-7"))
    assert (await usage.credit()).balance == DOLLAR
    with pytest.raises(Conflict):
        await usage.grant(GrantWish(2 * DOLLAR, "order-7"))


async def test_credit_expires_and_that_is_a_line_of_the_ledger(rig: UsageRig, usage: UsageBook) -> None:
    await usage.grant(GrantWish(DOLLAR, "trial", expires_at=rig.clock() + timedelta(days=7)))
    rig.clock.pass_(days=7)
    await rig.book.sweep("default")
    assert (await usage.credit()).balance == 0 == await rig.ledger_sum()
    assert [line.kind for line in (await usage.ledger(LedgerQuery())).data] == ["expiry", "grant"]
    with pytest.raises(BadInput):
        await usage.grant(GrantWish(1, expires_at=NOON))


async def test_an_overdraft_lets_calls_go_on_so_far(rig: UsageRig, usage: UsageBook) -> None:
    await usage.grant(GrantWish(300_000))
    await usage.set_rules(CreditRules(overdraft=300_000))
    answers = [await usage.check(CreditCheck(hold=HoldWish(f"CA{number}"))) for number in range(3)]
    assert [answer.allowed for answer in answers] == [True, True, False]
    assert [answer.remaining for answer in answers] == [0, -300_000, -300_000]


async def test_the_ledger_is_read_page_by_page_newest_first_or_by_call(rig: UsageRig, usage: UsageBook) -> None:
    await usage.grant(GrantWish(DOLLAR, "g"))
    for number in range(4):
        await rig.ingest.take_all(a_call(f"CA{number}", NOON + timedelta(minutes=number)))
    lines, cursor = [], ""
    while True:
        page = await usage.ledger(LedgerQuery(limit=3, cursor=cursor))
        lines += page.data
        if not (cursor := page.next):
            break
    assert len({line.key for line in lines}) == len(lines) == 1 + 4 * 4
    assert [line.at for line in lines] == sorted((line.at for line in lines), reverse=True)
    assert sum(line.amount for line in lines) == (await usage.credit()).balance
    of_one = await usage.ledger(LedgerQuery(call_id="CA2"))
    assert sum(line.amount for line in of_one.data) == -COST


async def test_nobody_settles_on_a_zone_that_there_is_not(usage: UsageBook) -> None:
    with pytest.raises(BadInput):
        await usage.set_rules(CreditRules(time_zone="Mars/Olympus"))


async def test_checks_grants_and_events_at_once_lose_nothing(rig: UsageRig, usage: UsageBook) -> None:
    await usage.grant(GrantWish(100 * DOLLAR))
    doing = [
        *(rig.ingest.take_all(a_call(f"CA{number}")) for number in range(10)),
        *(usage.check(CreditCheck(hold=HoldWish(f"CB{number}"))) for number in range(20)),
        *(usage.grant(GrantWish(DOLLAR, f"g{number}")) for number in range(5)),
    ]
    random.Random(1).shuffle(doing)
    answers = await asyncio.gather(*doing, return_exceptions=True)
    assert not [answer for answer in answers if isinstance(answer, ScrizaError)]
    credit = await usage.credit()
    assert credit.balance == 105 * DOLLAR - 10 * COST == await rig.ledger_sum()
    assert credit.held == 20 * 300_000
    account = await rig.account()
    assert account
    assert account.available == account.spendable == credit.available


async def test_a_call_s_sums_move_to_its_agent_when_it_is_known(rig: UsageRig, usage: UsageBook) -> None:
    early, late, ending = llm("CA1", "1"), llm("CA1", "2"), completed("CA1", playbook="sv_two")
    await rig.ingest.take_all([early])
    await rig.ingest.take_all([ending])
    await rig.ingest.take_all([late])
    summary = await usage.summary(SummaryAsked(group_by="agent"))
    assert [(group.name, group.totals.prompt_tokens) for group in summary.groups] == [("sv_two", 200)]
    (call,) = await UsageCall.find_all().to_list()
    assert (call.agent, call.ended) == ("sv_two", True)
