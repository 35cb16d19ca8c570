"""``scriza memory``: what is known of a number, shown and forgotten from the command line."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scriza.cli import CANNOT, main
from scriza.cli.memory import proven, shown
from scriza.gateway.access import Bearer, ServiceAccess, behind
from scriza.gateway.edge import edge_around
from scriza.ports.erasure import FORGETTING, erased_event
from scriza.ports.memory import ERASERS, CallerMemory, Erasure, Memory, ModuleErasure, Remembered
from scriza.wire import serve
from scriza_adapters.mongo.store import MongoStore
from tests.memory_calls import NUMBER, Rememberer, demo_call
from tests.serving import serving

TOKEN = "a-service-token"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Scriza:
    """Memory behind its door, and modules beside it that erase when they are let."""

    def __init__(self, store: MongoStore, url: str) -> None:
        self.url = url
        self.here = Rememberer(store)
        self.store = store

    def erases(self, modules: Sequence[str]) -> None:
        for module in modules:

            async def answer(order: object, module: str = module) -> None:
                proof = erased_event(order, module, {"things": 2}, NOON)  # type: ignore[arg-type]  # it is an event
                await self.here.memory.hear(proof)

            self.store.bus.subscribe(f"{module}-forgetting", FORGETTING, answer)


@pytest.fixture
async def scriza(store: MongoStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scriza]:
    monkeypatch.setenv("SCRIZA_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("SCRIZA_SERVICE_TOKEN", TOKEN)
    monkeypatch.chdir(tmp_path)
    here = Scriza(store, "")
    app = edge_around([behind(Bearer(), serve(Memory, here.here.memory))], [ServiceAccess(TOKEN)])
    async with serving(app) as here.url:
        yield here


async def command(*arguments: str) -> int:
    return await asyncio.to_thread(main, ["memory", *arguments])


async def test_what_is_known_is_shown_with_where_it_comes_from(
    scriza: Scriza, capsys: pytest.CaptureFixture[str]
) -> None:
    await scriza.here.remembers(demo_call())
    assert await command("show", NUMBER, "--to", scriza.url) == 0
    said = capsys.readouterr().out
    assert said.startswith("1 call, the last on 2026-03-02")
    assert "call CA1, turn" in said


async def test_a_number_is_forgotten_and_every_module_proves_it(
    scriza: Scriza, capsys: pytest.CaptureFixture[str]
) -> None:
    scriza.erases(ERASERS)
    await scriza.here.remembers(demo_call())
    assert await command("forget", NUMBER, "--to", scriza.url) == 0
    said = capsys.readouterr().out
    assert "telephony  2 things" in said
    assert "Everything about this number is erased" in said
    assert await command("show", NUMBER, "--to", scriza.url) == 0
    assert capsys.readouterr().out == "Nothing is known of this number.\n"


async def test_what_is_not_erased_yet_is_told_with_how_to_ask_again(
    scriza: Scriza, capsys: pytest.CaptureFixture[str]
) -> None:
    scriza.erases(ERASERS[1:])
    await scriza.here.remembers(demo_call())
    assert await command("forget", NUMBER, "--wait", "1", "--to", scriza.url) == 1
    said = capsys.readouterr().out
    assert "telephony  not done yet" in said
    assert "/api/v1/memory/erasures/era_" in said


async def test_what_is_no_number_is_refused(scriza: Scriza, capsys: pytest.CaptureFixture[str]) -> None:
    assert await command("forget", "Ada", "--to", scriza.url) == CANNOT
    assert capsys.readouterr().err.startswith("scriza: ")


def test_what_the_team_has_put_right_is_told_as_such() -> None:
    name = Remembered("mem_1", "fact", "name", "Ada", corrected=True)
    promise = Remembered("mem_2", "promise", "callback", "on Tuesday", "CA2", 3)
    assert list(shown(CallerMemory(2, NOON, "Wants a demo.", "", [name, promise]))) == [
        "2 calls, the last on 2026-03-02 12:00",
        "  Wants a demo.",
        "  fact     name: Ada  (put right by the team)",
        "  promise  callback: on Tuesday  (call CA2, turn 3)",
    ]


def test_a_module_that_had_nothing_says_so() -> None:
    proof = Erasure("era_1", NOON, True, [ModuleErasure("agent", "done", {"tool_runs": 0})])
    assert list(proven(proof)) == ["agent      had nothing", "Everything about this number is erased (era_1)."]
