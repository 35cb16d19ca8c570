"""The weather table: each provider with each fault, what the caller heard, and after how long.

It runs tests/weather, one simulated call a cell, prints what they saw and writes `benchmarks/results/weather.json`.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "weather.json"
sys.path.insert(0, str(ROOT))

from tests.weather.cells import Row  # noqa: E402 - the path comes first
from tests.weather.faults import FAULTS  # noqa: E402


def main() -> int:
    """Print the table; the exit code is pytest's, which judges it."""
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "rows"
        judged = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "load", "-m", "system", "tests/weather"],
            cwd=ROOT,
            env=os.environ | {"SCRIZA_TEST_WEATHER_TABLE": str(table)},
            check=False,
        )
        rows = [msgspec.json.decode(line, type=Row) for line in table.read_bytes().splitlines()]
    order = [
        (provider, fault if isinstance(fault, str) else fault.name) for provider in FAULTS for fault in FAULTS[provider]
    ]
    rows.sort(key=lambda row: order.index((row.provider, row.fault)))
    print("\n".join(_markdown(rows)))
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_bytes(msgspec.json.format(msgspec.json.encode(rows)))
    return judged.returncode


def _markdown(rows: list[Row]) -> Iterator[str]:
    yield "| provider | fault | opening after | answers after | first answer, as heard | ended by | line of the log |"
    yield "|---|---|---|---|---|---|---|"
    for row in rows:
        answers = ", ".join("-" if ms is None else f"{ms} ms" for ms in row.responses_ms)
        cells = [row.provider, row.fault, f"{row.opening_ms} ms", answers, row.heard, row.ended, row.told]
        yield f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    raise SystemExit(main())
