"""Calls that Scriza places and transfers, over real processes: as `scriza call` plays them, and across a killed one."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from scriza.kernel.events import Topic
from scriza.simulator.report import Happening
from scriza.simulator.scenario import Transfer
from tests.phone_line import caller, free_port, phone_line
from tests.playbooks import PAPER_KITE
from tests.running_scriza import running_scriza
from tests.system.test_whole_calls import PlacedCall

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

ALWAYS = {"SCRIZA_OUTBOUND_HOURS": "Mon-Sun 00:00-24:00"}
COLLEAGUE = {"SCRIZA_TRANSFER_TO": "+14155550188"}


async def test_a_machine_that_takes_a_call_of_ours_gets_the_message(tmp_path: Path) -> None:
    with running_scriza(tmp_path / "one", **ALWAYS) as scriza:
        call = PlacedCall(scriza, "outbound-voicemail", "--to", scriza.url)
        assert await call.run() == 0, call.output
        record = await call.record()
    assert (record.direction, record.ended_reason) == ("outbound", "voicemail-left")
    assert [turn.agent for turn in record.turns] == [PAPER_KITE.voicemail.text]
    assert record.reason == "the scenario outbound-voicemail"


async def test_a_call_that_may_not_be_placed_is_told_with_the_reason(tmp_path: Path) -> None:
    never = {"SCRIZA_OUTBOUND_HOURS": "Mon 00:00-00:01"}
    with running_scriza(tmp_path / "one", **never) as scriza:
        call = PlacedCall(scriza, "outbound-human", "--to", scriza.url)
        assert await call.run() != 0
    assert "hours" in call.output
    assert "Traceback" not in call.output


async def test_a_caller_whom_nobody_takes_over_is_kept(tmp_path: Path) -> None:
    with running_scriza(tmp_path / "one", **COLLEAGUE) as scriza:
        call = PlacedCall(scriza, "warm-transfer-unanswered", "--to", scriza.url)
        assert await call.run() == 0, call.output
        record = await call.record()
    assert PAPER_KITE.transfer.unreached in [turn.agent for turn in record.turns]
    assert (record.ended_reason, record.metrics.transfers) == ("agent-goodbye", 1)


async def test_a_transfer_goes_on_in_another_process_when_the_one_that_began_it_is_killed(tmp_path: Path) -> None:
    folder, port, dialling = tmp_path / "one", free_port(), asyncio.Event()
    arguments = ["--port", str(port)]

    def tell(_: str, happening: Happening) -> None:
        if (happening.kind, happening.text) == ("twiml", "Dial"):
            dialling.set()

    with running_scriza(folder, arguments, **COLLEAGUE) as first:
        async with phone_line(first, tell=tell) as line:
            scenario = caller(
                "wait", "say: can i talk to a person", "wait", "interrupt_after: {ms: 300, limit_ms: 60000}", "wait",
                "say: thank you goodbye", transfer=Transfer("no-answer", after_ms=20_000),
            )  # fmt: skip
            calling = asyncio.create_task(line.twilio.call(scenario))
            await dialling.wait()
            os.killpg(first.process.pid, signal.SIGKILL)
            with running_scriza(folder, arguments, **COLLEAGUE) as second:
                await asyncio.to_thread(lambda: second.url)
                outcome = await calling
                assert (outcome.ended_by, outcome.streams, outcome.violations) == ("agent", 2, [])
                record = await line.record(outcome.call_sid)
                assert (record.ended_reason, record.metrics.transfers) == ("agent-goodbye", 1)
                assert PAPER_KITE.transfer.unreached in [turn.agent for turn in record.turns]
                (told,) = await line.told(outcome.call_sid)
                assert [event.type for event in told].count(Topic.CALL_COMPLETED) == 1
