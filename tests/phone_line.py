"""A phone line to a running Scriza: simulated calls, their records by the API, and what the store was told of them."""

import asyncio
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec
from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase

from scriza.kernel.events import Event
from scriza.ports.telephony import CallRecord
from scriza.simulator.options import Options
from scriza.simulator.scenario import Scenario, parse
from scriza.simulator.simulator import Simulator, Tell
from scriza_adapters.espeak.engine import EspeakVoice, espeak_worker
from scriza_adapters.mongo.embedded import EmbeddedServer
from scriza_adapters.mongo.outbox import OUTBOX, telling
from tests.running_scriza import RunningScriza

PLAIN = Options()


class PhoneLine:
    """`twilio` calls the Scriza that `api` asks."""

    def __init__(self, server: RunningScriza, twilio: Simulator, api: httpx.AsyncClient) -> None:
        self.server, self.twilio, self.api = server, twilio, api

    async def record(self, call_id: str, seconds: float = 30) -> CallRecord:
        """The call's record once it is complete, as the API tells it."""
        return await complete_record(self.api, call_id, seconds)

    async def told(self, *call_ids: str) -> list[list[Event]]:
        """Every event about each call, in the order in which they were told, read from the server's embedded store."""
        store = EmbeddedServer(self.server.folder / "data")
        attached = await asyncio.to_thread(store.attach)
        client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(attached.url, tz_aware=True)
        try:
            return [await events_about(client["scriza"], call_id) for call_id in call_ids]
        finally:
            await client.close()
            await asyncio.to_thread(store.detach)


@asynccontextmanager
async def phone_line(
    server: RunningScriza,
    *,
    rest_port: int | None = None,
    carrier: Options = PLAIN,
    tell: Tell | None = None,
    service_token: str = "",
) -> AsyncIterator[PhoneLine]:
    """To a server once it is ready. `rest_port` is where the server looks for the carrier's REST API."""
    url = await asyncio.to_thread(lambda: server.url)
    twilio_token = (server.folder / "data/secrets/twilio-auth-token").read_text()
    voice = espeak_worker()
    try:
        async with (
            Simulator(
                url,
                auth_token=twilio_token,
                voice=EspeakVoice(voice).samples,
                rest_port=rest_port,
                options=carrier,
                on_happening=tell,
            ) as twilio,
            httpx.AsyncClient(
                base_url=url,
                headers={"Authorization": f"Bearer {service_token or server.token}"},
                trust_env=False,
                timeout=20,
            ) as api,
        ):
            yield PhoneLine(server, twilio, api)
    finally:
        await voice.close()


def free_port() -> int:
    """Below those that systems give to outgoing connections, so that it is still free a moment later."""
    for port in random.sample(range(30_000, 32_000), 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port")


async def complete_record(api: httpx.AsyncClient, call_id: str, seconds: float = 30) -> CallRecord:
    """Ask the API for the record until the call has ended in it. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while True:
            answer = await api.get(f"/api/v1/calls/{call_id}")
            if answer.status_code == httpx.codes.OK:
                record = msgspec.json.decode(answer.content, type=CallRecord)
                if record.ended_reason and record.duration_seconds is not None:
                    return record
            await asyncio.sleep(0.1)


async def events_about(database: AsyncDatabase[dict[str, Any]], call_id: str) -> list[Event]:
    """What the outbox keeps of one call."""
    rows = await database[OUTBOX].find().sort("order", 1).to_list()
    return [event for row in rows for event in telling(row).events if event.subject == call_id]


def caller(*lines: str, **fields: Any) -> Scenario:
    """A scenario from its lines as they stand in YAML; `fields` are the scenario's others."""
    listed = "".join(f"\n  - {line}" for line in lines) or " []"
    return msgspec.structs.replace(parse(f"name: test\nlines:{listed}"), **fields)
