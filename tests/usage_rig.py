"""The usage module on the real store, with a clock that a test moves."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import msgspec

from scriza.kernel.events import Event, Topic, event
from scriza.kernel.principal import Principal
from scriza.modules.usage.documents import USAGE_DOCUMENTS, CreditAccount, LedgerEntry, collection
from scriza.modules.usage.ingest import Ingest
from scriza.modules.usage.prices import Minutes, PriceTable, Tokens
from scriza.modules.usage.service import UsageService
from scriza.modules.usage.stored import MongoUsage
from scriza.ports.telephony import CallCompleted
from scriza.ports.usage import AsrUsed, LlmUsed, TtsUsed
from scriza_adapters.mongo.store import MongoStore, StoreOptions, open_store
from tests.databases import drop

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
PRICES = PriceTable(
    "test-1",
    models={"gpt-4o": Tokens(prompt=2_000_000, completion=4_000_000, cached_prompt=1_000_000)},
    voices={"elevenlabs": 1_000},
    ears={"whisper": 600},
    calls=Minutes(inbound=10_000, outbound=20_000),
)
"""Two micro-USD for a token of a prompt, four for one of an answer; one for a character."""
ME = Principal("default", "a test", frozenset({"*"}))


class Clock:
    def __init__(self) -> None:
        self.now = NOON + timedelta(minutes=1)

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **span: float) -> None:
        self.now += timedelta(**span)


class UsageRig:
    """The port, what counts events, and what the store holds."""

    def __init__(self, store: MongoStore, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.store = store
        self.book = MongoUsage(store, self.clock)
        self.ingest = Ingest(self.book, PRICES)
        self.service = UsageService(self.book, PRICES, minute_micro_usd=60_000, clock=self.clock)

    async def ledger_sum(self, workspace: str = "default") -> int:
        rows = await collection(LedgerEntry).find({"workspace": workspace}, {"amount": 1}).to_list()
        return sum(int(row["amount"]) for row in rows)

    async def account(self, workspace: str = "default") -> CreditAccount | None:
        return await CreditAccount.find_one({"_id": workspace})


@asynccontextmanager
async def usage_rig(options: StoreOptions) -> AsyncIterator[UsageRig]:
    """The rig on a database of its own."""
    async with open_store(options, USAGE_DOCUMENTS) as store:
        yield UsageRig(store)
        await drop(store.database)


def told(
    topic: Topic, data: msgspec.Struct, call_id: str, key: str, at: datetime = NOON, workspace: str = "default"
) -> Event:
    return event(
        topic, data, source="a test", subject=call_id, key=key, time=at, workspace=workspace, request_id="req_test"
    )


def llm(call_id: str, key: str, prompt: int = 100, answer: int = 25, at: datetime = NOON, **more: object) -> Event:
    fields = {"call_id": call_id, "model": "gpt-4o", "prompt_tokens": prompt, "completion_tokens": answer}
    used = LlmUsed(**{**fields, "cached": False, "estimated": False, **more})
    return told(Topic.USAGE_LLM, used, call_id, key, at)


def tts(call_id: str, key: str, characters: int = 50, at: datetime = NOON, *, cached: bool = False) -> Event:
    used = TtsUsed(call_id, "elevenlabs", "voice", characters, cached)
    return told(Topic.USAGE_TTS, used, call_id, key, at)


def asr(call_id: str, key: str, audio_ms: int = 2_000, at: datetime = NOON) -> Event:
    return told(Topic.USAGE_ASR, AsrUsed(call_id, "whisper", audio_ms), call_id, key, at)


def completed(call_id: str, seconds: int = 61, at: datetime = NOON, playbook: str = "sv_one") -> Event:
    call = CallCompleted(call_id, "completed", "agent-goodbye", "demo_booked", seconds, 6, playbook=playbook)
    return told(Topic.CALL_COMPLETED, call, call_id, "completed", at)
