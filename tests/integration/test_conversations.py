"""Conversations in writing through the whole application: the store, a real voice, keys, and events."""

import base64
import io
import uuid
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.exchange import Exchange, exchange
from tests.playbooks import PAPER_KITE

CONVERSATIONS = "/api/v1/conversations"


@pytest.fixture
async def office(tmp_path: Path, mongo_url: str) -> AsyncIterator[Exchange]:
    async with exchange(tmp_path, mongo_url, f"test_{uuid.uuid4().hex}") as office:
        yield office


async def started(office: Exchange, **told: object) -> str:
    answer = await office.api.post(CONVERSATIONS, json=told, timeout=30)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["conversation_id"])


async def test_the_reply_can_be_heard(office: Exchange) -> None:
    opening = await office.api.post(CONVERSATIONS, json={"speak": True, "audio_format": "wav"}, timeout=30)
    audio = opening.json()["audio"]
    with wave.open(io.BytesIO(base64.b64decode(audio["audio_base64"]))) as sound:
        seconds = sound.getnframes() / sound.getframerate()
    assert opening.json()["text"] == PAPER_KITE.opening.inbound
    assert abs(seconds - audio["duration"]) < 0.1
    assert seconds > 1


async def test_under_one_key_a_turn_is_made_once(office: Exchange) -> None:
    id_ = await started(office)
    say = {"text": "how much does it cost per month"}
    first, again = [
        await office.api.post(f"{CONVERSATIONS}/{id_}/turns", json=say, headers={"Idempotency-Key": '"k1"'})
        for _ in range(2)
    ]
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    other = await office.api.post(f"{CONVERSATIONS}/{id_}/turns", json=say, headers={"Idempotency-Key": '"k2"'})
    assert (first.json()["turn"], other.json()["turn"]) == (1, 2)
    assert other.json()["text"] != first.json()["text"], "nothing is said twice in the same words"


async def test_a_turn_comes_as_events(office: Exchange) -> None:
    id_ = await started(office)
    say = {"text": "how much does it cost per month"}
    async with office.api.stream("POST", f"{CONVERSATIONS}/{id_}/stream-turns", json=say) as answer:
        lines = [line async for line in answer.aiter_lines() if line.startswith("event:")]
    assert lines[-1] == "event: turn"
    assert set(lines[:-1]) == {"event: clause"}


async def test_it_is_kept_until_it_is_erased(office: Exchange) -> None:
    id_ = await started(office, caller="+14155550100")
    await office.api.post(f"{CONVERSATIONS}/{id_}/turns", json={"text": "hello"})
    record = await office.api.get(f"{CONVERSATIONS}/{id_}")
    assert [turn["turn"] for turn in record.json()["turns"]] == [0, 1]
    assert (await office.api.delete(f"{CONVERSATIONS}/{id_}")).status_code == 204
    assert (await office.api.get(f"{CONVERSATIONS}/{id_}")).status_code == httpx.codes.NOT_FOUND
