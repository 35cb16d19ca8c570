"""One whole call over Twilio's wire that runs out of credit: the alert, the polite close, the ledger, and every topic.

All of it is the application as it runs: the recogniser, the playbook, the voice, the ledger. Its prices are the test's
own, so high that four turns cost what a month does.
"""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from scriza.kernel.events import Event, Topic
from scriza.modules.webhooks.signing import signed
from scriza.ports.credit import Credit, CreditThreshold, LedgerPage
from scriza.ports.telephony import CallRecord
from scriza_adapters.mongo.outbox import OUTBOX, telling
from tests.exchange import Exchange, exchange
from tests.phone_line import caller
from tests.playbooks import PAPER_KITE
from tests.standins.tool_server import Asked, ToolServer

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120), pytest.mark.system]

PRICES = {
    "version": "of-the-test",
    "models": {"playbook": {"prompt": 25_000_000, "completion": 25_000_000}},
    "voices": {"espeak": 10_000},
    "ears": {"pocketsphinx": 60_000},
    "calls": {"inbound": 10_000, "outbound": 10_000},
}
"""25 micro-USD for a token."""
GRANTED = 70_000
THRESHOLD = 40_000
SAYS = ("what does it do", "how much does it cost per month", "that is too expensive", "do you have a free trial")
LEAVE = PAPER_KITE.lines.ends_early


@dataclass
class Spent:
    """The call, from all sides, when all of it was counted."""

    record: CallRecord
    told: list[Event]
    ledger: LedgerPage
    credit: Credit
    next_call: str
    posted: list[Asked]
    """What the team's own system was told."""
    secret: str
    letters: list[str]

    def data(self, topic: Topic) -> list[Any]:
        return [msgspec.json.decode(event.data) for event in self.told if event.type == topic]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def spent(tmp_path_factory: pytest.TempPathFactory, mongo_url: str) -> AsyncIterator[Spent]:
    folder = tmp_path_factory.mktemp("spent")
    prices = folder / "prices.json"
    await asyncio.to_thread(prices.write_text, json.dumps(PRICES))
    async with (
        ToolServer() as crm,
        exchange(
            folder,
            mongo_url,
            f"test_{uuid.uuid4().hex}",
            asr_engine="pocketsphinx",
            prices=str(prices),
            hold_per_minute=30_000,
            hold_seconds=60,
            webhook_private_hosts=f"http://127.0.0.1:{crm.port}",
        ) as office,
    ):
        events = ["call.completed", "call.outcome", "lead.hot", "credit.threshold"]
        made = await _ask(office, "POST", "/api/v1/webhooks", {"url": f"{crm.url}/hook", "events": events})
        letters = {"url": "mailto:ada@team.example", "events": ["credit.threshold"]}
        await _ask(office, "POST", "/api/v1/webhooks", letters)
        await _ask(office, "POST", "/api/v1/credit/grants", {"amount": GRANTED})
        await _ask(office, "PUT", "/api/v1/credit/rules", {"thresholds": [THRESHOLD]})
        turns = [line for said in SAYS for line in ("wait", f"say: {said}")]
        outcome = await office.twilio.call(caller(*turns, "wait", "pause: 5000"))
        record = await office.record(outcome.call_sid)

        async def settled() -> bool:
            credit = msgspec.json.decode(await _ask(office, "GET", "/api/v1/credit"), type=Credit)
            return credit.held == 0 and await _all_counted(office)

        async with asyncio.timeout(30):
            while not await settled():  # noqa: ASYNC110 # there is no event to wait for
                await asyncio.sleep(0.1)
        second = await office.twilio.call(caller("wait"))
        ledger = await _ask(office, "GET", "/api/v1/credit/ledger?limit=500")
        yield Spent(
            record,
            await _events(office),
            msgspec.json.decode(ledger, type=LedgerPage),
            msgspec.json.decode(await _ask(office, "GET", "/api/v1/credit"), type=Credit),
            (await office.record(second.call_sid)).ended_reason,
            list(crm.asked),
            json.loads(made)["secret"],
            await asyncio.to_thread(_letters, folder / "mail"),
        )


async def _ask(office: Exchange, verb: str, path: str, body: object = None) -> bytes:
    answer = await office.api.request(verb, path, json=body)
    assert answer.is_success, answer.text
    return answer.content


def _letters(folder: Path) -> list[str]:
    return [file.read_text() for file in sorted(folder.glob("*.eml"))]


async def _events(office: Exchange) -> list[Event]:
    rows = await office.container.store().database[OUTBOX].find().sort("order", 1).to_list()
    return [event for row in rows for event in telling(row).events]


async def _all_counted(office: Exchange) -> bool:
    of_usage = {Topic.USAGE_LLM, Topic.USAGE_TTS, Topic.USAGE_ASR, Topic.CALL_COMPLETED}
    told = {event.id for event in await _events(office) if event.type in of_usage}
    counted = await office.container.store().database["usage_events"].distinct("_id")
    return told <= set(counted)


async def test_the_agent_takes_leave_in_its_own_voice_and_nothing_is_cut_off(spent: Spent) -> None:
    assert spent.record.ended_reason == "no-credit"
    last = spent.record.turns[-1]
    assert last.agent == LEAVE
    assert last.user in SAYS
    heard = [(reply["text"], reply["heard"]) for reply in spent.data(Topic.REPLY_GENERATED)]
    assert all(text == heard for text, heard in heard)


async def test_what_is_answered_after_the_credit_was_used_up_is_one_turn_at_most(spent: Spent) -> None:
    """The ledger in its order: the balance is gone once, and after that one more turn may have been counted."""
    balance, over = 0, []
    for line in reversed(spent.ledger.data):
        if line.kind == "usage" and line.about == "playbook" and balance <= 0:
            over.append(line)
        balance += line.amount
    assert len(over) <= 1
    assert 2 <= len([turn for turn in spent.record.turns if turn.user]) <= len(SAYS)


async def test_the_ledger_tells_what_was_spent_and_nothing_is_held_any_more(spent: Spent) -> None:
    of_the_call = [line for line in spent.ledger.data if line.call_id == spent.record.call_id]
    assert {line.about for line in of_the_call} == {"playbook", "espeak", "pocketsphinx", "inbound"}
    assert [line.amount for line in of_the_call if line.kind == "call"] == [-10_000]
    assert sum(line.amount for line in spent.ledger.data) == spent.credit.balance <= 0
    assert (spent.credit.held, spent.credit.available) == (0, spent.credit.balance)


async def test_the_alert_is_given_once(spent: Spent) -> None:
    (alert,) = spent.data(Topic.CREDIT_THRESHOLD)
    told = msgspec.convert(alert, CreditThreshold)
    assert told.threshold == THRESHOLD
    assert told.balance < THRESHOLD


async def test_the_team_s_own_system_is_told_and_can_prove_by_whom(spent: Spent) -> None:
    told = [json.loads(asked.body) for asked in spent.posted]
    assert {each["type"] for each in told} == {"credit.threshold", "call.completed", "call.outcome"}
    of_the_call = [each for each in told if each["subject"] == spent.record.call_id]
    assert {each["data"].get("ended_reason", "no-credit") for each in of_the_call} == {"no-credit"}
    for asked in spent.posted:
        signed_by_us = signed(
            [spent.secret], asked.headers["webhook-id"], int(asked.headers["webhook-timestamp"]), asked.body
        )
        assert asked.headers["webhook-signature"] == signed_by_us["webhook-signature"]


async def test_a_letter_tells_of_the_alert(spent: Spent) -> None:
    (letter,) = spent.letters
    assert "below the $0.04 at which you wanted to be told" in letter
    assert "To: ada@team.example" in letter


async def test_the_next_call_is_declined(spent: Spent) -> None:
    assert spent.next_call == "no-credit"


@pytest.mark.parametrize(
    "topic",
    [
        Topic.CALL_STARTED,
        Topic.UTTERANCE_TRANSCRIBED,
        Topic.REPLY_GENERATED,
        Topic.AUDIO_SYNTHESIZED,
        Topic.CALL_UPDATED,
        Topic.CALL_COMPLETED,
        Topic.USAGE_LLM,
        Topic.USAGE_TTS,
        Topic.USAGE_ASR,
        Topic.USAGE_UPDATED,
        Topic.CREDIT_THRESHOLD,
    ],
)
async def test_the_call_is_told_of_under_every_topic(spent: Spent, topic: Topic) -> None:
    told = [event for event in spent.told if event.type == topic]
    assert told
    assert len({event.id for event in told}) == len(told)
    assert {event.workspace for event in told} == {"default"}
