"""Reports over HTTP as JSON or CSV, by what is asked for."""

import csv
import io
from collections.abc import AsyncIterator

import httpx
import pytest

from scriza.gateway.access import Bearer, ServiceAccess, behind
from scriza.gateway.edge import edge_around
from scriza.modules.memory.reports.counter import Counter
from scriza.modules.memory.reports.routes import or_csv
from scriza.modules.memory.reports.service import ReportsService
from scriza.ports.reports import Reports
from scriza.wire import serve
from tests.contract.doors import TOKEN
from tests.memory_reports import MemoryFigures, MemoryLog, always, kite
from tests.report_calls import objection, talk
from tests.serving import serving

MARCH = "since=2026-03-01&until=2026-03-31"
REPORTS = ["overview", "objections", "unanswered", "interruptions", "sentiment", "latency", "funnel"]


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    figures = MemoryFigures()
    log = MemoryLog(figures)
    await log.write(talk("CA1", objection("price"), objection("=cmd|' /C calc'!A0"), outcome="booked"))
    await Counter(figures, log, kite, always).catch_up()
    reports = ReportsService(figures, log, kite)
    routes = or_csv(serve(Reports, reports), lambda: reports)
    app = edge_around([behind(Bearer(), routes)], [ServiceAccess(TOKEN)])
    async with (
        serving(app) as url,
        httpx.AsyncClient(base_url=f"{url}/api/v1/reports", headers={"authorization": f"Bearer {TOKEN}"}) as client,
    ):
        yield client


@pytest.mark.parametrize(
    ("query", "accept", "kind"),
    [
        ("", "*/*", "application/json"),
        ("", "text/csv", "text/csv"),
        ("", "text/csv;q=0.9, application/json;q=0.1", "text/csv"),
        ("", "application/json, text/csv", "application/json"),
        ("", "text/html", "application/json"),
        ("&format=csv", "application/json", "text/csv"),
        ("&format=json", "text/csv", "application/json"),
    ],
)
async def test_the_query_decides_and_else_the_header(
    client: httpx.AsyncClient, query: str, accept: str, kind: str
) -> None:
    answer = await client.get(f"/objections?{MARCH}{query}", headers={"accept": accept})
    assert answer.status_code == 200
    assert answer.headers["content-type"].partition(";")[0] == kind


@pytest.mark.parametrize("report", REPORTS)
async def test_every_report_is_there_as_csv_to_be_saved(client: httpx.AsyncClient, report: str) -> None:
    answer = await client.get(f"/{report}?{MARCH}&format=csv")
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == f'attachment; filename="{report}.csv"'
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert {len(row) for row in rows} == {len(rows[0])}


async def test_both_forms_say_the_same(client: httpx.AsyncClient) -> None:
    as_json = (await client.get(f"/objections?{MARCH}")).json()["rows"]
    as_csv = list(csv.DictReader(io.StringIO((await client.get(f"/objections?{MARCH}&format=csv")).text)))
    assert [row["heard"] for row in as_csv] == [str(row["heard"]) for row in as_json]
    assert [row["objection"] for row in as_csv] == ["'=cmd|' /C calc'!A0", "price"]


async def test_a_slash_at_the_end_changes_nothing(client: httpx.AsyncClient) -> None:
    assert (await client.get(f"/overview/?{MARCH}&format=csv")).text == (
        await client.get(f"/overview?{MARCH}&format=csv")
    ).text


async def test_a_comparison_is_a_table_too(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"/comparison?a=kite.1&b=kite.2&{MARCH}&format=csv")
    assert answer.text.startswith("measure,kind,a_calls")


@pytest.mark.parametrize(
    "query", ["format=xml", "format=csv&by=weather", "format=csv&since=yesterday", "format=csv&tz=Mars", "tz=Mars"]
)
async def test_bad_input_is_told_as_a_problem_in_either_form(client: httpx.AsyncClient, query: str) -> None:
    answer = await client.get(f"/overview?{query}")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]


async def test_nobody_reads_a_report_in_any_form_without_a_credential(client: httpx.AsyncClient) -> None:
    for query in ("", "?format=csv"):
        answer = await client.get(f"/overview{query}", headers={"authorization": "Bearer wrong"})
        assert answer.status_code == 401
