"""What stands behind each port: the module itself, or the client of one that runs elsewhere.

The one place that knows which concrete class stands where. Providers are synchronous singletons; what has to be opened
and closed is opened by `scriza.opening`, in the application's lifespan. One container belongs to one application.
"""

from pathlib import Path

from dependency_injector import containers, providers

from scriza.data_dir import Secrets
from scriza.factories import accounts as people
from scriza.factories import (
    billing,
    calling,
    listening,
    notifying,
    placing,
    recording,
    remembering,
    speaking,
    storage,
    thinking,
    tools,
)
from scriza.factories import strategies as playbooks
from scriza.gateway.forgetting import ReplyForgetting
from scriza.kernel.clock import utc_now
from scriza.modules.agent.chat.service import ChatService
from scriza.modules.agent.chat.stored import MongoChatBook
from scriza.modules.agent.forgetting import AgentForgetting
from scriza.modules.agent.tools.stored import MongoRunBook
from scriza.modules.agent.tools.workshop import Workshop
from scriza.modules.asr.service import AsrService
from scriza.modules.llm.forgetting import ThoughtForgetting
from scriza.modules.memory.post_call import PostCall
from scriza.modules.memory.service import MemoryService
from scriza.modules.memory.stored import MongoMemoryBook
from scriza.modules.telephony.credit import CallCredit
from scriza.modules.telephony.forgetting.service import Forgetting
from scriza.modules.telephony.forgetting.stored import MongoForgettingBook
from scriza.modules.telephony.live.session import Doors
from scriza.modules.telephony.live.spare_lines import SpareLines
from scriza.modules.telephony.live.switchboard import Switchboard
from scriza.modules.telephony.messages import Messages
from scriza.modules.telephony.placing.callbacks import Callbacks
from scriza.modules.telephony.placing.desk import CallDeskService
from scriza.modules.telephony.placing.dialling_plan import zone_of
from scriza.modules.telephony.placing.dispatch import Dispatcher
from scriza.modules.telephony.placing.permission import ListsSwitchAndCredit
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
from scriza.modules.telephony.service import TelephonyService
from scriza.modules.telephony.stopping import StopSwitch
from scriza.modules.telephony.stored_log import MongoCallLog
from scriza.modules.telephony.stored_once import MongoOnce
from scriza.modules.telephony.streams import StreamDoor
from scriza.modules.telephony.tokens import StreamTokens
from scriza.modules.telephony.vad import VadFactory
from scriza.modules.telephony.webhooks import Webhooks
from scriza.modules.tts.forgetting import SpeechForgetting
from scriza.modules.tts.stored_clips import MongoCallClips
from scriza.modules.usage.stored import MongoUsage
from scriza.modules.webhooks.hearing import Hearing, WebhookForgetting
from scriza.modules.webhooks.stored import MongoWebhooks
from scriza.places import place
from scriza.ports.accounts import Accounts, SignIn
from scriza.ports.agent import Agent
from scriza.ports.asr import Asr
from scriza.ports.call_desk import CallDesk
from scriza.ports.conversations import Conversations
from scriza.ports.credit import UsageBook
from scriza.ports.llm import Llm
from scriza.ports.memory import Memory
from scriza.ports.reports import Reports
from scriza.ports.retention import Retention
from scriza.ports.strategy import Strategy
from scriza.ports.telephony import Telephony
from scriza.ports.tts import Tts
from scriza.ports.webhooks import Webhooks as TeamWebhooks
from scriza.settings import Settings
from scriza.wire import connect
from scriza.wire.idempotency import Replays
from scriza_adapters.background_teller import BackgroundTeller
from scriza_adapters.espeak.engine import espeak_worker
from scriza_adapters.identity_http import IdentityHttp
from scriza_adapters.mongo.forgetting import EventForgetting
from scriza_adapters.mongo.store import MongoStore

_SPARE_LINE_DEADLINE_MS = 10_000


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

    usage_book = providers.Singleton(MongoUsage, store)
    ingest = providers.Singleton(billing.ingest, settings, usage_book)
    daily = providers.Singleton(billing.daily, settings, usage_book, store)
    usage: providers.Selector[UsageBook] = providers.Selector(
        providers.Callable(place, settings, "usage"),
        local=providers.Singleton(billing.usage, settings, usage_book),
        remote=providers.Singleton(connect, UsageBook, settings.provided.usage_url, token=token),
    )
    credit = usage.provided.check

    llm_here = providers.Singleton(thinking.llm, settings, teller, shared_state, credit)
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
    mail = providers.Singleton(people.mail, settings, data_dir)
    webhook_book = providers.Singleton(MongoWebhooks, store)
    poster = providers.Singleton(notifying.poster, settings)
    webhook_hearing = providers.Singleton(Hearing, webhook_book)
    webhook_forgetting = providers.Singleton(WebhookForgetting, webhook_book, store.provided.outbox)
    webhook_sender = providers.Singleton(notifying.sender, secrets, webhook_book, poster, mail)
    team_webhooks: providers.Selector[TeamWebhooks] = providers.Selector(
        providers.Callable(place, settings, "webhooks"),
        local=providers.Singleton(notifying.webhooks, secrets, webhook_book, poster),
        remote=providers.Singleton(connect, TeamWebhooks, settings.provided.webhooks_url, token=token),
    )
    identity_http = providers.Singleton(IdentityHttp)
    accounts_here = providers.Singleton(
        people.accounts, settings, secrets, store, shared_state, mail, usage, identity_http
    )
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
    call_credit = providers.Singleton(CallCredit, credit, step_s=settings.provided.hold_seconds)
    permission = providers.Singleton(ListsSwitchAndCredit, rules, barred, switch_book, call_credit)
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
            credit=call_credit,
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
        has_credit=call_credit.provided.begins,
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
