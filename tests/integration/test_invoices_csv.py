"""Invoices over HTTP as JSON or CSV, by what is asked for."""

import csv
import io
from collections.abc import AsyncIterator

import httpx
import pytest

from scriza.gateway.access import Bearer, ServiceAccess, behind
from scriza.gateway.edge import edge_around
from scriza.kernel.principal import acting
from scriza.modules.usage.routes import invoices_or_csv
from scriza.ports.credit import UsageBook
from scriza.wire import serve
from scriza_adapters.mongo.store import StoreOptions
from tests.contract.doors import TOKEN
from tests.serving import serving
from tests.usage_rig import ME, completed, llm, tts, usage_rig

FORMULA = "=cmd|' /C calc'!A0"


@pytest.fixture
async def client(store_options: StoreOptions) -> AsyncIterator[httpx.AsyncClient]:
    async with usage_rig(store_options) as rig:
        with acting(ME):
            named = llm("CA1", "2", model=FORMULA, cost_micro_usd=7)
            await rig.ingest.take_all([llm("CA1", "1"), named, tts("CA1", "1"), completed("CA1")])
        routes = invoices_or_csv(serve(UsageBook, rig.service), lambda: rig.service)
        app = edge_around([behind(Bearer(), routes)], [ServiceAccess(TOKEN)])
        headers = {"authorization": f"Bearer {TOKEN}"}
        async with serving(app) as url, httpx.AsyncClient(base_url=f"{url}/api/v1", headers=headers) as client:
            yield client


async def test_an_invoice_s_rows_sum_to_its_last_one_and_none_is_a_formula(client: httpx.AsyncClient) -> None:
    answer = await client.get("/invoices/2026-11", headers={"accept": "text/csv"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="invoice-2026-11.csv"'
    *lines, total = csv.DictReader(io.StringIO(answer.text))
    assert [(line["kind"], line["item"], line["cost_micro_usd"]) for line in lines] == [
        ("call", "inbound", "20000"),
        ("llm", f"'{FORMULA}", "7"),
        ("llm", "gpt-4o", "300"),
        ("tts", "elevenlabs", "50"),
    ]
    assert sum(int(line["cost_micro_usd"]) for line in lines) == int(total["cost_micro_usd"]) == 20_357
    told = (await client.get("/invoices/2026-11")).json()
    assert told["total_micro_usd"] == 20_357


async def test_only_invoices_are_csv_and_what_is_wrong_is_a_problem(client: httpx.AsyncClient) -> None:
    csv_please = {"accept": "text/csv"}
    assert (await client.get("/credit", headers=csv_please)).headers["content-type"] == "application/json"
    assert (await client.get("/invoices/2026-13", headers=csv_please)).status_code == 400
    assert (await client.get("/invoices/2026-11?format=xml")).status_code == 400
    refused = await client.get("/invoices/2026-11", headers=csv_please | {"authorization": "Bearer nobody"})
    assert refused.status_code == 401
