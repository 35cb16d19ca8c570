"""A simulated call in the terminal: what happens as it happens, and what came of it."""

import asyncio
import time
from collections.abc import Iterator

from scriza.kernel.errors import NotFound, ScrizaError, Unavailable
from scriza.ports.telephony import CallRecord, Telephony, TurnLatency, TurnRecord
from scriza.simulator.report import CallOutcome, Happening

_TOLD = {
    "status": "phone",
    "stream": "media",
    "caller": "caller >",
    "digit": "caller >",
    "leg": "other leg",
    "message": "text",
    "violation": "REFUSED",
}
"""What of the phone's timeline is shown, and under which heading."""
_NOT_LET_IN = "answered with 403"
_POLL_SECONDS = 0.2
_RECORD_SECONDS = 10.0
"""How long after the call its record may take to be complete."""


class Conversation:
    """Prints both sides: what the phone does by its own timeline, what Scriza understood and says by its API."""

    def __init__(self, calls: Telephony) -> None:
        self._calls = calls
        self._call_sid = ""
        self._began = 0.0
        self._shown: list[TurnRecord] = []
        self._latencies_shown = 0

    def happens(self, call_sid: str, happening: Happening) -> None:
        """For the simulator's `on_happening`."""
        if not self._call_sid:
            self._call_sid = call_sid
            self._began = time.monotonic() - happening.at_ms / 1000
        head = _TOLD.get(happening.kind)
        if happening.kind == "twiml" and happening.text.startswith("Say "):
            head = "carrier"  # of all verbs the one whose words are heard and in no record
        if head:
            _print(happening.at_ms / 1000, head, happening.text)

    async def follow(self) -> None:
        """Print turns as the record gets them, until cancelled or the API cannot be used."""
        try:
            while True:
                await asyncio.sleep(_POLL_SECONDS)
                await self._look()
        except ScrizaError as error:
            print(f"(What Scriza says cannot be shown: {error})", flush=True)

    async def record(self) -> CallRecord | None:
        """The call's record once it is complete; as it is when that takes too long, none when there is none.

        What is in it and was not printed yet is printed.
        """
        record = None
        try:
            for _ in range(round(_RECORD_SECONDS / _POLL_SECONDS)):
                record = await self._calls.call(self._call_sid)
                if record.ended_reason and record.duration_seconds is not None:
                    break
                await asyncio.sleep(_POLL_SECONDS)
            if record is not None:
                self._tell(record)
        except ScrizaError as error:
            print(f"(The record cannot be read: {error})", flush=True)
        return record

    async def _look(self) -> None:
        if not self._call_sid:
            return
        try:
            record = await self._calls.call(self._call_sid)
        except (NotFound, Unavailable):  # not yet, or not now: a server may come back
            return
        self._tell(record)

    def _tell(self, record: CallRecord) -> None:
        now = time.monotonic() - self._began
        turns = record.turns
        for latency in record.metrics.latencies[self._latencies_shown :]:
            _print(now, "latency", _waterfall(latency))
        for index, turn in enumerate(turns):
            before = self._shown[index] if index < len(self._shown) else TurnRecord("", "", "", 0)
            if turn.user and not before.user:
                _print(now, "scriza", f"understood {turn.user!r}, confidence {turn.confidence:.2f}")
            if turn.agent and not before.agent:
                _print(now, "< agent", turn.agent)
            elif turn.agent != before.agent:
                _print(now, "scriza", f"was heard up to {turn.agent!r}" if turn.agent else "was not heard")
        self._shown, self._latencies_shown = turns, len(record.metrics.latencies)


def _print(seconds: float, head: str, text: str) -> None:
    print(f"{seconds:7.2f} s  {head:<9} {text}", flush=True)


def summary(outcome: CallOutcome, record: CallRecord | None) -> Iterator[str]:
    """What came of the call, line by line: the transcript with each answer's latency, how it ended, what was wrong."""
    if record is not None:
        latencies = {latency.turn: latency for latency in record.metrics.latencies}
        yield "The transcript, as the API tells it:"
        for number, turn in enumerate(record.turns):
            if turn.user:
                yield f"  caller  {turn.user}"
            if turn.agent:
                yield f"  agent   {turn.agent}"
            if number in latencies:
                yield f"          [{_waterfall(latencies[number])}]"
        metrics = record.metrics
        if latencies:
            yield "  (What took 0 ms was ready before it was certain that the turn was over.)"
        yield (
            f"Ended: {record.ended_reason}, status {record.status}, {record.duration_seconds} s, "
            f"{_count(metrics.turns, 'turn')}, {_count(record.tokens_used, 'token')}, "
            f"{_count(metrics.barge_ins, 'interruption')}, {metrics.false_barge_ins} false"
        )
    responses = [utterance.response_ms for utterance in outcome.utterances if utterance.response_ms is not None]
    if responses:
        yield f"At the phone: answers after {', '.join(str(ms) for ms in responses)} ms of silence"
    stops = [utterance.barge_in_ms for utterance in outcome.utterances if utterance.barge_in_ms is not None]
    if stops:
        yield f"At the phone: silent {', '.join(str(ms) for ms in stops)} ms after the caller cut in"
    if outcome.gaps:
        yield f"At the phone: {_count(len(outcome.gaps), 'gap')} in the agent's speech"
    for violation in outcome.violations:
        yield f"Twilio would refuse this, error {violation.code}: {violation.reason}"
    if any(violation.reason.endswith(_NOT_LET_IN) for violation in outcome.violations):
        yield (
            "Scriza does not take this simulator for its carrier: let both have the same SCRIZA_DATA_DIR, "
            "or the same TWILIO_AUTH_TOKEN and SCRIZA_SERVICE_TOKEN"
        )
    for expected in outcome.unmet:
        yield f"Not as the scenario expects: {expected}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _waterfall(latency: TurnLatency) -> str:
    parts = (
        ("end of turn", latency.endpoint_ms),
        ("hearing", latency.asr_ms),
        ("thinking", latency.llm_ms),
        ("voice", latency.tts_ms),
        ("sending", latency.send_ms),
    )
    return f"{latency.total_ms} ms to the answer: {', '.join(f'{name} {ms}' for name, ms in parts)}"
