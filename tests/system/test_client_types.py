"""What mypy says about clients and implementations of ports: the port's own methods, and nothing else."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

SNIPPET = """
from collections.abc import AsyncIterator
from typing_extensions import assert_type
from litestar import Router
from scriza.ports.llm import Llm, Models, Turn, TurnReply
from scriza.wire import connect, serve

llm = connect(Llm, "http://llm:8000", token="t")
assert_type(llm, Llm)

async def use(turn: Turn) -> None:
    assert_type(await llm.turn(turn), TurnReply)
    assert_type(await llm.models(), Models)
    await llm.turn("words")  # refused: arg-type
    await llm.sing()  # refused: attr-defined

class Whole:
    async def turn(self, request: Turn) -> TurnReply: raise NotImplementedError
    def stream_turn(self, request: Turn) -> AsyncIterator[object]: raise NotImplementedError
    async def models(self) -> Models: raise NotImplementedError

class Half:
    async def turn(self, request: Turn) -> TurnReply: raise NotImplementedError

assert_type(serve(Llm, llm), Router)
assert_type(serve(Llm, lambda: llm), Router)
serve(Llm, Whole())  # refused: arg-type
serve(Llm, Half())  # refused: arg-type
serve(Llm, Half)  # refused: arg-type
"""


@pytest.mark.system
@pytest.mark.timeout(300)
def test_a_client_has_the_type_of_its_port(tmp_path: Path) -> None:
    snippet = tmp_path / "snippet.py"
    snippet.write_text(SNIPPET)
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--hide-error-context", str(snippet)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    told = {
        (int(line.split(":")[1]), line.rsplit("[", 1)[-1].rstrip("]"))
        for line in run.stdout.splitlines()
        if ": error: " in line
    }
    expected = {
        (number, line.rsplit("refused: ", 1)[-1])
        for number, line in enumerate(SNIPPET.splitlines(), 1)
        if "refused: " in line
    }
    assert told == expected, run.stdout + run.stderr
