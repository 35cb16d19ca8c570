"""Who calls again is known by what the first call has learned, until they are forgotten."""

import asyncio
import uuid
from pathlib import Path

import httpx
import pytest

from tests.exchange import KnowingAsr, exchange
from tests.phone_line import caller
from tests.playbooks import shipped

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

CLINIC = shipped("clinic-intake-en-us")
ASKS = caller("wait", "say: can i make an appointment", "wait", "say: thank you goodbye", "wait")
HEARD = ("hi my name is ada and i need a cleaning", "thank you goodbye")


async def known_facts(api: httpx.AsyncClient, number: str, *, none: bool = False) -> dict[str, str]:
    """What is known of the number, once something is, or with `none`, once nothing is any more."""
    for _ in range(300):
        answer = (await api.get(f"/api/v1/memory/callers/{number}")).json()
        facts = {known["name"]: known["text"] for known in answer.get("known", []) if known["kind"] == "fact"}
        if bool(facts) != none:
            return facts
        await asyncio.sleep(0.1)
    raise AssertionError("memory does not change its mind")


async def test_the_second_call_is_opened_by_the_name_that_the_first_has_learned(tmp_path: Path, mongo_url: str) -> None:
    database, playbook = f"test_{uuid.uuid4().hex}", CLINIC.slug
    async with exchange(tmp_path, mongo_url, database, asr=KnowingAsr(*HEARD), playbook=playbook) as office:

        async def opening() -> str:
            outcome = await office.twilio.call(ASKS)
            assert outcome.violations == []
            return (await office.record(outcome.call_sid)).turns[0].agent

        assert await opening() == CLINIC.opening.inbound
        assert (await known_facts(office.api, ASKS.caller))["name"] == "Ada"
        assert (await opening()).startswith("Welcome back to Maple Street Dental, Ada.")
        forgotten = await office.api.delete(f"/api/v1/memory/callers/{ASKS.caller}")
        assert forgotten.is_success, forgotten.text
        assert await known_facts(office.api, ASKS.caller, none=True) == {}
        assert await opening() == CLINIC.opening.inbound
