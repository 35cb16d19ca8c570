"""What one workspace has of playbooks, conversations and memory is not there for another one that knows its ids."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from scriza.kernel.principal import Principal, acting
from scriza.kernel.scopes import ALL
from scriza.wire.context import carrying
from tests.exchange import Exchange, exchange

STRATEGIES, CONVERSATIONS, MEMORY = "/api/v1/strategies", "/api/v1/conversations", "/api/v1/memory"
OURS_ALONE = {
    "edits": [{"pointer": "/persona/name", "value": "Petronella"}],
    "slug": "paper-kite",
}


class Workspace:
    """Asks in the name of one workspace."""

    def __init__(self, office: Exchange, name: str) -> None:
        self._office = office
        with acting(Principal(name, f"usr_{name}", frozenset({ALL}))):
            self._headers = carrying()

    async def ask(self, method: str, path: str, told: Any = None, **headers: str) -> httpx.Response:
        sent = {**self._headers, **headers}
        return await self._office.api.request(method, path, json=told, headers=sent, timeout=30)

    async def told(self, method: str, path: str, told: Any = None, **headers: str) -> Any:
        answer = await self.ask(method, path, told, **headers)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None


@pytest.fixture
async def office(tmp_path: Path, mongo_url: str) -> AsyncIterator[Exchange]:
    async with exchange(tmp_path, mongo_url, f"test_{uuid.uuid4().hex}") as office:
        yield office


async def test_ids_of_another_workspace_lead_nowhere(office: Exchange) -> None:
    ours, theirs = Workspace(office, "ours"), Workspace(office, "theirs")
    version = (await ours.told("POST", STRATEGIES, OURS_ALONE))["version"]["id"]
    await ours.told("POST", f"{STRATEGIES}/paper-kite/publish", {})
    chat = (await ours.told("POST", CONVERSATIONS, {"playbook": version}))["conversation_id"]
    erasure = (await ours.told("DELETE", f"{MEMORY}/callers/+14155550100"))["erasure_id"]
    policy = await ours.told("PUT", f"{MEMORY}/retention", {"transcript_days": 7})

    slug, one = f"{STRATEGIES}/paper-kite", f"{CONVERSATIONS}/{chat}"
    for method, path, told in [
        ("GET", f"{slug}/versions/{version}", None),
        ("GET", f"{slug}/versions/{version}/yaml", None),
        ("GET", f"{slug}/diff?before=published&after={version}", None),
        ("GET", f"{slug}/assets?version={version}", None),
        ("POST", f"{slug}/assets", {"version": version}),
        ("POST", f"{slug}/merge", {"ours": "published", "theirs": version}),
        ("POST", f"{slug}/publish", {"version": version}),
        ("POST", f"{slug}/rollback", {"version": version}),
        ("POST", f"{STRATEGIES}/lint", {"slug": "paper-kite", "version": version}),
        ("POST", STRATEGIES, {**OURS_ALONE, "base": version}),
        ("POST", CONVERSATIONS, {"playbook": version}),
        ("GET", one, None),
        ("POST", f"{one}/turns", {"text": "hello"}),
        ("POST", f"{one}/stream-turns", {"text": "hello"}),
        ("GET", f"{MEMORY}/erasures/{erasure}", None),
    ]:
        answer = await theirs.ask(method, path, told)
        assert answer.status_code == httpx.codes.NOT_FOUND, (method, path, answer.text)
    await theirs.told("DELETE", one)

    assert (await ours.told("GET", one))["conversation_id"] == chat
    assert (await ours.told("GET", f"{MEMORY}/erasures/{erasure}"))["erasure_id"] == erasure
    assert (await ours.told("GET", f"{MEMORY}/retention")) == policy
    assert (await theirs.told("GET", f"{MEMORY}/retention"))["own"] is False
    assert (await theirs.told("GET", slug))["published"]["id"] != version
    assert (await theirs.told("GET", f"{slug}/log"))["data"] == []


async def test_one_key_in_two_workspaces_is_two_keys(office: Exchange) -> None:
    key = {"Idempotency-Key": '"the-same"'}
    begun = [await Workspace(office, name).told("POST", CONVERSATIONS, {}, **key) for name in ("ours", "theirs")]
    again = await Workspace(office, "ours").told("POST", CONVERSATIONS, {}, **key)
    assert begun[0]["conversation_id"] != begun[1]["conversation_id"]
    assert again["conversation_id"] == begun[0]["conversation_id"]
