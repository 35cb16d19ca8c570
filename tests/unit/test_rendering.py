"""Having fixed lines spoken: what is missing, in its order, again when it fails, and whoever dies over it."""

import asyncio
from datetime import datetime, timedelta
from typing import cast

import pytest

from scriza.kernel.errors import NotFound, Unavailable
from scriza.modules.strategy.books import Commit, Refs, Rendering
from scriza.modules.strategy.rendering import Renderer
from scriza.modules.strategy.voice_assets import VoiceAssets
from scriza.modules.tts.service import TtsService
from scriza.ports.agent import Agent, AllSpokenLines, SpokenLine, SpokenLines, Voice
from scriza.ports.strategy import PlaybookRef
from tests.memory_objects import MemoryObjects
from tests.memory_strategies import MemoryRenderingBook, MemoryStrategyBook
from tests.standins.speech_engine import ToneEngine
from tests.standins.teller import Told
from tests.strategy_rig import NOW
from tests.virtual_time import run_virtual
from tests.waiting import eventually


class Script:
    """An agent that would say these texts by any playbook; it knows no others than those of `known`."""

    def __init__(self, *texts: str) -> None:
        self.texts = list(texts)
        self.failure: Exception | None = None

    async def spoken_lines(self, asked: PlaybookRef) -> AllSpokenLines:
        if self.failure is not None:
            raise self.failure
        lines = [SpokenLine(f"line.{number}", text) for number, text in enumerate(self.texts)]
        return AllSpokenLines([SpokenLines(Voice("", "calm", "en-US"), lines)])


class Stage:
    """A renderer with its time, its list, its voice and its script."""

    def __init__(self) -> None:
        self.now = NOW
        self.book = MemoryRenderingBook()
        self.strategies = MemoryStrategyBook(self.book)
        self.engine = ToneEngine()
        self.script = Script("hello there", "it lasts longer", "goodbye then")
        self.tts = TtsService([self.engine], MemoryObjects(), Told())
        self.assets = VoiceAssets(self.book, lambda: cast("Agent", self.script), self.tts)

    def renderer(self) -> Renderer:
        return Renderer(self.book, self.strategies, self.assets, self.tts, clock=lambda: self.now)

    async def ask(self, version: str = "sv_1", *, urgent: bool = True) -> None:
        await self.book.ask(Rendering("ours", "tea-shop", version, urgent, self.now))

    async def points_at(self, **refs: str) -> None:
        old = await self.strategies.refs("ours", "tea-shop") or Refs("tea-shop")
        await self.strategies.commit(Commit("ours", old, Refs("tea-shop", "Tea", old.revision + 1, 1, **refs), [], []))

    @property
    def said(self) -> list[str]:
        return [request.text for request in self.engine.asked]


@pytest.fixture
def stage() -> Stage:
    return Stage()


async def test_every_line_is_spoken_once_and_then_off_the_list(stage: Stage) -> None:
    await stage.ask()
    assert await stage.renderer().look() == 1
    assert sorted(stage.said) == sorted(stage.script.texts)
    assert await stage.book.find("ours", "sv_1") is None
    assert await stage.renderer().look() == 0


async def test_only_what_is_missing_is_spoken(stage: Stage) -> None:
    await stage.ask("sv_1")
    await stage.renderer().look()
    stage.script.texts[1] = "it lasts for ever"
    await stage.ask("sv_2")
    await stage.renderer().look()
    assert stage.said[3:] == ["it lasts for ever"]


async def test_what_fails_is_tried_again_later_and_later_without_what_is_there(stage: Stage) -> None:
    stage.engine.fail_after = 0
    await stage.ask()
    pauses: list[timedelta] = []
    for _ in range(12):
        assert await stage.renderer().look() == 1
        waiting = await stage.book.find("ours", "sv_1")
        assert waiting is not None
        assert "upstream-failed" in waiting.reason or "unavailable" in waiting.reason
        assert await stage.renderer().look() == 0, "it is not due"
        pauses.append(waiting.due_at - stage.now)
        stage.now = waiting.due_at
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (timedelta(seconds=5), timedelta(hours=1))
    stage.engine.fail_after = None
    assert await stage.renderer().look() == 1
    assert await stage.book.find("ours", "sv_1") is None


async def test_a_voice_that_is_down_is_not_asked_for_every_line(stage: Stage) -> None:
    stage.engine.fail_after = 0
    stage.script.texts = [f"line number {number}" for number in range(100)]
    await stage.ask()
    await stage.renderer().look()
    assert len(stage.said) < 10


def test_what_a_dead_process_left_half_done_is_finished_by_another(stage: Stage) -> None:
    async def scenario() -> None:
        stage.engine.gate = asyncio.Semaphore(2)
        await stage.ask()
        dead = asyncio.create_task(stage.renderer().look())
        await eventually(lambda: len(stage.engine.asked) == 2)
        dead.cancel()
        await asyncio.wait([dead])
        stage.engine.gate = None
        assert await stage.renderer().look() == 0, "its holder may be alive"
        stage.now += timedelta(minutes=2)
        assert await stage.renderer().look() == 1
        assert await stage.book.find("ours", "sv_1") is None

    run_virtual(scenario())


async def test_a_draft_that_nobody_works_on_any_more_is_not_spoken(stage: Stage) -> None:
    await stage.points_at(draft="sv_2")
    await stage.ask("sv_1", urgent=False)
    await stage.ask("sv_2", urgent=False)
    assert await stage.renderer().look() == 2
    assert len(stage.said) == 3
    assert stage.book.waiting == {}


async def test_a_published_version_goes_before_drafts(stage: Stage) -> None:
    await stage.points_at(draft="sv_1", published="sv_2")
    await stage.ask("sv_1", urgent=False)
    stage.now += timedelta(seconds=1)
    await stage.ask("sv_2")
    taken = await stage.book.take(stage.now, stage.now + timedelta(minutes=1), "somebody")
    assert taken is not None
    assert taken.version == "sv_2"


def test_a_long_draft_lets_a_published_version_go_before_its_rest(stage: Stage) -> None:
    async def scenario() -> None:
        await stage.points_at(draft="sv_1", published="sv_2")
        stage.script.texts = [f"line number {number}" for number in range(120)]
        stage.engine.gate = asyncio.Semaphore(0)
        await stage.ask("sv_1", urgent=False)
        work = asyncio.create_task(stage.renderer().look())
        await eventually(lambda: len(stage.engine.asked) == 2)
        stage.script.texts = ["the line of what is published", *stage.script.texts]
        await stage.ask("sv_2")
        for _ in range(10_000):
            stage.engine.gate.release()
        await work
        assert 50 <= stage.said.index("the line of what is published") < 60
        assert len(stage.said) == 121
        assert stage.book.waiting == {}

    run_virtual(scenario())


@pytest.mark.parametrize(("failure", "left"), [(NotFound(), 0), (Unavailable(), 1)])
async def test_an_agent_that_cannot_lead_by_it_ends_it_and_one_that_is_away_does_not(
    stage: Stage, failure: Exception, left: int
) -> None:
    stage.script.failure = failure
    await stage.ask()
    await stage.renderer().look()
    assert len(stage.book.waiting) == left


async def test_the_report_tells_how_it_stands(stage: Stage) -> None:
    async def state(now: datetime) -> tuple[str, int]:
        report = await stage.assets.report("ours", "sv_1", now)
        return report.state, report.missing

    # The request's workspace is the default one, in which nothing is spoken yet.
    assert await state(stage.now) == ("missing", 3)
    await stage.ask()
    assert await state(stage.now) == ("queued", 3)
    await stage.book.take(stage.now, stage.now + timedelta(minutes=1), "somebody")
    assert await state(stage.now) == ("rendering", 3)
    assert await state(stage.now + timedelta(minutes=2)) == ("queued", 3)
