"""Many calls at once: what a call costs, how fast it is answered, and whether anybody hears that others call too.

A second process plays Twilio's side exactly (20 ms frames, playout buffer, marks, clear) against `load_server.py`.
CPU is read from the kernel's own account of the server process while all calls are up; the store's child is told
beside it. Latencies are taken at the simulated phone. Prints a table and writes `benchmarks/results/call_load.json`.

    python benchmarks/call_load.py [CALLS [SECONDS]]
"""

import asyncio
import contextlib
import json
import os
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from scriza.simulator.options import Options
from scriza.simulator.report import CallOutcome
from scriza.simulator.scenario import HangUp, InterruptAfter, Pause, Say, Scenario, Wait
from scriza.simulator.simulator import Simulator
from scriza_adapters.espeak.engine import EspeakVoice, espeak_worker

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "call_load.json"
TARGETS = {
    "cpu_ms_per_call_second": 15.0,
    "rss_mb_per_call": 2.0,
    "underruns": 0,
    "own_share_of_response_ms_p95": 40,
    "barge_in_ms_p95": 300,
    "loop_blocked_at_call_start_ms": 5.0,
}
CALLER = Scenario(
    name="load",
    lines=[
        Wait(),
        Say("how much does it cost per month"),
        Wait(),
        Say("what does it do"),
        InterruptAfter(1500),
        Say("do you have a free trial"),
        Wait(),
        Say("is my data safe"),
        InterruptAfter(1500),
        Say("how much does it cost per month"),
        Wait(),
        Pause(2000),
        HangUp(),
    ],
)
SECRETS = ("twilio-auth-token", "service-token")
GREETED = Scenario(name="greeted", lines=[Wait(), HangUp()])


def cpu_ms(pid: int) -> float:
    """CPU time of a process so far, over all its threads, in ms."""
    return sum(_of_thread(task) for task in Path(f"/proc/{pid}/task").iterdir())


def _of_thread(task: Path) -> float:
    with contextlib.suppress(OSError):
        return int((task / "schedstat").read_text().split()[0]) / 1e6
    return 0.0


def rss_mb(pid: int) -> float:
    """Resident memory in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


def store_pid(data_dir: Path) -> int:
    """The embedded store's process, as its state file tells."""
    return int(json.loads((data_dir / "store" / "server.json").read_text())["pid"])


def percentile(values: list[int], share: float) -> int | None:
    """The value below which that share of them lies; none without values."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else None


@dataclass
class Server:
    """A Scriza that runs."""

    url: str
    pid: int
    data_dir: Path
    loop_log: Path
    carrier_token: str
    service_token: str


@contextlib.asynccontextmanager
async def server(*, watch: bool) -> AsyncIterator[Server]:
    """Start one; with `watch` it keeps an eye on its event loop."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        data_dir, loop_log = Path(folder) / "data", Path(folder) / "loop.log"
        environment = os.environ | {
            "SCRIZA_DATA_DIR": str(data_dir),
            "SCRIZA_PUBLIC_URL": f"http://127.0.0.1:{port}",
            "SCRIZA_MOST_CALLS": "1000",
        }
        command = [sys.executable, str(HERE / "load_server.py"), str(port), *([str(loop_log)] if watch else [])]
        process = await asyncio.create_subprocess_exec(*command, env=environment)
        try:
            url = f"http://127.0.0.1:{port}"
            async with httpx.AsyncClient(timeout=2) as client, asyncio.timeout(60):
                while True:
                    with contextlib.suppress(httpx.HTTPError):
                        if (await client.get(f"{url}/health/ready")).status_code == 200:
                            break
                    await asyncio.sleep(0.2)
            carrier, service = ((data_dir / "secrets" / name).read_text().strip() for name in SECRETS)
            yield Server(url, process.pid, data_dir, loop_log, carrier, service)
        finally:
            process.terminate()
            await process.wait()


@contextlib.asynccontextmanager
async def carrier(scriza: Server) -> AsyncIterator[Simulator]:
    """Twilio's side, in this process."""
    worker = espeak_worker()
    voice = EspeakVoice(worker)
    try:
        async with Simulator(
            scriza.url,
            auth_token=scriza.carrier_token,
            voice=lambda text, name: voice.samples(text, name),
            options=Options(record=False),
        ) as simulator:
            yield simulator
    finally:
        await worker.close()


async def load(calls: int, seconds: float) -> dict[str, float | int | None]:
    """`calls` calls, begun 100 ms apart; figures of `seconds` seconds in which all are up."""
    async with server(watch=False) as scriza, carrier(scriza) as simulator:
        await simulator.call(GREETED)
        rss_before = rss_mb(scriza.pid)

        async def one(number: int) -> CallOutcome:
            await asyncio.sleep(number * 0.1)
            return await simulator.call(CALLER)

        running = [asyncio.create_task(one(number)) for number in range(calls)]
        await asyncio.sleep(calls * 0.1 + 3)
        store = store_pid(scriza.data_dir)
        began, server_ms = time.monotonic(), cpu_ms(scriza.pid)
        store_ms = cpu_ms(store)
        own_ms = time.process_time() * 1000
        await asyncio.sleep(seconds)
        call_seconds = (time.monotonic() - began) * calls
        server_ms = cpu_ms(scriza.pid) - server_ms
        store_ms = cpu_ms(store) - store_ms
        own_ms = time.process_time() * 1000 - own_ms
        rss = rss_mb(scriza.pid) - rss_before
        outcomes = await asyncio.gather(*running)
        own_shares = [share for outcome in outcomes for share in await own_share(scriza, outcome.call_sid)]
    responses = [
        u.response_ms for o in outcomes for u in o.utterances if u.response_ms is not None and not u.over_agent
    ]
    barge_ins = [u.barge_in_ms for o in outcomes for u in o.utterances if u.barge_in_ms is not None]
    return {
        "calls": calls,
        "cpu_ms_per_call_second": round(server_ms / call_seconds, 2),
        "store_cpu_ms_per_call_second": round(store_ms / call_seconds, 2),
        "client_cpu_ms_per_call_second": round(own_ms / call_seconds, 2),
        "rss_mb_per_call": round(rss / calls, 2),
        "underruns": sum(len(outcome.gaps) for outcome in outcomes),
        "longest_underrun_ms": round(max((gap.length_ms for outcome in outcomes for gap in outcome.gaps), default=0)),
        "violations": sum(len(outcome.violations) for outcome in outcomes),
        "response_ms_p50": percentile(responses, 0.5),
        "response_ms_p95": percentile(responses, 0.95),
        "own_share_of_response_ms_p50": percentile(own_shares, 0.5),
        "own_share_of_response_ms_p95": percentile(own_shares, 0.95),
        "barge_ins": len(barge_ins),
        "barge_in_ms_p50": percentile(barge_ins, 0.5),
        "barge_in_ms_p95": percentile(barge_ins, 0.95),
        "client_clock_late_ms_max": round(max(outcome.clock_lag_ms for outcome in outcomes), 1),
        "machine_load": round(os.getloadavg()[0], 1),
    }


async def own_share(scriza: Server, call_id: str) -> list[int]:
    """Of each answer of a call, what the server took over the endpoint silence, in ms; its engines take no time."""
    headers = {"authorization": f"Bearer {scriza.service_token}"}
    async with httpx.AsyncClient(headers=headers, timeout=10) as client:
        record = (await client.get(f"{scriza.url}/api/v1/calls/{call_id}")).raise_for_status().json()
    return [part["total_ms"] - part["endpoint_ms"] for part in record["metrics"]["latencies"]]


async def blocking(calls: int = 8) -> float:
    """How long, in ms, the event loop worked at a stretch while calls began, one after the other: the median second."""
    async with server(watch=True) as scriza, carrier(scriza) as simulator:
        await simulator.call(GREETED)
        before = len(scriza.loop_log.read_text().splitlines())
        for _ in range(calls):
            await simulator.call(GREETED)
        lines = [float(line) for line in scriza.loop_log.read_text().splitlines()[before:]]
    return round(sorted(lines)[len(lines) // 2], 2)


async def main() -> None:
    """Measure, print, write."""
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 15.0
    measured = await load(calls, seconds) | {"loop_blocked_at_call_start_ms": await blocking()}
    for name, value in measured.items():
        target = f"   (target at most {TARGETS[name]})" if name in TARGETS else ""
        print(f"{name:34} {value}{target}")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"measured": measured, "targets": TARGETS}, indent=2) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
