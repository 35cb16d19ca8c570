"""A telephone exchange for tests: the whole application on a real port, and the simulated carrier in front of it.

Everything is real but what a test puts in its place: the webhooks and sockets, Silero, espeak-ng, the playbook, the
store. `Exchange` runs the application in the test's own event loop, so that a test can look into it.
"""

import itertools
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
from dependency_injector import providers

from scriza.app import application, container_of
from scriza.container import Container
from scriza.kernel.events import Event
from scriza.ports.asr import Asr, Audio, Final, Finalize, Partial, Start, Stop, Transcribe, Transcript
from scriza.ports.strategy import Strategy
from scriza.ports.telephony import CallRecord
from scriza.settings import load
from scriza.simulator.options import Options
from scriza.simulator.scenario import Scenario
from scriza.simulator.simulator import Simulator
from scriza_adapters.espeak.engine import EspeakVoice, espeak_worker
from tests.databases import drop
from tests.phone_line import complete_record, events_about
from tests.serving import listening_socket, serving

PUBLIC_URL = "https://pbx.example"
TWILIO_TOKEN = "twilio-token-of-the-test"
SERVICE_TOKEN = "service-token-of-the-test"
PLAIN = Options()


class KnowingAsr:
    """Knows what its callers say: of each call, the next of `lines` at each finalize; the last one again and again."""

    def __init__(self, *lines: str) -> None:
        self._lines = lines
        self._calls: dict[str, Iterable[str]] = {}

    async def transcribe(self, request: Transcribe) -> Transcript:
        raise NotImplementedError

    async def stream(
        self, opening: Start, blocks: AsyncIterator[Audio | Finalize | Stop]
    ) -> AsyncIterator[Partial | Final]:
        endless = itertools.chain(self._lines, itertools.repeat(self._lines[-1]))
        lines = iter(self._calls.setdefault(opening.call_id, endless))
        async for block in blocks:
            if isinstance(block, Finalize):
                yield Final(next(lines), 0.9, [], 0.0, 0.0)


class Exchange:
    """A running Scriza at `url`, and `twilio`, who calls it."""

    def __init__(self, url: str, container: Container, twilio: Simulator, api: httpx.AsyncClient) -> None:
        self.url, self.container, self.twilio, self.api = url, container, twilio, api

    @property
    def live(self) -> int:
        """Calls that are being led."""
        return self.container.switchboard().live

    async def record(self, call_id: str, seconds: float = 30) -> CallRecord:
        """The call's record once it is complete, as the API tells it."""
        return await complete_record(self.api, call_id, seconds)

    async def told(self, call_id: str) -> list[Event]:
        """Every event about the call, in the order in which they were told."""
        return await events_about(self.container.store().database, call_id)

    async def place(self, callee: Scenario, **form: str | Sequence[str]) -> str:
        """Have the carrier call `callee` by its REST API; returns the CallSid."""
        self.twilio.callee = callee
        account = self.twilio.options.account_sid
        told = {
            "To": callee.caller,
            "From": self.twilio.options.number,
            "StatusCallback": f"{PUBLIC_URL}/status-callback",
            "StatusCallbackEvent": ["initiated", "ringing", "answered", "completed"],
        } | form
        async with httpx.AsyncClient(trust_env=False, auth=(account, TWILIO_TOKEN)) as carrier:
            answer = await carrier.post(f"{self.twilio.rest_url}/2010-04-01/Accounts/{account}/Calls.json", data=told)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["sid"])

    async def ask_carrier(self, call_id: str, **form: str) -> None:
        """Change a call by the carrier's REST API."""
        account = self.twilio.options.account_sid
        path = f"/2010-04-01/Accounts/{account}/Calls/{call_id}.json"
        async with httpx.AsyncClient(trust_env=False, auth=(account, TWILIO_TOKEN)) as carrier:
            answer = await carrier.post(f"{self.twilio.rest_url}{path}", data=form)
        assert answer.status_code == 200, answer.text


@asynccontextmanager
async def exchange(
    folder: Path,
    mongo_url: str,
    database: str,
    *,
    asr: Asr | None = None,
    strategy: Strategy | None = None,
    carrier: Options = PLAIN,
    **settings: Any,
) -> AsyncIterator[Exchange]:
    """Scriza with its data in `folder` and a database of its own; `asr` and `strategy` take the places of those."""
    sock = listening_socket()
    url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    voice = espeak_worker()
    options = msgspec.structs.replace(carrier, public_url=PUBLIC_URL)
    simulator = Simulator(url, auth_token=TWILIO_TOKEN, voice=EspeakVoice(voice).samples, rest_port=0, options=options)
    try:
        async with simulator as twilio:
            mine: dict[str, Any] = {
                "data_dir": folder,
                "mongo_url": mongo_url,
                "mongo_database": database,
                "public_url": PUBLIC_URL,
                "twilio_base_url": twilio.rest_url,
                "twilio_auth_token": TWILIO_TOKEN,
                "service_token": SERVICE_TOKEN,
            }
            container = container_of(load(**(mine | settings)))
            if asr is not None:
                container.asr.override(providers.Object(asr))
            if strategy is not None:
                container.strategy.override(providers.Object(strategy))
            app = application(container)
            headers = {"Authorization": f"Bearer {SERVICE_TOKEN}"}
            async with (
                serving(app, sock, ws="websockets-sansio", ws_max_size=64 * 1024),
                httpx.AsyncClient(base_url=url, headers=headers, trust_env=False) as api,
            ):
                try:
                    yield Exchange(url, container, twilio, api)
                finally:
                    await drop(container.store().database)
    finally:
        await voice.close()
        sock.close()
