"""What a tool costs beside its own server: its arguments checked, its use claimed, asked on loopback, and kept.

The store is the embedded one (or `SCRIZA_TEST_MONGO_URL`), the server answers at once, and uses come one after the
other, as in a call. Prints a table and writes `benchmarks/results/tool_overhead.json`.

    python benchmarks/tool_overhead.py [USES]
"""

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from scriza.modules.agent.documents import AGENT_DOCUMENTS
from scriza.modules.agent.tools.arguments import Parameters, canonical
from scriza.modules.agent.tools.briefing import briefing
from scriza.modules.agent.tools.runner import ToolRunner
from scriza.modules.agent.tools.runs import Run, run_id
from scriza.modules.agent.tools.stored import MongoRunBook
from scriza.ports.tool_caller import ToolAnswer, ToolRequest
from scriza_adapters.http_tools.allowed import AllowedHosts, pattern
from scriza_adapters.http_tools.caller import HttpToolCaller
from scriza_adapters.mongo.embedded import EmbeddedServer
from scriza_adapters.mongo.store import StoreOptions, open_store

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.standins.tool_server import ToolServer  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "tool_overhead.json"
SCHEMA: dict[str, object] = {
    "properties": {"start": {"type": "string", "pattern": "^[0-9T:-]+$"}, "name": {"type": "string"}},
    "required": ["start"],
}
ARGUMENTS = '{"start": "2026-05-04T10:00", "name": "Ada"}'


def told(times_ms: list[float]) -> dict[str, float]:
    """Median and p95."""
    cuts = statistics.quantiles(times_ms, n=20)
    return {"p50_ms": round(statistics.median(times_ms), 3), "p95_ms": round(cuts[-1], 3)}


def timed(work: Callable[[], object], times: int) -> list[float]:
    """Milliseconds of each of so many times."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        found.append((time.perf_counter() - began) * 1000)
    return found


async def uses(store_url: str, folder: Path, count: int) -> dict[str, dict[str, float]]:
    """Times of whole uses, of the request alone, and of looking up what a call has done."""
    parameters = Parameters(SCHEMA)
    options = StoreOptions(data_dir=folder, url=store_url, database=f"bench_{uuid.uuid4().hex}")
    async with ToolServer() as server, open_store(options, AGENT_DOCUMENTS) as store:
        caller = HttpToolCaller(AllowedHosts([], [pattern(f"http://127.0.0.1:{server.port}")]))
        book = MongoRunBook(store)
        runner = ToolRunner(book)
        whole, asked, looked = [], [], []

        async def perform(run: Run) -> ToolAnswer:
            began = time.perf_counter()
            arguments = parameters.read(run.arguments)
            answer = await caller.call(ToolRequest("book", "POST", f"{server.url}/book", arguments, run.key, 4_000))
            asked.append((time.perf_counter() - began) * 1000)
            return answer

        for number in range(count):
            began, now = time.perf_counter(), datetime.now(UTC)
            arguments = canonical(parameters.read(ARGUMENTS))
            call = f"CA{number // 5}"
            id_ = run_id("default", call, "book", arguments, turn=number)
            run = Run(id_, "default", call, number, "book", arguments, now, now, harmless=False)
            await runner.run(run, perform, timeout_s=4)
            whole.append((time.perf_counter() - began) * 1000)
            began = time.perf_counter()
            runs = await book.of_call("default", call)
            looked.append((time.perf_counter() - began) * 1000)
        briefed = timed(lambda: briefing(runs, None, now=now, zone="Asia/Kolkata"), 1_000)
        await caller.close()
        await store.database.client.drop_database(store.database)
    return {
        "a whole use": told(whole),
        "of it, the request on loopback": told(asked),
        "what the call has done, before a reply": told(looked),
        "telling the model of it": told(briefed),
        "checking arguments": told(timed(lambda: parameters.read(ARGUMENTS), 5_000)),
    }


def main() -> None:
    """Print and keep the figures."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    with tempfile.TemporaryDirectory() as folder:
        url, server = os.environ.get("SCRIZA_TEST_MONGO_URL", ""), None
        if not url:
            server = EmbeddedServer(Path(folder) / "embedded")
            url = server.attach().url
        try:
            figures = asyncio.run(uses(url, Path(folder), count))
        finally:
            if server is not None:
                server.detach()
    for name, figure in figures.items():
        print(f"{name:42} p50 {figure['p50_ms']:8.3f} ms   p95 {figure['p95_ms']:8.3f} ms")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
