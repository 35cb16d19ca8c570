"""Every provider with every fault, in a whole simulated call: the caller always hears something, the operator why."""

import os
from pathlib import Path

import msgspec
import pytest

from scriza_adapters.mongo.store import StoreOptions
from tests.standins.bad_line import Fault
from tests.weather.cells import WAITS_S, Row, experience, name
from tests.weather.faults import FAULTS

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

CELLS = [
    pytest.param(provider, fault, id=f"{provider}-{name(fault)}") for provider in FAULTS for fault in FAULTS[provider]
]


def note(row: Row) -> None:
    """For the table of `benchmarks/weather.py`."""
    if table := os.environ.get("SCRIZA_TEST_WEATHER_TABLE"):
        with Path(table).open("ab") as file:
            file.write(msgspec.json.encode(row) + b"\n")


@pytest.mark.parametrize(("provider", "fault"), CELLS)
async def test_a_fault_is_survived_and_told(
    provider: str, fault: Fault, store_options: StoreOptions, tmp_path: Path
) -> None:
    had = await experience(provider, fault, store_options, tmp_path)
    note(Row.of(had))
    assert had.met or had.everything_logged.count("provider.failed"), "the fault was met at all"
    assert not had.outcome.violations
    assert 0 < had.opening_ms <= WAITS_S * 1000
    for response_ms in had.responses_ms:
        assert had.polite_close if response_ms is None else response_ms <= WAITS_S * 1000
    assert had.record.ended_reason
    assert had.told, "a line of the log tells of it"
    assert not had.uncounted, "each failure is told once and counted once"
    for private in ("sk-secret", "sk-weather", "+14155550123", "very-secret"):
        assert private not in had.everything_logged
