"""What stands behind each port: the module itself, or the client of one that runs elsewhere.

The one place that knows which concrete class stands where. Providers are synchronous singletons; what has to be opened
and closed is opened by `running`, in the application's lifespan. One container belongs to one application.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path

import structlog
from dependency_injector import containers, providers

from scriza.data_dir import Secrets
from scriza.factories import accounts as people
from scriza.factories import (
    billing,
    calling,
    listening,
    placing,
    recording,
    remembering,
    speaking,
    storage,
    thinking,
    tools,
)
from scriza.factories import strategies as playbooks
from scriza.factories.hearing import EVERYWHERE, Hears, subscribe
from scriza.gateway.forgetting import ReplyForgetting
from scriza.kernel.clock import utc_now
from scriza.kernel.errors import ScrizaError
from scriza.modules.accounts.documents import ACCOUNT_DOCUMENTS
from scriza.modules.agent.chat.service import ChatService
from scriza.modules.agent.chat.stored import MongoChatBook
from scriza.modules.agent.documents import AGENT_DOCUMENTS
from scriza.modules.agent.forgetting import AgentForgetting
from scriza.modules.agent.tools.stored import MongoRunBook
from scriza.modules.agent.tools.workshop import Workshop
from scriza.modules.asr.service import AsrService
from scriza.modules.llm.forgetting import ThoughtForgetting
from scriza.modules.memory.documents import MEMORY_DOCUMENTS
from scriza.modules.memory.post_call import PostCall
from scriza.modules.memory.service import TOPICS as MEMORY_TOPICS
from scriza.modules.memory.service import MemoryService
from scriza.modules.memory.stored import CONSUMER as MEMORY
from scriza.modules.memory.stored import MongoMemoryBook
from scriza.modules.strategy.documents import STRATEGY_DOCUMENTS
from scriza.modules.telephony.documents import DOCUMENTS
from scriza.modules.telephony.forgetting.documents import FORGETTING_DOCUMENTS
from scriza.modules.telephony.forgetting.service import Forgetting
from scriza.modules.telephony.forgetting.stored import MongoForgettingBook
from scriza.modules.telephony.live.session import Doors
from scriza.modules.telephony.live.spare_lines import SpareLines
from scriza.modules.telephony.live.switchboard import Switchboard
from scriza.modules.telephony.messages import Messages
from scriza.modules.telephony.placing.callbacks import Callbacks
from scriza.modules.telephony.placing.desk import CallDeskService
from scriza.modules.telephony.placing.dialling_plan import read_plans, zone_of
from scriza.modules.telephony.placing.dispatch import Dispatcher
from scriza.modules.telephony.placing.documents import PLACING_DOCUMENTS
from scriza.modules.telephony.placing.permission import ListsAndSwitch
from scriza.modules.telephony.placing.stored import (
    MongoBarredBook,
    MongoCallbackBook,
    MongoIntentBook,
    MongoNumberBook,
    MongoSwitchBook,
)
from scriza.modules.telephony.placing.texts import Texts
from scriza.modules.telephony.reception import Reception
from scriza.modules.telephony.recordings.callback import RecordingCallback
from scriza.modules.telephony.recordings.documents import RECORDING_DOCUMENTS
from scriza.modules.telephony.recordings.log import RECORDINGS
from scriza.modules.telephony.service import TelephonyService, recover
from scriza.modules.telephony.stopping import LOOK_SECONDS, StopSwitch
from scriza.modules.telephony.stored_log import MongoCallLog
from scriza.modules.telephony.stored_once import MongoOnce
from scriza.modules.telephony.streams import StreamDoor
from scriza.modules.telephony.tokens import StreamTokens
from scriza.modules.telephony.vad import VadFactory
from scriza.modules.telephony.webhooks import Webhooks
from scriza.modules.tts.cache import ASSETS, CLIPS
from scriza.modules.tts.documents import SPEECH_DOCUMENTS
from scriza.modules.tts.forgetting import SpeechForgetting
from scriza.modules.tts.stored_clips import MongoCallClips
from scriza.modules.usage.documents import USAGE_DOCUMENTS
from scriza.modules.usage.reading import TOPICS as USAGE_TOPICS
from scriza.modules.usage.stored import MongoUsage
from scriza.ports.accounts import Accounts, SignIn
from scriza.ports.agent import Agent
from scriza.ports.asr import Asr
from scriza.ports.call_desk import CallDesk
from scriza.ports.conversations import Conversations
from scriza.ports.credit import UsageBook
from scriza.ports.erasure import ERASED, FORGETTING, Forgets
from scriza.ports.llm import Llm
from scriza.ports.memory import Memory
from scriza.ports.reports import Reports
from scriza.ports.retention import Retention
from scriza.ports.strategy import Strategy
from scriza.ports.telephony import Telephony
from scriza.ports.tts import Tts
from scriza.settings import MODULES, Settings
from scriza.wire import connect, disconnect
from scriza.wire.idempotency import Replays
from scriza_adapters.background_teller import BackgroundTeller
from scriza_adapters.espeak.engine import espeak_worker
from scriza_adapters.mongo.forgetting import EventForgetting
from scriza_adapters.mongo.store import MongoStore, open_store
from scriza_adapters.objects_directory import DirectoryObjects

_log = structlog.get_logger()

_ASKS: dict[str, tuple[str, ...]] = {
    "telephony": ("agent", "asr", "tts"),
    "accounts": ("usage",),
    "agent": ("llm", "strategy", "memory", "tts"),
    "strategy": ("tts", "llm", "agent"),
    "memory": ("llm", "strategy"),
}
"""Which modules a module needs behind their ports."""
DOORS: dict[str, tuple[str, ...]] = {
    "accounts": ("accounts", "sign_in"),
    "agent": ("agent", "conversations"),
    "memory": ("memory", "reports", "retention"),
    "telephony": ("telephony", "call_desk"),
}
"""The providers of a module's ports, where it has more than the one of its own name."""
_EVERY_PROCESS = "process"
"""Beside the modules: what each process has."""
_LOST_AFTER = timedelta(minutes=10)
"""A call to which nothing has happened for so long has lost its session, and nobody reconnected it."""
_LOOK_FOR_LOST_SECONDS = 60
_SPARE_LINE_DEADLINE_MS = 10_000
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
_SETTLE_SECONDS = 5
"""Between two looks for what the carrier was to do and may not have done."""


def served(settings: Settings) -> list[str]:
    """The modules whose routes this process mounts."""
    return [module for module in MODULES if settings.serves(module)]


def place(settings: Settings, module: str) -> str:
    """`local` or `remote`. A process that is told by name to serve a module runs it, whatever its URL tells others."""
    named = bool(settings.modules) and settings.serves(module)
    return "remote" if settings.url_of(module) and not named else "local"


def needed(settings: Settings) -> list[str]:
    """The modules that this process needs, served or not; each comes after those that it asks.

    The agent and strategy ask each other; then the one that was needed first is the later.
    """
    found: list[str] = []
    seen: set[str] = set()

    def need(module: str) -> None:
        if module not in seen:
            seen.add(module)
            if place(settings, module) == "local":
                for asked in _ASKS.get(module, ()):
                    need(asked)
            found.append(module)

    for module in served(settings):
        need(module)
    return found


class Container(containers.DeclarativeContainer):
    """The object graph of one process. `store` and `vad` are there once `running` has opened them."""

    __self__ = providers.Self()
    settings: providers.Dependency[Settings] = providers.Dependency(instance_of=Settings)
    secrets: providers.Dependency[Secrets] = providers.Dependency(instance_of=Secrets)
    data_dir: providers.Dependency[Path] = providers.Dependency(instance_of=Path)
    store: providers.Dependency[MongoStore] = providers.Dependency(instance_of=MongoStore)
    vad: providers.Dependency[VadFactory] = providers.Dependency()

    token = secrets.provided.service_token
    teller = providers.Singleton(BackgroundTeller, store.provided.outbox)
    espeak = providers.Singleton(espeak_worker)
    elevenlabs = providers.Singleton(speaking.elevenlabs, settings)
    objects = providers.Singleton(storage.objects, settings, secrets, data_dir)
    shared_state = providers.Singleton(storage.shared_state, settings)

    llm_here = providers.Singleton(thinking.llm, settings, teller, shared_state)
    llm: providers.Selector[Llm] = providers.Selector(
        providers.Callable(place, settings, "llm"),
        local=llm_here,
        remote=providers.Singleton(connect, Llm, settings.provided.llm_url, token=token),
    )
    call_clips = providers.Singleton(MongoCallClips, store, providers.Callable(speaking.oldest_clip, settings))
    tts_here = providers.Singleton(speaking.tts, settings, elevenlabs, espeak, objects, teller, call_clips)
    tts: providers.Selector[Tts] = providers.Selector(
        providers.Callable(place, settings, "tts"),
        local=tts_here,
        remote=providers.Singleton(connect, Tts, settings.provided.tts_url, token=token),
    )
    recogniser = providers.Singleton(listening.recogniser, settings, data_dir)
    asr_here = providers.Singleton(AsrService, recogniser, teller)
    asr: providers.Selector[Asr] = providers.Selector(
        providers.Callable(place, settings, "asr"),
        local=asr_here,
        remote=providers.Singleton(connect, Asr, settings.provided.asr_url, token=token),
    )
    agent_when_asked = providers.Callable(lambda container: container.agent, __self__)
    strategies = providers.Singleton(playbooks.strategies, settings, store, llm, tts, agent_when_asked)
    strategy: providers.Selector[Strategy] = providers.Selector(
        providers.Callable(place, settings, "strategy"),
        local=strategies.provided.service,
        remote=providers.Singleton(connect, Strategy, settings.provided.strategy_url, token=token),
    )
    name_of = providers.Singleton(calling.name_of, secrets)
    memory_book = providers.Singleton(MongoMemoryBook, store)
    post_call = providers.Singleton(PostCall, memory_book, llm, strategy)
    memory_here = providers.Singleton(MemoryService, memory_book, post_call, name_of)
    memory: providers.Selector[Memory] = providers.Selector(
        providers.Callable(place, settings, "memory"),
        local=memory_here,
        remote=providers.Singleton(connect, Memory, settings.provided.memory_url, token=token),
    )
    counter = providers.Singleton(remembering.counter, store, memory_book, strategy)
    reports: providers.Selector[Reports] = providers.Selector(
        providers.Callable(place, settings, "memory"),
        local=providers.Singleton(remembering.reports, store, memory_book, strategy),
        remote=providers.Singleton(connect, Reports, settings.provided.memory_url, token=token),
    )
    purge = providers.Singleton(remembering.purge, settings, store)
    retention: providers.Selector[Retention] = providers.Selector(
        providers.Callable(place, settings, "memory"),
        local=providers.Singleton(remembering.retention, settings, store),
        remote=providers.Singleton(connect, Retention, settings.provided.memory_url, token=token),
    )
    tool_caller = providers.Singleton(tools.tool_caller, settings)
    run_book = providers.Singleton(MongoRunBook, store)
    workshop = providers.Singleton(Workshop, run_book, tool_caller, memory)
    agent_here = providers.Singleton(thinking.agent, settings, llm, strategy, memory, workshop)
    agent: providers.Selector[Agent] = providers.Selector(
        providers.Callable(place, settings, "agent"),
        local=agent_here,
        remote=providers.Singleton(connect, Agent, settings.provided.agent_url, token=token),
    )
    chat_book = providers.Singleton(MongoChatBook, store)
    conversations: providers.Selector[Conversations] = providers.Selector(
        providers.Callable(place, settings, "agent"),
        local=providers.Singleton(ChatService, agent, tts, chat_book, run_book, name_of),
        remote=providers.Singleton(connect, Conversations, settings.provided.agent_url, token=token),
    )
    agent_forgetting = providers.Singleton(
        AgentForgetting, run_book, chat_book, agent_here.provided.forget, store.provided.outbox
    )

    usage_book = providers.Singleton(MongoUsage, store)
    ingest = providers.Singleton(billing.ingest, settings, usage_book)
    usage: providers.Selector[UsageBook] = providers.Selector(
        providers.Callable(place, settings, "usage"),
        local=providers.Singleton(billing.usage, settings, usage_book),
        remote=providers.Singleton(connect, UsageBook, settings.provided.usage_url, token=token),
    )
    mail = providers.Singleton(people.mail, settings, data_dir)
    accounts_here = providers.Singleton(people.accounts, settings, secrets, store, shared_state, mail, usage)
    accounts: providers.Selector[Accounts] = providers.Selector(
        providers.Callable(place, settings, "accounts"),
        local=accounts_here.provided.accounts,
        remote=providers.Singleton(connect, Accounts, settings.provided.accounts_url, token=token),
    )
    sign_in: providers.Selector[SignIn] = providers.Selector(
        providers.Callable(place, settings, "accounts"),
        local=accounts_here.provided.sign_in,
        remote=providers.Singleton(connect, SignIn, settings.provided.accounts_url, token=token),
    )

    call_log = providers.Singleton(MongoCallLog, store)
    once = providers.Singleton(MongoOnce, store)
    carrier = providers.Singleton(calling.carrier, settings, secrets)
    recordings = providers.Singleton(recording.recordings, settings, store, call_log, objects, carrier)
    telephony: providers.Selector[Telephony] = providers.Selector(
        providers.Callable(place, settings, "telephony"),
        local=providers.Singleton(TelephonyService, call_log, recordings),
        remote=providers.Singleton(connect, Telephony, settings.provided.telephony_url, token=token),
    )
    gate = providers.Singleton(calling.signature_gate, settings, secrets)
    stream_tokens = providers.Singleton(StreamTokens, secrets.provided.stream_key, once)
    rules = providers.Singleton(placing.rules, settings)
    intents = providers.Singleton(MongoIntentBook, store, name_of)
    numbers = providers.Singleton(MongoNumberBook, store)
    barred = providers.Singleton(MongoBarredBook, store, name_of)
    switch_book = providers.Singleton(MongoSwitchBook, store)
    permission = providers.Singleton(ListsAndSwitch, rules, barred, switch_book)
    dispatcher = providers.Singleton(
        Dispatcher, intents, carrier, providers.Singleton(placing.links, settings), permission
    )
    texts = providers.Singleton(Texts, intents, dispatcher)
    callback_book = providers.Singleton(MongoCallbackBook, store, name_of)
    reception = providers.Singleton(Reception, numbers, dispatcher, agent, rules)
    switchboard = providers.Singleton(
        Switchboard,
        providers.Singleton(
            Doors,
            agent=agent,
            asr=asr,
            tts=tts,
            log=call_log,
            texts=texts,
            barred=barred,
            callbacks=callback_book,
            vad=vad,
            endpointer=providers.Callable(calling.endpointer, settings).provider,
            clock=providers.Object(utc_now),
            spare_lines=providers.Singleton(SpareLines, tts, _SPARE_LINE_DEADLINE_MS),
            zone_of=providers.Object(zone_of),
            recorder=recordings.provided.recorder,
        ),
        providers.Callable(calling.session_options, settings),
        most_calls=settings.provided.most_calls,
    )
    switch = providers.Singleton(StopSwitch, switch_book, switchboard.provided.stop_all)
    call_desk: providers.Selector[CallDesk] = providers.Selector(
        providers.Callable(place, settings, "telephony"),
        local=providers.Singleton(
            CallDeskService,
            intents,
            numbers,
            barred,
            switch,
            dispatcher,
            permission,
            agent,
            rules,
            sender=settings.provided.outbound_sender,
            longest_seconds=providers.Callable(placing.longest_seconds, settings),
        ),
        remote=providers.Singleton(connect, CallDesk, settings.provided.telephony_url, token=token),
    )
    callbacks = providers.Singleton(Callbacks, callback_book, call_desk)
    webhooks = providers.Singleton(
        Webhooks,
        call_log,
        once,
        gate,
        stream_tokens,
        providers.Singleton(calling.twiml, settings),
        reception,
        stopped=switch.provided.stopped,
        accepts=switchboard.provided.accepts,
        on_status=switchboard.provided.carrier_says,
        on_answered=switchboard.provided.answered,
        name_of=name_of,
    )
    recording_callback = providers.Singleton(RecordingCallback, gate, recordings)
    messages = providers.Singleton(Messages, call_log, call_log, gate, reception, barred, name_of)
    replays = providers.Singleton(Replays, shared_state)
    event_forgetting = providers.Singleton(EventForgetting, store.provided.database, store.provided.outbox)
    reply_forgetting = providers.Singleton(ReplyForgetting, replays, store.provided.outbox)
    thought_forgetting = providers.Singleton(ThoughtForgetting, llm_here.provided.cache, store.provided.outbox)
    speech_forgetting = providers.Singleton(
        SpeechForgetting, call_clips, tts_here.provided.cache, store.provided.outbox
    )
    call_forgetting = providers.Singleton(
        Forgetting, providers.Singleton(MongoForgettingBook, store), recordings, intents, callback_book, barred
    )
    stream_door = providers.Singleton(StreamDoor, call_log, gate, stream_tokens, switchboard)


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
    async with container.accounts_here().sign_in.running():
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
        "memory": (Hears(MEMORY, MEMORY_TOPICS, lambda: container.memory_here().hear),),
        "telephony": (Hears("telephony-forgetting", FORGETTING, lambda: container.call_forgetting().forget),),
        "agent": forgets("agent", container.agent_forgetting),
        "llm": forgets("llm", container.thought_forgetting),
        "tts": forgets("tts", container.speech_forgetting),
    }


@asynccontextmanager
async def _usage_running(container: Container) -> AsyncIterator[None]:
    book = container.usage_book()

    async def sweep() -> None:
        for workspace in await book.workspaces():
            await book.sweep(workspace)

    async with _beside(partial(_regularly, sweep, _SWEEP_SECONDS, "usage.not_swept")):
        yield


_OPENERS: dict[str, Callable[[Container], AbstractAsyncContextManager[None]]] = {
    "accounts": _accounts_running,
    "llm": _llm_running,
    "tts": _tts_running,
    "asr": _asr_running,
    "usage": _usage_running,
    "memory": _memory_running,
    "agent": _agent_running,
    "strategy": _strategy_running,
    "telephony": _telephony_running,
}
