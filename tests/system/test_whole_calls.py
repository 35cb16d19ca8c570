"""Whole calls over real processes, as `scriza call` places them: in one process, in two, and across a killed one."""

import asyncio
import os
import re
import signal
import sys
import wave
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import msgspec
import numpy as np
import pytest

from scriza.ports.telephony import CallRecord
from tests.running_scriza import RunningScriza, running_scriza
from tests.serving import listening_socket

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

LOST_AND_FOUND = """
name: lost-and-found
description: The server is killed while it answers, and comes back.
lines:
  - wait
  - say: how much does it cost per month
  - wait: 1500
  - interrupt_after: {ms: 300, limit_ms: 60000}
  - wait
  - say: thank you goodbye
expect: {ended_by: agent, status: completed, streams: 2}
"""


class PlacedCall:
    """`scriza call` as a process."""

    def __init__(self, server: RunningScriza, *arguments: str) -> None:
        self._server, self._arguments = server, arguments
        self.output = ""

    async def run(self, seen: Callable[[str], None] = lambda line: None) -> int:
        """Run to the end; `seen` hears of each line as it is printed."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "scriza", "call", *self._arguments),
            env={"PATH": os.environ["PATH"], "SCRIZA_DATA_DIR": str(self._server.folder / "data")},
            cwd=self._server.folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        assert process.stdout is not None
        async with asyncio.timeout(150):
            async for line in process.stdout:
                self.output += line.decode()
                seen(line.decode())
            return await process.wait()

    async def record(self) -> CallRecord:
        """The record that the last line tells how to get."""
        found = re.search(r'Bearer \$\(cat \S+/secrets/service-token\)" (\S+)', self.output)
        assert found is not None, self.output
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(found[1], headers={"authorization": f"Bearer {self._server.token}"})
        return msgspec.json.decode(answer.content, type=CallRecord)

    def wav(self) -> Path:
        found = re.search(r"To hear it:\s+(\S+)", self.output)
        assert found is not None, self.output
        return Path(found[1])


def said(record: CallRecord) -> list[tuple[str, str]]:
    return [(turn.user, turn.agent) for turn in record.turns]


async def test_the_sample_call_is_had_told_recorded_and_heard(tmp_path: Path) -> None:
    with running_scriza(tmp_path / "one") as scriza:
        call = PlacedCall(scriza, "--to", scriza.url)
        assert await call.run() == 0, call.output
        record = await call.record()
    assert record.status == "completed"
    assert record.ended_reason == "agent-goodbye"
    assert record.duration_seconds is not None
    assert record.duration_seconds <= 30
    assert [turn.user for turn in record.turns] == [
        "",
        "what does it do",
        "how much does it cost per month",
        "thank you goodbye",
    ]
    assert all(turn.agent for turn in record.turns)
    assert len(record.metrics.latencies) == 3
    assert call.output.count(" ms to the answer") == 6, "each is told in the call, and again with the transcript"
    assert record.metrics.barge_ins == 1
    with wave.open(str(call.wav())) as file:
        assert (file.getnchannels(), file.getframerate()) == (2, 8000)
        assert abs(file.getnframes() / 8000 - record.duration_seconds) < 3
        sound = np.frombuffer(file.readframes(file.getnframes()), np.int16).reshape(-1, 2)
    caller, agent = np.abs(sound.astype(np.int32)).max(axis=0)
    assert caller > 3000
    assert agent > 3000


async def test_a_call_that_cannot_be_kept_to_be_heard_is_told_all_the_same(tmp_path: Path) -> None:
    scenario = tmp_path / "short.yaml"
    scenario.write_text("name: short\nlines: [{interrupt_after: 200}, hang_up]")
    with running_scriza(tmp_path / "one") as scriza:
        call = PlacedCall(scriza, str(scenario), "--to", scriza.url)
        (tmp_path / "one" / "data" / "calls").write_text("where a folder is wanted")
        assert await call.run() == 0, call.output
        assert "it cannot be kept in" in call.output
        assert (await call.record()).ended_reason == "caller-hung-up"


async def test_two_processes_have_the_same_conversation_as_one(tmp_path: Path) -> None:
    token = "the-token-that-both-processes-know"
    with running_scriza(tmp_path / "whole") as whole:
        alone = PlacedCall(whole, "sample", "--to", whole.url)
        assert await alone.run() == 0, alone.output
        expected = said(await alone.record())
    with running_scriza(tmp_path / "part", ["--modules", "llm,tts"], SCRIZA_SERVICE_TOKEN=token) as part:
        elsewhere = {"SCRIZA_LLM_URL": part.url, "SCRIZA_TTS_URL": part.url, "SCRIZA_SERVICE_TOKEN": token}
        (tmp_path / "rest" / "data" / "secrets").mkdir(parents=True)
        (tmp_path / "rest" / "data" / "secrets" / "service-token").write_text(token)
        with running_scriza(tmp_path / "rest", **elsewhere) as rest:
            assert rest.url != part.url
            call = PlacedCall(rest, "sample", "--to", rest.url)
            assert await call.run() == 0, call.output
            record = await call.record()
            assert not any("espeak" in process for process in rest.leftovers())
    assert [user for user, _ in said(record)] == [user for user, _ in expected]
    # How much of an interrupted answer was heard depends on the millisecond; all others are word for word the same.
    whole_answers = [index for index in range(len(expected)) if index != 1]
    assert [said(record)[index] for index in whole_answers] == [expected[index] for index in whole_answers]


@asynccontextmanager
async def balancer(port: int) -> AsyncIterator[str]:
    """In front of a server that may be away for a while: a connection waits until there is one to take it."""

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
        except OSError:
            pass
        finally:
            sink.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(14):
                while True:
                    try:
                        back_reader, back_writer = await asyncio.open_connection("127.0.0.1", port)
                        break
                    except OSError:
                        await asyncio.sleep(0.1)
        except TimeoutError:
            writer.close()
            return
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(pump(reader, back_writer))
            tasks.create_task(pump(back_reader, writer))

    with listening_socket() as listener:
        server = await asyncio.start_server(serve, sock=listener)
        async with server:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"


async def test_a_call_goes_on_when_its_server_is_killed_and_started_again(tmp_path: Path) -> None:
    with listening_socket() as free:
        port = free.getsockname()[1]
    scenario = tmp_path / "lost-and-found.yaml"
    scenario.write_text(LOST_AND_FOUND)
    folder = tmp_path / "one"
    async with balancer(port) as url:
        arguments = ["--port", str(port)]
        with running_scriza(folder, arguments, SCRIZA_PUBLIC_URL=url) as first:
            assert first.url == url
            killed = asyncio.Event()

            def kill_once_it_answers(line: str) -> None:
                if "< agent   It is" in line and not killed.is_set():
                    first.process.send_signal(signal.SIGKILL)
                    killed.set()

            call = PlacedCall(first, str(scenario), "--to", url)
            calling = asyncio.create_task(call.run(kill_once_it_answers))
            await asyncio.wait([calling, asyncio.create_task(killed.wait())], return_when=asyncio.FIRST_COMPLETED)
            assert killed.is_set(), call.output
            first.process.wait()
            with running_scriza(folder, arguments, SCRIZA_PUBLIC_URL=url) as second:
                assert await calling == 0, call.output + second.output
                record = await call.record()
                assert second.stop() == 0
                assert second.leftovers() == []
    assert record.metrics.reattached == 1
    assert [turn.user for turn in record.turns if turn.user] == [
        "how much does it cost per month",
        "thank you goodbye",
    ]
    assert all(turn.agent for turn in record.turns)
