"""A process that is killed in the middle of a tool: what nobody can tell was done is told so, and never done again."""

import asyncio
import base64
import json
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.running_scriza import RunningScriza, running_scriza
from tests.standins.tool_server import Doing, ToolServer
from tests.waiting import eventually

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

SLUG = "desk"
BOOKED, FAILED = "You are booked for ten.", "The calendar does not answer, a colleague confirms it."


def playbook(server: ToolServer) -> dict[str, Any]:
    line = "One moment."
    return {
        "schema": "scriza.playbook/1",
        "slug": SLUG,
        "title": "Desk",
        "locale": "en-US",
        "goal": {"primary": "Book."},
        "persona": {"name": "Sam", "company": "Acme"},
        "variables": [{"name": "time", "default": "ten"}],
        "opening": {"inbound": "Hello, this is Sam from Acme.", "fallback": "Goodbye."},
        "stages": [{"id": "desk", "goal": "Book.", "final": True}],
        "intents": [
            {"id": "book_me", "triggers": ["book me in"], "answer": {"say": [BOOKED, f"Yes. {BOOKED}"], "tool": "book"}}
        ],
        "tools": [
            {
                "name": "book",
                "description": "Book.",
                "url": f"{server.url}/book",
                "timeout_ms": 1000,
                "failed": [FAILED],
            }
        ],
        "transfer": {"unavailable": {"say": [line]}},
        "voicemail": {"action": "hang_up"},
        "silence": {"prompts": [line]},
        "closing": {"goodbye": "Goodbye."},
        "lines": {"repair": line, "trouble": line, "resumed": line, "unknown": [line]},
    }


async def ask(scriza: RunningScriza, path: str, **body: object) -> httpx.Response:
    url = await asyncio.to_thread(lambda: scriza.url)
    headers = {"authorization": f"Bearer {scriza.token}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, timeout=60) as api:
        return await api.post(path, json=body)


async def done(scriza: RunningScriza, path: str, **body: object) -> dict[str, Any]:
    answer = await ask(scriza, path, **body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_a_tool_that_was_asked_by_a_process_that_was_killed_is_not_asked_again(tmp_path: Path) -> None:
    folder = tmp_path / "scriza"
    async with ToolServer() as server:
        server.will("/book", Doing(never=True))
        reach = {"SCRIZA_TOOL_PRIVATE_HOSTS": f"http://127.0.0.1:{server.port}"}
        with running_scriza(folder, **reach) as scriza:
            source = base64.b64encode(json.dumps(playbook(server)).encode()).decode()
            await done(scriza, "/api/v1/strategies", file=source, name="desk.json")
            await done(scriza, f"/api/v1/strategies/{SLUG}/publish")
            chat = (await done(scriza, "/api/v1/conversations", playbook=SLUG))["conversation_id"]
            turn = asyncio.create_task(ask(scriza, f"/api/v1/conversations/{chat}/turns", text="book me in"))
            await eventually(lambda: len(server.asked) == 1)
            scriza.process.send_signal(signal.SIGKILL)
            with pytest.raises(httpx.HTTPError):
                await turn
        with running_scriza(folder, **reach) as scriza:
            # The right to the turn runs out within a minute; the tool's run is overdue before.
            async with asyncio.timeout(120):
                while (answer := await ask(scriza, f"/api/v1/conversations/{chat}/turns", text="book me in")).is_error:
                    assert answer.json()["reason"] == "turn-under-way"
                    await asyncio.sleep(1)
        assert FAILED in answer.json()["text"]
        assert BOOKED not in answer.json()["text"]
        assert len(server.asked) == 1
