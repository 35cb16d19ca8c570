"""Noises shorter than 100 ms while the agent speaks: how many hold its voice, and how many are heard as a gap.

Simulated callers make six bursts of noise each, as loud as speech, on a real `scriza serve`. Prints a table and writes
`benchmarks/results/short_noises.json`.
"""

import asyncio
import json
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "short_noises.json"
sys.path.insert(0, str(ROOT))

from tests.phone_line import PhoneLine, caller, free_port, phone_line  # noqa: E402 - the path comes first
from tests.running_scriza import running_scriza  # noqa: E402

NOISES_MS = (40, 60, 80, 95)
FIRST_AFTER_MS = (700, 1111, 1490, 1833)
"""Of the agent's speech, so that bursts meet words and windows of voice activity in many places."""
PAUSES_MS = (611, 733, 777, 911)


async def one_call(line: PhoneLine, noise_ms: int, first_after_ms: int) -> tuple[int, list[int]]:
    """How often the voice was held for nothing, and the lengths of the gaps at the phone in ms."""
    burst = f"cough: {{ms: {noise_ms}}}"
    first, second, third, fourth = (f"pause: {ms}" for ms in PAUSES_MS)
    bursts = f"interrupt_after: {first_after_ms}", burst
    outcome = await line.twilio.call(
        caller(
            *(*bursts, first, burst, second, burst, "wait", "say: how much does it cost per month"),
            *(*bursts, third, burst, fourth, burst, "wait", "say: thank you goodbye"),
        )
    )
    record = await line.record(outcome.call_sid, seconds=30)
    return record.metrics.false_barge_ins, [round(gap.length_ms) for gap in outcome.gaps]


async def all_calls(folder: Path) -> list[tuple[int, list[int]]]:
    """One call for each length and place of the bursts, at the same time."""
    with running_scriza(folder, ["--port", str(free_port())]) as server:
        async with phone_line(server) as line:
            return await asyncio.gather(
                *(one_call(line, noise_ms, after_ms) for noise_ms in NOISES_MS for after_ms in FIRST_AFTER_MS)
            )


def main() -> None:
    """Print what came of all bursts."""
    with tempfile.TemporaryDirectory() as folder:
        calls = asyncio.run(all_calls(Path(folder)))
    gaps = sorted(ms for _, lengths in calls for ms in lengths)
    figures = {"noises": 6 * len(calls), "holds": sum(held for held, _ in calls), "gaps": len(gaps), "gaps_ms": gaps}
    for name, value in figures.items():
        print(f"{name:<10} {value}")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
