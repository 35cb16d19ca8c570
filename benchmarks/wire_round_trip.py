"""What leaving the process costs: round trips of a port over loopback HTTP, the server in a process of its own.

One client, one call at a time, both sides on uvloop and behind the whole edge. Beside the wall-clock time stands the
CPU time of either side, which other load on the machine moves less. Prints a table and writes
`benchmarks/results/wire_round_trip.json`.
"""

import asyncio
import json
import multiprocessing
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import uvicorn
import uvloop

from scriza.gateway.access import Bearer, ServiceAccess, behind
from scriza.gateway.edge import edge_around
from scriza.kernel.errors import Unavailable
from scriza.ports.asr import Asr, Audio, Final, Finalize, Partial, Start, Stop, Transcribe, Transcript
from scriza.ports.llm import Llm, Message, Models, TextPiece, ToolPiece, Turn, TurnDone, TurnReply, Usage, UsagePiece
from scriza.wire import connect, disconnect, serve

RESULTS = Path(__file__).parent / "results" / "wire_round_trip.json"
TOKEN = "a-service-token"
CALLS = 1000

Row = dict[str, str | float]


class Canned:
    """Answers at once, as a model and as a recogniser."""

    async def turn(self, request: Turn) -> TurnReply:
        """The same for every turn."""
        return TurnReply("Yes, of course.", Usage(100, 4, 104), "canned", False)

    async def stream_turn(self, request: Turn) -> AsyncIterator[TextPiece | ToolPiece | UsagePiece | TurnDone]:
        """Two pieces of text, usage, done."""
        for text in ("Yes,", " of course."):
            yield TextPiece(text)
        yield UsagePiece(100, 4, 104)
        yield TurnDone("Yes, of course.", "canned", False, Usage(100, 4, 104))

    async def models(self) -> Models:
        """None."""
        return Models([])

    async def transcribe(self, request: Transcribe) -> Transcript:
        """Nothing."""
        return Transcript("", 1.0, [])

    async def stream(
        self, opening: Start, blocks: AsyncIterator[Audio | Finalize | Stop]
    ) -> AsyncIterator[Partial | Final]:
        """A final for every finalize."""
        async for block in blocks:
            match block:
                case Finalize():
                    yield Final("", 1.0, [], 0.0, 0.0)
                case Stop():
                    return


def run_server(listener: socket.socket) -> None:
    """Serves until it is terminated."""
    app = edge_around([behind(Bearer(), serve(Llm, Canned()), serve(Asr, Canned()))], [ServiceAccess(TOKEN)])
    config = uvicorn.Config(app, loop="uvloop", log_level="error", access_log=False, ws_per_message_deflate=False)
    uvicorn.Server(config).run(sockets=[listener])


def cpu_of(pid: int) -> float:
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measured(name: str, call: Callable[[], Awaitable[object]], server: int) -> Row:
    """Times `CALLS` calls, after some to warm up."""
    for _ in range(CALLS // 10):
        await call()
    times = []
    ours, theirs = time.process_time(), cpu_of(server)
    for _ in range(CALLS):
        started = time.perf_counter()
        await call()
        times.append(time.perf_counter() - started)
    ours, theirs = time.process_time() - ours, cpu_of(server) - theirs
    times.sort()
    return {
        "call": name,
        "p50_us": round(times[CALLS // 2] * 1e6),
        "p95_us": round(times[CALLS * 95 // 100] * 1e6),
        "client_cpu_us": round(ours / CALLS * 1e6),
        "server_cpu_us": round(theirs / CALLS * 1e6),
    }


async def measure(url: str, server: int) -> list[Row]:
    """One row for each kind of call."""
    llm, asr = connect(Llm, url, token=TOKEN), connect(Asr, url, token=TOKEN)
    turn = Turn([Message("system", "You are a helpful sales AI."), Message("user", "I'm busy right now")])
    while True:
        try:
            await llm.turn(turn)
            break
        except Unavailable:
            await asyncio.sleep(0.05)

    async def stream() -> None:
        async for _ in llm.stream_turn(turn):
            pass

    async def one_recognition() -> None:
        async def blocks() -> AsyncIterator[Finalize | Stop]:
            yield Finalize()
            yield Stop()

        async for _ in asr.stream(Start(), blocks()):
            pass

    told = asyncio.Queue[Audio | Finalize | Stop]()

    async def blocks() -> AsyncIterator[Audio | Finalize | Stop]:
        while True:
            yield await told.get()

    heard = asr.stream(Start(), blocks())

    async def block() -> None:
        told.put_nowait(Audio(bytes(800)))
        told.put_nowait(Finalize())
        await anext(heard)

    rows = [
        await measured("one reply", lambda: llm.turn(turn), server),
        await measured("a stream of 4 items", stream, server),
        await measured("a socket opened, used and closed", one_recognition, server),
        await measured("100 ms of audio and its final, socket open", block, server),
    ]
    told.put_nowait(Stop())
    await anext(heard, None)
    await disconnect(llm)
    await disconnect(asr)
    return rows


def main() -> None:
    """Print the table and write it."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    server = multiprocessing.get_context("fork").Process(target=run_server, args=(listener,))
    server.start()
    try:
        assert server.pid is not None
        rows = uvloop.run(measure(f"http://127.0.0.1:{listener.getsockname()[1]}", server.pid))
    finally:
        server.terminate()
        server.join()
    print(f"{'':48}{'p50 us':>10}{'p95 us':>10}{'client CPU':>12}{'server CPU':>12}")
    for row in rows:
        figures = (row["p50_us"], row["p95_us"], row["client_cpu_us"], row["server_cpu_us"])
        print(f"{row['call']:48}{figures[0]:>10}{figures[1]:>10}{figures[2]:>12}{figures[3]:>12}")
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"rows": rows, "load": os.getloadavg()[0], "cpus": os.cpu_count()}, indent=2) + "\n")


if __name__ == "__main__":
    main()
