"""What stands behind each port: the module itself, or the client of one that runs elsewhere.

The one place that knows concrete classes. Providers are synchronous singletons; what has to be opened and closed is
opened by `running`, in the application's lifespan. One container belongs to one application.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dependency_injector import containers, providers

from scriza.data_dir import Secrets
from scriza.modules.agent.playbook import sample_playbook
from scriza.modules.agent.service import AgentService
from scriza.modules.llm.service import LlmService
from scriza.modules.tts.engine import Engine as TtsEngine
from scriza.modules.tts.service import TtsService
from scriza.ports.agent import Agent
from scriza.ports.events import Publisher
from scriza.ports.llm import Llm
from scriza.ports.objects import Objects
from scriza.ports.tts import Tts
from scriza.settings import MODULES, BadSettings, Settings
from scriza.wire import connect, disconnect
from scriza.worker import Worker
from scriza_adapters.espeak.engine import EspeakEngine, espeak_worker
from scriza_adapters.mongo.store import MongoStore, StoreOptions, open_store
from scriza_adapters.objects_directory import DirectoryObjects
from scriza_adapters.openai_llm import OpenAiEngine

if TYPE_CHECKING:
    from scriza_adapters.objects_s3 import S3Objects


_ASKS: dict[str, tuple[str, ...]] = {"telephony": ("agent", "asr", "tts"), "agent": ("llm",)}
"""Which modules a module needs behind their ports."""


def served(settings: Settings) -> list[str]:
    """The modules whose routes this process mounts."""
    return [module for module in MODULES if settings.serves(module)]


def place(settings: Settings, module: str) -> str:
    """`local` or `remote`. A process that is told by name to serve a module runs it, whatever its URL tells others."""
    named = bool(settings.modules) and settings.serves(module)
    return "remote" if settings.url_of(module) and not named else "local"


def needed(settings: Settings) -> list[str]:
    """The modules that this process needs, served or not; each comes after those that it asks."""
    found: list[str] = []

    def need(module: str) -> None:
        if module not in found:
            if place(settings, module) == "local":
                for asked in _ASKS.get(module, ()):
                    need(asked)
            found.append(module)

    for module in served(settings):
        need(module)
    return found


def _objects(settings: Settings, secrets: Secrets, data_dir: Path) -> "DirectoryObjects | S3Objects":
    if settings.objects_url:
        from scriza_adapters.objects_s3 import S3Objects

        return S3Objects(settings.objects_url)
    return DirectoryObjects(data_dir / "objects", url=settings.public_url, key=secrets.objects_key)


def _llm(settings: Settings, publisher: Publisher) -> LlmService:
    key = settings.openai_api_key.get_secret_value()
    if settings.llm_engine == "openai" and not key:
        raise BadSettings("SCRIZA_LLM_ENGINE=openai needs OPENAI_API_KEY")
    wanted = key and settings.llm_engine != "playbook"
    return LlmService(
        publisher,
        engine=OpenAiEngine(key, base_url=settings.openai_base_url) if wanted else None,
        critical=settings.openai_model_critical,
        cheap=settings.openai_model_cheap,
        cache_ttl_s=settings.llm_cache_ttl_seconds,
    )


def _tts(settings: Settings, espeak: Worker, objects: Objects, publisher: Publisher) -> TtsService:
    engines: list[TtsEngine] = [EspeakEngine(espeak)]
    return TtsService(engines, objects, publisher)


def _agent(settings: Settings, llm: Llm) -> AgentService:
    return AgentService(llm, [sample_playbook()], transfer_to=settings.transfer_to)


class Container(containers.DeclarativeContainer):
    """The object graph of one process. `store` is there once `running` has opened it."""

    settings: providers.Dependency[Settings] = providers.Dependency(instance_of=Settings)
    secrets: providers.Dependency[Secrets] = providers.Dependency(instance_of=Secrets)
    data_dir: providers.Dependency[Path] = providers.Dependency(instance_of=Path)
    store: providers.Dependency[MongoStore] = providers.Dependency(instance_of=MongoStore)

    espeak = providers.Singleton(espeak_worker)
    objects = providers.Singleton(_objects, settings, secrets, data_dir)

    llm_here = providers.Singleton(_llm, settings, store.provided.outbox)
    llm: providers.Selector[Llm] = providers.Selector(
        providers.Callable(place, settings, "llm"),
        local=llm_here,
        remote=providers.Singleton(connect, Llm, settings.provided.llm_url, token=secrets.provided.service_token),
    )
    tts_here = providers.Singleton(_tts, settings, espeak, objects, store.provided.outbox)
    tts: providers.Selector[Tts] = providers.Selector(
        providers.Callable(place, settings, "tts"),
        local=tts_here,
        remote=providers.Singleton(connect, Tts, settings.provided.tts_url, token=secrets.provided.service_token),
    )
    agent: providers.Selector[Agent] = providers.Selector(
        providers.Callable(place, settings, "agent"),
        local=providers.Singleton(_agent, settings, llm),
        remote=providers.Singleton(connect, Agent, settings.provided.agent_url, token=secrets.provided.service_token),
    )


@asynccontextmanager
async def running(container: Container) -> AsyncIterator[None]:
    """Open what the served modules need, in the order of need, and close it again. Raises ScrizaError."""
    settings = container.settings()
    options = StoreOptions(
        container.data_dir(), url=settings.mongo_url.get_secret_value(), database=settings.mongo_database
    )
    async with AsyncExitStack() as stack:
        container.store.override(await stack.enter_async_context(open_store(options, [])))
        for module in needed(settings):
            if place(settings, module) == "remote":
                stack.push_async_callback(disconnect, container.providers[module]())
            elif module in _OPENERS:
                await stack.enter_async_context(_OPENERS[module](container))
        yield


@asynccontextmanager
async def _llm_running(container: Container) -> AsyncIterator[None]:
    llm = container.llm_here()
    try:
        await llm.warm_up()
        yield
    finally:
        await llm.close()


@asynccontextmanager
async def _tts_running(container: Container) -> AsyncIterator[None]:
    tts = container.tts_here()
    try:
        await tts.start()
        yield
    finally:
        await tts.close()
        await container.espeak().close()
        await container.objects().close()


_OPENERS: dict[str, Callable[[Container], AbstractAsyncContextManager[None]]] = {
    "llm": _llm_running,
    "tts": _tts_running,
}
