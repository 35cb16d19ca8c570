"""The whole application: what is told of calls is in the reports moments later, and stays there when callers go."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from scriza.app import application, container_of
from scriza.container import Container
from scriza.ports.strategy import PlaybookRef
from scriza.settings import load
from scriza_adapters.mongo.store import StoreOptions
from tests.contract.test_figures_book import events_of
from tests.databases import drop
from tests.report_calls import objection, talk
from tests.serving import serving

MARCH = {"since": "2026-03-01", "until": "2026-03-31"}


class Scriza:
    """A running Scriza that serves memory, and a client of it."""

    def __init__(self, container: Container, client: httpx.AsyncClient) -> None:
        self.container = container
        self.client = client

    async def total(self) -> dict[str, int]:
        answer = await self.client.get("/api/v1/reports/overview", params={**MARCH, "by": "agent"})
        assert answer.status_code == 200, answer.text
        self.rows: list[dict[str, object]] = answer.json()["rows"]
        total: dict[str, int] = answer.json()["total"]
        return total


@pytest.fixture
async def scriza(store_options: StoreOptions, tmp_path: Path) -> AsyncIterator[Scriza]:
    told = {"mongo_url": store_options.url, "mongo_database": store_options.database, "modules": "memory"}
    container = container_of(load(data_dir=tmp_path, service_token="a-token-of-the-test", **told))
    headers = {"authorization": "Bearer a-token-of-the-test"}
    async with serving(application(container)) as url, httpx.AsyncClient(base_url=url, headers=headers) as client:
        yield Scriza(container, client)
        await drop(container.store().database)


async def test_calls_are_counted_under_the_playbook_that_led_them_and_won_by_its_goal(scriza: Scriza) -> None:
    pinned = await scriza.container.strategy().playbook(PlaybookRef("paper-kite"))
    won = pinned.playbook.goal.success[0]
    calls = [
        talk("CA1", objection("price"), playbook=pinned.version, outcome=won),
        talk("CA2", playbook=pinned.version, outcome="lost"),
        talk("CA3", playbook="sv_unheard_of", outcome=won),
    ]
    await scriza.container.store().outbox.publish(*(each for call in calls for each in events_of(call, "default")))

    measures = ("calls", "ended", "turns")
    async with asyncio.timeout(20):
        while [(await scriza.total())[each] for each in measures] != [3, 3, 1]:  # noqa: ASYNC110 # there is no event
            await asyncio.sleep(0.1)
    assert [(row["name"], row["calls"], row["won"]) for row in scriza.rows] == [
        ("paper-kite", 2, 1),
        ("sv_unheard_of", 1, 0),
    ]
    answer = await scriza.client.get("/api/v1/reports/objections", params=MARCH, headers={"accept": "text/csv"})
    assert answer.text.splitlines() == ["objection,heard,answered,calls,won,won_share", "price,1,1,1,1,1.0"]


async def test_the_policy_is_set_by_whoever_may(scriza: Scriza) -> None:
    path = "/api/v1/memory/retention"
    assert (await scriza.client.get(path)).json()["own"] is False
    policy = {"transcript_days": 30, "call_days": 400, "fact_days": 365}
    assert (await scriza.client.put(path, json=policy)).json() == {"policy": policy, "own": True, "last_purge": None}
    assert (await scriza.client.get(path)).json()["policy"] == policy
    assert (await scriza.client.put(path, json={"transcript_days": -1})).status_code == 400
    assert (await scriza.client.put(path, json=policy, headers={"authorization": ""})).status_code == 401
