"""Playbooks and versions for tests."""

from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import msgspec
import yaml

from scriza.modules.llm.service import LlmService
from scriza.modules.strategy.books import Refs, Version
from scriza.modules.strategy.canonical import version_id
from scriza.modules.strategy.library import Library
from scriza.modules.strategy.service import StrategyService
from scriza.modules.strategy.shipped import Samples
from scriza.modules.strategy.voice_assets import VoiceAssets
from scriza.modules.tts.service import TtsService
from scriza.ports.agent import Agent, AllSpokenLines, SkippedLine, SpokenLine, SpokenLines, Voice
from scriza.ports.playbook import Playbook
from scriza.ports.strategy import PlaybookRef, VersionInfo
from scriza_adapters.objects_directory import DirectoryObjects
from tests.memory_strategies import MemoryStrategyBook
from tests.standins.speech_engine import ToneEngine
from tests.standins.teller import Told

BOOK = """\
schema: scriza.playbook/1
slug: tea-shop
title: The tea shop
locale: en-US
goal: {primary: Sell tea, success: [ordered]}
persona: {name: Tess, company: The tea shop, tone: [calm]}
opening:
  inbound: Hello, this is the tea shop.
  fallback: I cannot hear you. Goodbye.
stages:
  - id: start
    goal: Find out what they like.
    ask: [{id: taste, question: ["Do you like green tea?"]}]
    final: true
objections:
  - id: price
    triggers: [expensive]
    response: [Our tea lasts longer than others.]
faqs:
  - id: hours
    q: [when are you open]
    a: [We are open from nine to five.]
transfer: {unavailable: {say: [Nobody is here at the moment.]}}
voicemail: {action: leave, text: "Hello, this is the tea shop. We will call again."}
silence: {prompts: ["Are you still there?"]}
closing:
  success: [Thank you for your order.]
  no_interest: [Thank you all the same.]
  goodbye: Goodbye, and thank you.
lines:
  repair: Could you say that again?
  trouble: One moment, please.
  resumed: I am back.
  unknown: ["Could you put that another way?"]
"""
"""A playbook with nothing to find fault with."""
NOW = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
SAMPLES = Samples()
"""Read once for all tests of a process."""


def playbook(**changes: object) -> Playbook:
    """The tea shop's, with other values for some of its fields."""
    return msgspec.convert(yaml.safe_load(BOOK) | changes, Playbook)


def version(number: int, **changes: object) -> Version:
    """A version of it."""
    made = playbook(**({"title": f"Edition {number}"} | changes))
    info = VersionInfo(
        id=version_id(made),
        slug=made.slug,
        number=number,
        title=made.title,
        locale=made.locale,
        persona=made.persona,
        created_at=NOW,
        author="somebody",
        message=f"edition {number}",
    )
    return Version(info, made)


def refs(revision: int, *, draft: str = "", published: str = "", slug: str = "tea-shop") -> Refs:
    """What a slug points at."""
    return Refs(slug, "The tea shop", revision, revision, draft, published)


class Script:
    """An agent that would say the same few lines by every playbook."""

    async def spoken_lines(self, asked: PlaybookRef) -> AllSpokenLines:
        lines = [SpokenLine("@opening.inbound", "Hello there."), SpokenLine("price.1", "It lasts longer.")]
        skipped = [SkippedLine("greeting.1", "it says name, which only a call knows")]
        return AllSpokenLines([SpokenLines(Voice("", "calm", "en-US"), lines, skipped)])


def strategy_service(
    folder: Path, book: MemoryStrategyBook | None = None, samples: Samples = SAMPLES
) -> StrategyService:
    """The module with its books in memory; its voice makes tones that cost 50 micro-USD a letter."""
    book = book or MemoryStrategyBook()
    objects = DirectoryObjects(folder / "objects", url="http://here.local", key="secret")
    tts = TtsService([ToneEngine()], objects, Told(), prices={"tone": 50_000})
    llm = LlmService(Told())
    assets = VoiceAssets(book.renderings, lambda: cast("Agent", Script()), tts)
    return StrategyService(book, Library(book, samples), assets, llm, default="paper-kite", clock=lambda: NOW)
