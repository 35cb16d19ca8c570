"""One call on all production engines, and the same again: what was said, how fast, what is kept and counted."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from scriza.kernel.events import Event, Topic
from scriza.ports.telephony import CallRecord
from scriza.ports.usage import AsrUsed, LlmUsed, TtsUsed
from scriza.simulator.report import CallOutcome
from scriza_adapters.mongo.store import StoreOptions, open_store
from tests.phone_line import caller, complete_record, events_about
from tests.production import ANSWER, BUCKET, House, house, providers
from tests.standins.canned_whisper import SENTENCE, build_canned_whisper

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]

CALLER = caller(
    "wait: {silence_ms: 500, limit_ms: 10000}",
    f"say: {SENTENCE}",
    "wait: {silence_ms: 1500, limit_ms: 15000}",
    "hang_up",
)


async def call(scriza: House) -> tuple[CallOutcome, CallRecord]:
    outcome = await scriza.twilio.call(CALLER)
    return outcome, await complete_record(scriza.api, outcome.call_sid, seconds=30)


async def told(options: StoreOptions, call_id: str) -> list[Event]:
    async with open_store(options, []) as store:
        return await events_about(store.database, call_id)


def used(events: list[Event], topic: Topic, kind: Any) -> list[Any]:
    return [msgspec.json.decode(event.data, type=kind) for event in events if event.type == topic]


async def test_a_call_on_production_engines_and_the_same_call_again(
    store_options: StoreOptions, tmp_path: Path
) -> None:
    model = build_canned_whisper(tmp_path / "models" / "canned")
    listening = {"asr_engine": "faster-whisper", "asr_model": str(model)}
    async with providers() as at:
        async with house(at, store_options, tmp_path, **listening) as scriza:
            first, record = await call(scriza)
            asked_first = [request.body["text"] for request in at.voice.spoken]
            second, again = await call(scriza)
            asked_again = [request.body["text"] for request in at.voice.spoken][len(asked_first) :]
        kept = at.s3.list_objects_v2(Bucket=BUCKET, Prefix="tts-cache/")["Contents"]
        clips = [entry["Key"] for entry in kept if entry["Key"].endswith(".ulaw")]
        events = await told(store_options, first.call_sid)
        later = await told(store_options, second.call_sid)

    opening = record.turns[0].agent
    assert [turn.user for turn in record.turns] == ["", SENTENCE]
    assert record.turns[1].agent == ANSWER
    assert not first.violations
    assert [part.turn for part in record.metrics.latencies] == [1]

    llm, tts, asr = (used(events, *kind) for kind in KINDS)
    assert llm[0].cost_micro_usd > 0
    assert not llm[0].cached
    assert {clip.engine for clip in tts} == {"elevenlabs"}
    assert sum(clip.characters for clip in tts if not clip.cached) >= len(opening) + len(ANSWER)
    assert asr[0].engine == "faster-whisper"
    assert len(clips) >= 2

    assert [turn.agent for turn in again.turns] == [opening, ANSWER]
    assert opening in asked_first
    assert asked_again == [], "everything that is said a second time comes from the cache"
    assert all(clip.cached for clip in used(later, *KINDS[1]))

    print(_shown(record, clips, llm, tts, asr))
    print("again:", _shown(again, clips, *(used(later, *kind) for kind in KINDS)), "texts synthesised:", asked_again)


KINDS = [(Topic.USAGE_LLM, LlmUsed), (Topic.USAGE_TTS, TtsUsed), (Topic.USAGE_ASR, AsrUsed)]


def _shown(record: CallRecord, clips: list[str], *usage: list[Any]) -> str:
    parts = {
        "turns": record.turns,
        "latencies": record.metrics.latencies,
        "clips": clips,
        "usage": [part for kind in usage for part in kind],
    }
    return json.dumps(msgspec.to_builtins(parts), indent=1)
