"""What is opened around the modules of a process, in the order of need, and closed again: an opener for each module."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager, suppress
from datetime import timedelta
from functools import partial

import structlog
from dependency_injector import providers

from scriza.container import Container
from scriza.factories import (
    listening,
    storage,
)
from scriza.factories.hearing import EVERYWHERE, Hears, subscribe
from scriza.kernel.errors import ScrizaError
from scriza.modules.accounts.documents import ACCOUNT_DOCUMENTS
from scriza.modules.agent.documents import AGENT_DOCUMENTS
from scriza.modules.memory.documents import MEMORY_DOCUMENTS
from scriza.modules.memory.service import TOPICS as MEMORY_TOPICS
from scriza.modules.memory.stored import CONSUMER as MEMORY
from scriza.modules.strategy.documents import STRATEGY_DOCUMENTS
from scriza.modules.telephony.documents import DOCUMENTS
from scriza.modules.telephony.forgetting.documents import FORGETTING_DOCUMENTS
from scriza.modules.telephony.placing.dialling_plan import read_plans
from scriza.modules.telephony.placing.documents import PLACING_DOCUMENTS
from scriza.modules.telephony.recordings.documents import RECORDING_DOCUMENTS
from scriza.modules.telephony.recordings.log import RECORDINGS
from scriza.modules.telephony.service import recover
from scriza.modules.telephony.stopping import LOOK_SECONDS
from scriza.modules.tts.cache import ASSETS, CLIPS
from scriza.modules.tts.documents import SPEECH_DOCUMENTS
from scriza.modules.usage.documents import USAGE_DOCUMENTS
from scriza.modules.usage.reading import TOPICS as USAGE_TOPICS
from scriza.modules.webhooks.documents import WEBHOOK_DOCUMENTS
from scriza.modules.webhooks.hearing import TOPICS as WEBHOOK_TOPICS
from scriza.places import DOORS, needed, place
from scriza.ports.erasure import ERASED, FORGETTING, Forgets
from scriza.settings import MODULES
from scriza.wire import disconnect
from scriza_adapters.mongo.store import open_store
from scriza_adapters.objects_directory import DirectoryObjects

_log = structlog.get_logger()

_EVERY_PROCESS = "process"
"""Beside the modules: what each process has."""
_LOST_AFTER = timedelta(minutes=10)
"""A call to which nothing has happened for so long has lost its session, and nobody reconnected it."""
_LOOK_FOR_LOST_SECONDS = 60
_PRUNE_SECONDS = 3600
_WARMING_SECONDS = 2.0
"""So long a start waits for engines to be warm, that the first caller need not; who takes longer is left to it."""
_RENDER_SECONDS = 2
"""Between two looks for fixed lines that are to be spoken."""
_COUNT_SECONDS = 2
"""So late a report knows of a turn."""
_PURGE_SECONDS = 3600
_SWEEP_SECONDS = 60
"""Between two looks for credit that has expired and for holds that nobody has settled."""
_DAY_SECONDS = 300
"""Between two looks for days that are over."""
_SETTLE_SECONDS = 5
"""Between two looks for what the carrier was to do and may not have done."""


@asynccontextmanager
async def running(container: Container) -> AsyncIterator[None]:
    """Open what the served modules need, in the order of need, and close it again. Raises ScrizaError."""
    settings = container.settings()
    async with AsyncExitStack() as stack:
        options = storage.store_options(settings, container.data_dir())
        telephony = (*DOCUMENTS, *PLACING_DOCUMENTS, *RECORDING_DOCUMENTS, *FORGETTING_DOCUMENTS)
        documents = (
            *telephony,
            *ACCOUNT_DOCUMENTS,
            *AGENT_DOCUMENTS,
            *MEMORY_DOCUMENTS,
            *SPEECH_DOCUMENTS,
            *STRATEGY_DOCUMENTS,
            *USAGE_DOCUMENTS,
            *WEBHOOK_DOCUMENTS,
        )
        container.store.override(await stack.enter_async_context(open_store(options, documents)))
        here = [module for module in needed(settings) if place(settings, module) == "local"]
        remote = [module for module in MODULES if place(settings, module) == "remote"]
        subscribe(container.store().bus, _hears(container), [_EVERY_PROCESS, *here], remote)
        await stack.enter_async_context(container.teller())
        stack.push_async_callback(container.shared_state().close)
        await stack.enter_async_context(_beside(container.shared_state().warm_up))
        objects = container.objects()
        stack.push_async_callback(objects.close)
        if not isinstance(objects, DirectoryObjects):
            await stack.enter_async_context(_beside(objects.connection.warm_up, first_s=_WARMING_SECONDS))
        for module in needed(settings):
            if place(settings, module) == "remote":
                for door in DOORS.get(module, (module,)):
                    stack.push_async_callback(disconnect, container.providers[door]())
            elif module in _OPENERS:
                await stack.enter_async_context(_OPENERS[module](container))
        yield


@asynccontextmanager
async def _llm_running(container: Container) -> AsyncIterator[None]:
    llm = container.llm_here()
    try:
        async with _beside(llm.warm_up, first_s=_WARMING_SECONDS):
            yield
    finally:
        await llm.close()


@asynccontextmanager
async def _tts_running(container: Container) -> AsyncIterator[None]:
    tts, objects = container.tts_here(), container.objects()
    most_bytes = container.settings().tts_cache_mb * 1_000_000
    oldest = timedelta(days=container.settings().tts_cache_days)

    async def prune() -> None:
        # A bucket has rules of its own.
        if not isinstance(objects, DirectoryObjects):
            return
        if forgotten := await objects.prune(CLIPS, most_bytes, unused_for=oldest):
            _log.info("clips.pruned", forgotten=forgotten, most_bytes=most_bytes)
        for kept in (RECORDINGS, ASSETS):
            await objects.prune(kept, sys.maxsize)  # nothing goes but what a crash left half-written

    try:
        async with (
            _beside(tts.warm_up, first_s=_WARMING_SECONDS),
            _beside(partial(_regularly, prune, _PRUNE_SECONDS, "clips.not_pruned")),
        ):
            yield
    finally:
        await tts.close()
        if vendor := container.elevenlabs():
            await vendor.close()
        await container.espeak().close()


@asynccontextmanager
async def _asr_running(container: Container) -> AsyncIterator[None]:
    asr = container.asr_here()
    try:
        await asr.start()
        yield
    finally:
        await asr.close()


@asynccontextmanager
async def _strategy_running(container: Container) -> AsyncIterator[None]:
    strategies = container.strategies()
    await asyncio.to_thread(strategies.samples.load)
    async with _beside(partial(_regularly, strategies.renderer.look, _RENDER_SECONDS, "assets.not_rendered")):
        yield


@asynccontextmanager
async def _agent_running(container: Container) -> AsyncIterator[None]:
    try:
        yield
    finally:
        await container.agent_here().close()
        await container.workshop().close()
        await container.tool_caller().close()


@asynccontextmanager
async def _memory_running(container: Container) -> AsyncIterator[None]:
    async with (
        _beside(container.post_call().run),
        _beside(partial(_regularly, container.counter().catch_up, _COUNT_SECONDS, "reports.not_counted")),
        _beside(partial(_regularly, container.purge().run, _PURGE_SECONDS, "memory.not_purged")),
    ):
        yield


@asynccontextmanager
async def _telephony_running(container: Container) -> AsyncIterator[None]:
    container.vad.override(providers.Object(await asyncio.to_thread(listening.vad, container.settings())))
    await asyncio.to_thread(read_plans, container.rules().countries, container.settings().outbound_sender)
    container.webhooks()
    container.stream_door()
    calls = container.call_log()
    close_lost = partial(recover, calls, calls, idle_for=_LOST_AFTER)
    settle_due, look = container.dispatcher().settle_due, container.switch().look
    place_due, forget_due = container.callbacks().place_due, container.call_forgetting().settle_due

    async def try_account() -> None:
        # Without an account there is the simulator alone, which may come later.
        if container.settings().twilio_account_sid:
            with suppress(ScrizaError):  # it is in the log already, by the setting's name
                await container.carrier().check()

    try:
        async with (
            _beside(try_account),
            _beside(partial(_regularly, close_lost, _LOOK_FOR_LOST_SECONDS, "calls.not_recovered")),
            _beside(partial(_regularly, settle_due, _SETTLE_SECONDS, "intents.not_settled")),
            _beside(partial(_regularly, look, LOOK_SECONDS, "switch.not_read")),
            _beside(partial(_regularly, place_due, _SETTLE_SECONDS, "callbacks.not_placed")),
            _beside(partial(_regularly, forget_due, _SETTLE_SECONDS, "callers.not_forgotten")),
            container.recordings().running(),
        ):
            yield
    finally:
        await container.carrier().close()


@asynccontextmanager
async def _beside(work: Callable[[], Awaitable[None]], *, first_s: float = 0.0) -> AsyncIterator[None]:
    """`work` is under way inside, or done if that takes no longer than `first_s`; at the end it is cancelled."""

    async def shell() -> None:
        try:
            await work()
        except Exception:
            _log.exception("background.broke")

    task = asyncio.create_task(shell())
    try:
        if first_s:
            await asyncio.wait([task], timeout=first_s)
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _regularly(work: Callable[[], Awaitable[object]], seconds: float, failed: str) -> None:
    """Do `work` now and ever again. A failure is logged as the event `failed`; the next time may be better."""
    while True:
        try:
            await work()
        except ScrizaError as error:
            _log.warning(failed, reason=error.detail)
        except Exception:
            _log.exception(failed)
        await asyncio.sleep(seconds)


@asynccontextmanager
async def _accounts_running(container: Container) -> AsyncIterator[None]:
    async with aclosing(container.identity_http()), container.accounts_here().sign_in.running():
        yield


def _hears(container: Container) -> dict[str, tuple[Hears, ...]]:
    """The consumers of each module."""

    def forgets(module: str, forgetting: Callable[[], Forgets]) -> tuple[Hears, ...]:
        return (
            Hears(f"{module}-forgetting", FORGETTING, lambda: forgetting().forget),
            Hears(EVERYWHERE, ERASED, lambda: forgetting().erased),
        )

    return {
        _EVERY_PROCESS: (
            Hears("events-forgetting", FORGETTING, lambda: container.event_forgetting().forget),
            *forgets("gateway", container.reply_forgetting),
        ),
        "usage": (Hears("usage", USAGE_TOPICS, lambda: container.ingest().take),),
        "webhooks": (
            Hears("webhooks", WEBHOOK_TOPICS, lambda: container.webhook_hearing().hear),
            Hears("webhooks-forgetting", FORGETTING, lambda: container.webhook_forgetting().forget),
        ),
        "memory": (Hears(MEMORY, MEMORY_TOPICS, lambda: container.memory_here().hear),),
        "telephony": (Hears("telephony-forgetting", FORGETTING, lambda: container.call_forgetting().forget),),
        "agent": forgets("agent", container.agent_forgetting),
        "llm": forgets("llm", container.thought_forgetting),
        "tts": forgets("tts", container.speech_forgetting),
    }


@asynccontextmanager
async def _usage_running(container: Container) -> AsyncIterator[None]:
    sweep = container.usage_book().sweep_due
    async with (
        _beside(partial(_regularly, sweep, _SWEEP_SECONDS, "usage.not_swept")),
        _beside(partial(_regularly, container.daily().tell_due, _DAY_SECONDS, "usage.day_not_told")),
    ):
        yield


@asynccontextmanager
async def _webhooks_running(container: Container) -> AsyncIterator[None]:
    async with aclosing(container.poster()), _beside(container.webhook_sender().run):
        yield


_OPENERS: dict[str, Callable[[Container], AbstractAsyncContextManager[None]]] = {
    "accounts": _accounts_running,
    "llm": _llm_running,
    "tts": _tts_running,
    "asr": _asr_running,
    "usage": _usage_running,
    "webhooks": _webhooks_running,
    "memory": _memory_running,
    "agent": _agent_running,
    "strategy": _strategy_running,
    "telephony": _telephony_running,
}
