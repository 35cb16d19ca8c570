"""Tools in whole calls over Twilio's wire: a model that calls them, a real server behind them, a caller who cuts in.

The model is the stand-in for OpenAI's API and the tool's server one of the test's own, both on loopback; all else is
the application as it runs.
"""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from scriza.kernel.events import Topic
from scriza.ports.agent import ToolRun
from scriza.ports.playbook import Playbook, Tool
from scriza.ports.telephony import CallRecord, ReplyGenerated
from tests.exchange import Exchange, KnowingAsr, exchange
from tests.phone_line import caller
from tests.playbooks import PAPER_KITE
from tests.standins.openai import Behaviour, OpenAiStandIn, Request
from tests.standins.strategy import Shelf
from tests.standins.tool_server import Asked, Doing, ToolServer
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(120)

CALLER = "+14155550142"
SLOT = {"type": "object", "properties": {"start": {"type": "string"}, "phone": {"type": "string", "x-from": "caller"}}}
DAY = {"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]}


def playbook(server: ToolServer) -> Playbook:
    tools = [
        Tool(name="find_times", description="Free times.", url=f"{server.url}/times", parameters=DAY, reads_only=True),
        Tool(
            name="book",
            description="Book a time.",
            url=f"{server.url}/book",
            auth_ref="CALENDAR",
            parameters={**SLOT, "required": ["start"]},
            filler="One moment, I am writing it into the calendar for you right now.",
            timeout_ms=15_000,
        ),
    ]
    return msgspec.structs.replace(PAPER_KITE, tools=tools)


class Seller:
    """A model that looks for a time, books it, and says what came of it: by what it is asked, as models do."""

    def __call__(self, request: Request) -> Behaviour:
        messages: list[dict[str, Any]] = request.body["messages"]  # type: ignore[assignment]  # it is JSON
        if not request.body.get("tools"):
            return Behaviour("{}")  # a summary, or what is made of a call that is over
        last_user = max(at for at, message in enumerate(messages) if message["role"] == "user")
        said, since = str(messages[last_user]["content"]), messages[last_user + 1 :]
        results = [json.loads(message["content"]) for message in since if message["role"] == "tool"]
        if "book" not in said and "calendar" not in said:
            return Behaviour("Goodbye then.", [("end_call", "{}")])
        if "calendar" in said:  # the caller has cut in
            return self._booking(results, "It is in the calendar.")
        if not results:
            return Behaviour("Let me look.", [("find_times", '{"day": "tuesday"}')])
        return self._booking(results[1:], f"You are booked for {results[0]['data']['free'][0]}.")

    def _booking(self, results: list[Any], text: str) -> Behaviour:
        if not results:
            return Behaviour("", [("book", '{"start": "tuesday ten"}')])
        return Behaviour(text if results[0]["status"] == "done" else "A colleague makes sure of it.")


@dataclass
class Call:
    """One call, from all sides."""

    office: Exchange
    model: OpenAiStandIn
    server: ToolServer
    record: CallRecord = field(init=False)
    runs: list[list[ToolRun]] = field(init=False)

    async def told(self, call_id: str) -> None:
        self.record = await self.office.record(call_id)
        replies = [event for event in await self.office.told(call_id) if event.type == Topic.REPLY_GENERATED]
        self.runs = [msgspec.json.decode(event.data, type=ReplyGenerated).notes.tools for event in replies]

    @property
    def transcript(self) -> list[tuple[str, str]]:
        return [(turn.user, turn.agent) for turn in self.record.turns]

    def asked(self, path: str) -> list[Asked]:
        return [asked for asked in self.server.asked if asked.target.startswith(path)]


@asynccontextmanager
async def opened(folder: Path, mongo_url: str, *heard: str, booked: asyncio.Event | None = None) -> AsyncIterator[Call]:
    """`booked` is waited for by who keeps the calendar."""
    async with ToolServer() as server, OpenAiStandIn() as model:
        model.decides = Seller()
        server.will("/times", Doing('{"free": ["Tuesday at ten"]}'))
        server.will("/book", Doing('{"booking": "B-17"}', until=booked))
        async with exchange(
            folder,
            mongo_url,
            f"test_{uuid.uuid4().hex}",
            asr=KnowingAsr(*heard),
            strategy=Shelf([playbook(server)]),  # type: ignore[arg-type]  # of playbooks only reading is asked
            openai_base_url=model.url,
            tool_private_hosts=f"http://127.0.0.1:{server.port}",
            tool_tokens="CALENDAR@127.0.0.1=s3cret",
        ) as office:
            yield Call(office, model, server)


async def test_a_model_looks_up_and_books_in_one_call(tmp_path: Path, mongo_url: str) -> None:
    said = "please book me for tuesday"
    async with opened(tmp_path, mongo_url, said, "goodbye") as call:
        outcome = await call.office.twilio.call(
            caller("wait", f"say: {said}", "wait", "say: goodbye", "wait", caller=CALLER)
        )
        await call.told(outcome.call_sid)
    opening, booking, goodbye = call.transcript
    assert booking == (said, "Let me look. You are booked for Tuesday at ten.")
    assert goodbye == ("goodbye", "Goodbye then.")
    assert [[run.name for run in runs] for runs in call.runs] == [[], ["find_times", "book"], []]
    (booked,) = call.asked("/book")
    assert booked.arguments == {"start": "tuesday ten", "phone": CALLER}
    assert booked.headers["authorization"] == "Bearer s3cret"
    assert booked.headers["idempotency-key"].strip('"') == call.runs[1][1].id
    assert call.asked("/times")[0].headers.get("authorization") is None
    assert call.record.ended_reason == "agent-goodbye"
    assert opening[1] == PAPER_KITE.opening.inbound


async def test_a_caller_who_cuts_in_on_a_running_tool_gets_what_came_of_it_and_nothing_is_booked_twice(
    tmp_path: Path, mongo_url: str
) -> None:
    said, cut_in = "please book me for tuesday", "is it in the calendar yet"
    gate = asyncio.Event()
    async with opened(tmp_path, mongo_url, said, cut_in, "goodbye", booked=gate) as call:
        calling = asyncio.create_task(
            call.office.twilio.call(
                caller(
                    "wait",
                    f"say: {said}",
                    "interrupt_after: 1800",
                    f"say: {cut_in}",
                    "wait",
                    "say: goodbye",
                    "wait",
                    caller=CALLER,
                )
            )
        )
        await eventually(lambda: len(call.asked("/book")) == 1, seconds=60)
        await eventually(lambda: cut_in in str(call.model.completions[-1].body["messages"]), seconds=60)
        gate.set()
        outcome = await calling
        await call.told(outcome.call_sid)
    _, booking, answer, goodbye = call.transcript
    assert booking[0] == said
    assert booking[1].startswith("Let me look.")
    assert "right now" not in booking[1], "not all of the filler was heard"
    assert answer == (cut_in, "It is in the calendar.")
    assert goodbye[1] == "Goodbye then."
    assert len(call.asked("/book")) == 1
    assert call.record.metrics.barge_ins == 1
    told = [str(request.body["messages"][0]["content"]) for request in call.model.completions]  # type: ignore[index]  # it is JSON
    assert any("still under way; do not ask for it again" in prompt for prompt in told)
    told_late, told_now = call.runs[2]
    assert (told_late.name, told_now.name, told_now.ok) == ("find_times", "book", True)
