"""What keeps playbooks, and has their fixed lines spoken."""

from collections.abc import Callable
from typing import NamedTuple

from scriza.modules.strategy.documents import Session
from scriza.modules.strategy.library import Library
from scriza.modules.strategy.rendering import Renderer
from scriza.modules.strategy.service import StrategyService
from scriza.modules.strategy.shipped import Samples
from scriza.modules.strategy.stored import MongoRenderingBook, MongoStrategyBook
from scriza.modules.strategy.voice_assets import VoiceAssets
from scriza.ports.agent import Agent
from scriza.ports.llm import Llm
from scriza.ports.store import Store
from scriza.ports.tts import Tts
from scriza.settings import Settings


class Strategies(NamedTuple):
    """The module, and what runs beside it."""

    service: StrategyService
    renderer: Renderer
    samples: Samples


def strategies(settings: Settings, store: Store[Session], llm: Llm, tts: Tts, agent: Callable[[], Agent]) -> Strategies:
    """The module on the store. The agent is asked for when it is needed: it asks this module itself."""
    book, renderings, samples = MongoStrategyBook(store), MongoRenderingBook(store), Samples()
    assets = VoiceAssets(renderings, agent, tts)
    service = StrategyService(book, Library(book, samples), assets, llm, default=settings.playbook)
    return Strategies(service, Renderer(renderings, book, assets, tts), samples)
