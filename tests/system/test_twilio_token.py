"""A token that Twilio does not accept is told at start, by its name."""

import asyncio
from pathlib import Path

import pytest

from scriza.simulator.options import Options
from scriza.simulator.simulator import Simulator
from tests.running_scriza import running_scriza
from tests.standins.parrot import beeping_voice

pytestmark = [pytest.mark.system, pytest.mark.timeout(200)]


async def test_a_wrong_token_is_in_the_log_soon_after_the_start(tmp_path: Path) -> None:
    async with Simulator("http://127.0.0.1:9", auth_token="right", voice=beeping_voice, rest_port=0) as twilio:
        settings = {
            "TWILIO_ACCOUNT_SID": Options().account_sid,
            "TWILIO_AUTH_TOKEN": "wrong-and-secret",
            "TWILIO_BASE_URL": twilio.rest_url,
            "SCRIZA_ASR_ENGINE": "pocketsphinx",
            "SCRIZA_LOG": "json",
        }
        with running_scriza(tmp_path / "one", **settings) as scriza:
            await asyncio.to_thread(lambda: scriza.url)
            for _ in range(1200):
                told = [line for line in scriza.output.splitlines() if "TWILIO_AUTH_TOKEN" in line]
                if told:
                    break
                await asyncio.sleep(0.05)
            assert len(told) == 1
            assert "HTTP 401, error 20003" in told[0]
            assert "wrong-and-secret" not in scriza.output
