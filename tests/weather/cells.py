"""One cell of the weather table: a simulated call while one provider has one fault."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import msgspec
from structlog.testing import capture_logs

from scriza.ports.telephony import CallRecord
from scriza.simulator.report import CallOutcome
from scriza.simulator.scenario import Scenario
from scriza_adapters.mongo.store import StoreOptions
from tests.phone_line import caller, complete_record
from tests.production import house, providers
from tests.standins import bad_line
from tests.standins.bad_line import Fault
from tests.waiting import eventually

_TOLD_WITHIN_S = 12.0
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
class Experience:
    """What a caller went through, and what an operator is told of it."""

    provider: str
    fault: str
    outcome: CallOutcome
    record: CallRecord
    told: list[dict[str, Any]]
    """Lines of the log about the provider's failure since the call began, or of the start if it was met there alone."""
    everything_logged: str
    uncounted: float
    """How many more of these lines there are for the time of the call than `/metrics` counts for it."""
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


async def experience(
    provider: str, fault: Fault, store: StoreOptions, folder: Path, scenario: Scenario | None = None
) -> Experience:
    """Have one call. The fault begins when Scriza is ready."""
    scenario = scenario or (SILENT if provider == "twilio" else TALKER)
    secure = provider if fault == bad_line.TLS else ""
    options = {"asr_engine": "pocketsphinx", "silence_ms": 2500}
    with capture_logs() as logged:
        async with providers() as at, house(at, store, folder, secure=secure, **options) as scriza:
            line = at.lines[provider]
            counted = -_count((await scriza.api.get("/metrics")).text, provider)
            told_at_start = len(_told(logged, provider))
            await line.turn(fault)
            outcome = await scriza.twilio.call(scenario)
            record = await complete_record(scriza.api, outcome.call_sid, seconds=30)
            with suppress(TimeoutError):  # what goes on behind a call's end may fail later
                await eventually(lambda: _told(logged, provider)[told_at_start:], seconds=_TOLD_WITHIN_S)
            counted += _count((await scriza.api.get("/metrics")).text, provider)
            told, met = _told(logged, provider), line.met
    told_since = told[told_at_start:]
    everything = msgspec.json.encode(logged, enc_hook=repr).decode()
    return Experience(
        provider, name(fault), outcome, record, told_since or told, everything, len(told_since) - counted, met
    )


def name(fault: Fault) -> str:
    """As the table shows it."""
    return fault if isinstance(fault, str) else fault.name


def _told(logged: list[Any], provider: str) -> list[dict[str, Any]]:
    return [entry for entry in logged if entry["event"] == "provider.failed" and entry["provider"] == provider]


def _count(metrics: str, provider: str) -> float:
    lines = (line for line in metrics.splitlines() if line.startswith("scriza_provider_failures_total{"))
    return sum(float(line.rpartition(" ")[2]) for line in lines if f'provider="{provider}"' in line)
