"""One cell of the weather table: a simulated call while one provider has one fault.

Scriza and its phone run in this process; every provider is a stand-in behind a line that can go bad.
"""

import logging
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import boto3
import httpx
import msgspec
from moto.server import ThreadedMotoServer
from structlog.testing import capture_logs

from scriza.app import application, container_of
from scriza.ports.telephony import CallRecord
from scriza.settings import load
from scriza.simulator.options import Options
from scriza.simulator.report import CallOutcome
from scriza.simulator.scenario import Scenario
from scriza.simulator.simulator import Simulator
from scriza_adapters.espeak.engine import EspeakVoice, espeak_worker
from scriza_adapters.mongo.store import StoreOptions
from tests.phone_line import caller, complete_record
from tests.serving import listening_socket, serving
from tests.standins import bad_line
from tests.standins.bad_line import BadLine, Fault
from tests.standins.elevenlabs import ElevenLabsStandIn, standing_in
from tests.standins.openai import Behaviour, OpenAiStandIn

ANSWER = "It is nineteen dollars a month for the whole team."
BUCKET = "weather"
WAITS_S = 3.0
"""So long after the end of a question the caller must hear something."""

TALKER = caller(
    "wait: {silence_ms: 500, limit_ms: 8000}",
    "say: how much does it cost per month",
    "wait: {silence_ms: 900, limit_ms: 12000}",
    "say: do you have a free trial",
    "wait: {silence_ms: 900, limit_ms: 12000}",
    "hang_up",
)
SILENT = caller(
    "wait: {silence_ms: 500, limit_ms: 8000}", "say: how much does it cost per month", "wait", "wait", "wait"
)
"""Falls silent, so that Scriza has a text message to send."""


@dataclass(frozen=True)
class Lines:
    """A line to each provider."""

    openai: BadLine
    elevenlabs: BadLine
    s3: BadLine
    twilio: BadLine

    def to(self, provider: str) -> BadLine:
        line = getattr(self, provider)
        assert isinstance(line, BadLine)
        return line


@dataclass(frozen=True)
class Experience:
    """What a caller went through, and what an operator is told of it."""

    provider: str
    fault: str
    outcome: CallOutcome
    record: CallRecord
    told: list[dict[str, Any]]
    """Lines of the log about a provider's failure."""
    everything_logged: str
    counted: float
    """How often `/metrics` says that the provider failed."""
    met: int
    """Requests that met the fault."""

    @property
    def opening_ms(self) -> int:
        """From the answered call to the first thing heard."""
        assert self.outcome.answered_at_ms is not None
        return self.outcome.agent[0].start_ms - self.outcome.answered_at_ms if self.outcome.agent else -1

    @property
    def responses_ms(self) -> list[int | None]:
        """From the end of each question to the next thing heard."""
        return [utterance.response_ms for utterance in self.outcome.utterances]

    @property
    def heard(self) -> str:
        """What the caller heard of the first answer."""
        answers = [turn.agent for turn in self.record.turns if turn.user]
        return answers[0] if answers else ""

    @property
    def polite_close(self) -> bool:
        """The agent ended it, and not without a word after the caller's last one."""
        spoke_last = not self.outcome.utterances or (
            bool(self.outcome.agent) and self.outcome.agent[-1].end_ms > self.outcome.utterances[-1].end_ms
        )
        return self.outcome.ended_by == "agent" and spoke_last


class Row(msgspec.Struct):
    """A cell as `benchmarks/weather.py` prints it; times in ms."""

    provider: str
    fault: str
    opening_ms: int
    responses_ms: list[int | None]
    heard: str
    ended: str
    told: str

    @classmethod
    def of(cls, had: Experience) -> Self:
        """What is worth a line."""
        told = had.told[0] if had.told else {}
        return cls(
            provider=had.provider,
            fault=had.fault,
            opening_ms=had.opening_ms,
            responses_ms=had.responses_ms,
            heard=had.heard,
            ended=f"{had.outcome.ended_by}: {had.record.ended_reason}",
            told=f"{told.get('reason', '')}: {told.get('detail', '')}",
        )


@asynccontextmanager
async def providers() -> AsyncIterator[tuple[Lines, OpenAiStandIn, ElevenLabsStandIn]]:
    """All stand-ins but the phone's, each behind its line."""
    async with AsyncExitStack() as stack:
        model = await stack.enter_async_context(OpenAiStandIn(Behaviour(text=ANSWER, gap_s=0.005)))
        voice = await stack.enter_async_context(standing_in(ElevenLabsStandIn()))
        bucket = ThreadedMotoServer(port=0, verbose=False)
        bucket.start()
        stack.callback(bucket.stop)
        host, port = bucket.get_host_and_port()
        boto3.client(
            "s3",
            endpoint_url=f"http://{host}:{port}",
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        ).create_bucket(Bucket=BUCKET)
        with listening_socket() as twilio:
            rest = twilio.getsockname()[1]
        lines = Lines(
            await stack.enter_async_context(BadLine(model.url, middle=900)),
            await stack.enter_async_context(BadLine(voice.url, middle=20_000)),
            await stack.enter_async_context(BadLine(f"http://{host}:{port}", middle=10)),
            await stack.enter_async_context(BadLine(f"http://127.0.0.1:{rest}", middle=10)),
        )
        yield lines, model, voice


async def experience(
    provider: str, fault: Fault, store: StoreOptions, folder: Path, scenario: Scenario | None = None
) -> Experience:
    """Have one call. The fault begins when Scriza is ready."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "test")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "test")
    scenario = scenario or (SILENT if provider == "twilio" else TALKER)
    async with AsyncExitStack() as stack:
        logged = stack.enter_context(capture_logs())
        lines, _, _ = await stack.enter_async_context(providers())
        where = {name: lines.to(name).url for name in ("openai", "elevenlabs", "s3", "twilio")}
        if fault == bad_line.TLS:
            where[provider] = lines.to(provider).secure_url
        sock = listening_socket()
        settings = load(
            data_dir=folder / "data",
            public_url=f"http://127.0.0.1:{sock.getsockname()[1]}",
            mongo_url=store.url,
            mongo_database=store.database,
            openai_api_key="sk-weather",
            openai_base_url=where["openai"],
            elevenlabs_api_key="key",
            elevenlabs_base_url=where["elevenlabs"],
            objects_url=f"s3://{BUCKET}?endpoint={where['s3']}&region=us-east-1",
            twilio_base_url=where["twilio"],
            asr_engine="pocketsphinx",
            silence_ms=2500,
        )
        container = container_of(settings)
        url = await stack.enter_async_context(serving(application(container), sock, lifespan="on"))
        voice = espeak_worker()
        stack.push_async_callback(voice.close)
        twilio = await stack.enter_async_context(
            Simulator(
                url,
                auth_token=container.secrets().twilio_auth_token,
                voice=EspeakVoice(voice).samples,
                rest_port=lines.twilio.provider_port,
                options=Options(),
            )
        )
        api = await stack.enter_async_context(
            httpx.AsyncClient(
                base_url=url,
                headers={"authorization": f"Bearer {container.secrets().service_token}"},
                trust_env=False,
                timeout=10,
            )
        )
        await lines.to(provider).turn(fault)
        outcome = await twilio.call(scenario)
        record = await complete_record(api, outcome.call_sid, seconds=30)
        counts = (await api.get("/metrics")).text
        met = lines.to(provider).met
    told = [line for line in logged if line["event"] == "provider.failed" and line["provider"] == provider]
    everything = msgspec.json.encode(logged, enc_hook=repr).decode()
    return Experience(provider, name(fault), outcome, record, told, everything, _count(counts, provider), met)


def name(fault: Fault) -> str:
    """As the table shows it."""
    return fault if isinstance(fault, str) else fault.name


def _count(metrics: str, provider: str) -> float:
    lines = (line for line in metrics.splitlines() if line.startswith("scriza_provider_failures_total{"))
    return sum(float(line.rpartition(" ")[2]) for line in lines if f'provider="{provider}"' in line)
