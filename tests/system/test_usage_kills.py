"""What was used is settled once though who counts it is killed, between any two writes, again and again."""

import asyncio
import multiprocessing
import random
from collections import Counter
from ctypes import c_int
from pathlib import Path

import msgspec
import pytest

from scriza.kernel.principal import Principal, acting
from scriza.modules.usage.account import Account, Entry, Grant, debited, granted
from scriza.modules.usage.documents import UsageEvent, collection
from scriza.ports.credit import CreditCheck, GrantWish, HoldWish, LedgerLine, LedgerQuery, SummaryAsked
from scriza_adapters.mongo.store import StoreOptions
from tests.standins.store_process import QUICK
from tests.standins.usage_process import Progress, call_ids, count_all, events_of
from tests.usage_rig import UsageRig, usage_rig
from tests.waiting import eventually

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

TEAMS = [f"team{number}" for number in range(5)]
CALLS, KILLS, GRANT = 30, 8, 10_000_000
"""Of each team."""
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.standins.usage_process"])


class Team:
    """A workspace, what its calls have used, and the processes that count it, one after the other."""

    def __init__(self, rig: UsageRig, options: StoreOptions, name: str) -> None:
        self.name, self.killed, self.in_the_middle, self.counted = name, 0, 0, list[int]()
        self._rig, self._options, self._chance = rig, options, random.Random(name)
        self._begun, self._done = (PROCESSES.Value(c_int, lock=False) for _ in range(2))

    async def is_counted_by_the_killed(self) -> None:
        """Each has counted a batch at least, so that the next one finds something done and something to do."""
        with acting(Principal(self.name, "a test", frozenset({"*"}))):
            await self._rig.service.grant(GrantWish(GRANT, self.name))
            for call_id in call_ids(self.name, CALLS):
                assert (await self._rig.service.check(CreditCheck(hold=HoldWish(call_id, 60)))).allowed
            for _ in range(KILLS):
                await self._kill_one()
                self.counted.append(await collection(UsageEvent).count_documents({"workspace": self.name}))
            last = self._start()
            await asyncio.to_thread(last.join)
            assert last.exitcode == 0
            await self._everything_agrees()

    def _start(self) -> "multiprocessing.process.BaseProcess":
        self._begun.value = self._done.value = 0
        told = (self._options, self.name, CALLS, self._chance.random(), Progress(self._begun, self._done))
        process = PROCESSES.Process(target=count_all, args=told, daemon=True)
        process.start()
        return process

    async def _kill_one(self) -> None:
        process = self._start()
        await eventually(lambda: self._done.value > 0, seconds=30)
        await asyncio.sleep(self._chance.uniform(0, 0.15))
        process.kill()
        await asyncio.to_thread(process.join)
        self.killed += process.exitcode == -9
        self.in_the_middle += self._begun.value > self._done.value

    async def _everything_agrees(self) -> None:
        service, lines = self._rig.service, await self._ledger()
        ids = await collection(UsageEvent).find({"workspace": self.name}, ["_id"]).to_list()
        assert {row["_id"] for row in ids} == {event.id for event in events_of(self.name, CALLS)}
        settled = Counter(line.call_id for line in lines if line.kind == "call")
        assert settled == Counter(call_ids(self.name, CALLS))
        assert len({line.key for line in lines}) == len(lines)

        account, credit = (await self._rig.book.standing(self.name)).account, await service.credit()
        again = replay(lines)
        assert (account.holds, credit.held) == ({}, 0)
        assert credit.balance == sum(line.amount for line in lines) == again.balance
        assert ([grant.left for grant in account.grants], account.debt) == ([again.grants[0].left], again.debt)

        spent = GRANT - credit.balance
        for by in ("agent", "model", "day"):
            summary = await service.summary(SummaryAsked(group_by=by))
            assert sum(group.totals.cost_micro_usd for group in summary.groups) == spent
            assert (summary.totals.cost_micro_usd, summary.totals.calls) == (spent, CALLS)
        invoice = await service.invoice("2026-11")
        assert sum(line.cost_micro_usd for line in invoice.lines) == invoice.total_micro_usd == spent

    async def _ledger(self) -> list[LedgerLine]:
        lines, cursor = list[LedgerLine](), ""
        while True:
            page = await self._rig.service.ledger(LedgerQuery(500, cursor))
            lines += page.data
            if not (cursor := page.next):
                return lines


def replay(lines: list[LedgerLine]) -> Account:
    """The account that the ledger alone tells of."""
    account = Account(workspace="")
    for line in sorted(lines, key=lambda line: line.kind != "grant"):
        if line.kind == "grant":
            account, _ = granted(account, Grant(line.about, line.amount, line.amount, line.at))
        else:
            account = debited(account, [msgspec.convert(msgspec.structs.asdict(line), Entry)])
    return account


async def test_every_completed_call_settles_once_however_often_who_counts_is_killed(tmp_path: Path) -> None:
    options = StoreOptions(data_dir=tmp_path, bus=QUICK)
    async with usage_rig(options) as rig:
        teams = [Team(rig, options, name) for name in TEAMS]
        async with asyncio.TaskGroup() as all_at_once:
            for team in teams:
                all_at_once.create_task(team.is_counted_by_the_killed())
    for team in teams:
        kills = f"{team.killed} kills, {team.in_the_middle} in the middle of a batch"
        print(f"{team.name}: {kills}; counted after each: {team.counted}")
    assert sum(team.killed for team in teams) == KILLS * len(TEAMS)
    assert sum(team.in_the_middle for team in teams) >= KILLS
