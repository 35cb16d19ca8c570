"""`scriza twilio` against the simulated account."""

import asyncio
import os
import pty
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from scriza import data_dir
from scriza.cli.provider_checks import provider_findings
from scriza.cli.twilio import connect, show_numbers
from scriza.kernel.errors import ScrizaError
from scriza.settings import Settings, load
from scriza.simulator.options import Options
from scriza.simulator.simulator import Simulator
from tests.standins.parrot import beeping_voice

TOKEN = "local-token"
OTHER = "+14155550101"
OPTIONS = Options(more_numbers=(OTHER,), public_url="https://elsewhere.example")
NUMBER = OPTIONS.number
HERE = "https://scriza.example"
CONNECTED = (
    f"{HERE}/voice",
    f"{HERE}/voice/fallback",
    f"{HERE}/status-callback#rc=3&rp=all",
    f"{HERE}/sms#rc=3&rp=all",
)


@pytest.fixture
async def twilio() -> AsyncIterator[Simulator]:
    async with Simulator(
        "http://127.0.0.1:9", auth_token=TOKEN, voice=beeping_voice, rest_port=0, options=OPTIONS
    ) as simulator:
        yield simulator


@pytest.fixture
def settings(twilio: Simulator, tmp_path: Path) -> Settings:
    return load(
        data_dir=str(tmp_path / "data"),
        public_url=HERE,
        twilio_account_sid=OPTIONS.account_sid,
        twilio_auth_token=TOKEN,
        twilio_base_url=twilio.rest_url,
    )


def leads_to(twilio: Simulator, number: str = NUMBER) -> tuple[str, ...]:
    found = twilio.numbers[number]
    return found.voice_url, found.voice_fallback_url, found.status_callback, found.sms_url


def nobody_is_asked(elsewhere: str) -> bool:
    raise AssertionError(f"asked about {elsewhere}")


async def test_numbers_are_listed_with_where_they_lead(
    twilio: Simulator, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    twilio.numbers[OTHER].voice_url = ""
    await show_numbers(settings)
    told = [line.split()[:2] for line in capsys.readouterr().out.splitlines()]
    assert told == [[NUMBER, "elsewhere.example"], [OTHER, "nowhere"]]


async def test_a_number_that_leads_elsewhere_is_asked_for_and_connected_once(
    twilio: Simulator, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    before = leads_to(twilio)
    asked: list[str] = []

    def refuse(elsewhere: str) -> bool:
        asked.append(elsewhere)
        return False

    with pytest.raises(ScrizaError, match="nothing was changed"):
        await connect(settings, NUMBER, refuse)
    assert asked == ["elsewhere.example"]
    assert leads_to(twilio) == before

    await connect(settings, "+1 (415) 555-0100", lambda elsewhere: True)
    assert f"{HERE}/voice (now https://elsewhere.example/voice)" in capsys.readouterr().out
    assert leads_to(twilio) == CONNECTED
    assert leads_to(twilio, OTHER) == before

    await connect(settings, NUMBER, nobody_is_asked)
    assert capsys.readouterr().out == f"{NUMBER} leads to {HERE} already.\n"


async def test_a_new_number_is_connected_without_a_question(twilio: Simulator, settings: Settings) -> None:
    del twilio.numbers[NUMBER]
    new = twilio.numbers[OTHER]
    new.voice_url, new.sms_url = "https://demo.twilio.com/welcome/voice/", "https://demo.twilio.com/welcome/sms/reply"
    new.voice_fallback_url = new.status_callback = ""
    await connect(settings, "", nobody_is_asked)
    assert leads_to(twilio, OTHER) == CONNECTED


async def test_what_is_in_the_way_is_said_in_a_sentence(twilio: Simulator, settings: Settings) -> None:
    async def says(number: str = NUMBER, **changes: str) -> str:
        with pytest.raises(ScrizaError) as refused:
            await connect(settings.model_copy(update=changes), number, nobody_is_asked)
        assert TOKEN not in str(refused.value)
        return str(refused.value)

    assert "no Twilio account is set" in await says(twilio_account_sid="")
    assert "cannot be reached" in await says(twilio_base_url="http://127.0.0.1:9")
    for url in ("http://scriza.example", "https://127.0.0.1:8000", "https://192.168.1.4", "https://localhost"):
        assert "SCRIZA_PUBLIC_URL must be an https URL" in await says(public_url=url)
    assert f"name one: scriza twilio connect NUMBER ({NUMBER}, {OTHER})" in await says("")
    assert "has no number +19995550100" in await says("+19995550100")
    twilio.numbers[NUMBER].trunk_sid = "TK" + "0" * 32
    assert "is led by TK0000" in await says()
    twilio.numbers.clear()
    assert "buy one" in await says("")
    twilio.auth_token = "another"
    assert "TWILIO_AUTH_TOKEN" in await says()


async def test_the_doctor_says_whether_a_number_leads_here(
    twilio: Simulator, settings: Settings, tmp_path: Path
) -> None:
    async def finding() -> tuple[str, str]:
        found = [each async for each in provider_findings(settings, data_dir.prepare(tmp_path / "data"))]
        [numbers] = [each for each in found if each.what == "numbers"]
        return numbers.verdict, numbers.text

    assert await finding() == ("note", "none of the account's numbers leads here: scriza twilio connect")
    await connect(settings, NUMBER, lambda elsewhere: True)
    assert await finding() == ("ok", f"leading here: {NUMBER}")


async def test_the_command_asks_on_a_terminal_and_nowhere_else(twilio: Simulator, tmp_path: Path) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "TWILIO_ACCOUNT_SID": OPTIONS.account_sid,
        "TWILIO_AUTH_TOKEN": TOKEN,
        "TWILIO_BASE_URL": twilio.rest_url,
        "SCRIZA_PUBLIC_URL": HERE,
    }

    async def types(stdin: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "scriza", "twilio", "connect", NUMBER]
        return await asyncio.to_thread(
            lambda: subprocess.run(
                command, cwd=tmp_path, env=environment, stdin=stdin, capture_output=True, text=True, timeout=50
            )
        )

    unattended = await types(subprocess.DEVNULL)
    assert unattended.returncode == 2
    assert unattended.stderr == "scriza: the number leads to elsewhere.example now; --yes leads it here\n"
    keyboard, terminal = pty.openpty()
    try:
        os.write(keyboard, b"y\n")
        told = await types(terminal)
    finally:
        os.close(keyboard)
        os.close(terminal)
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.endswith(f"Done: call {NUMBER}, and Scriza answers.\n")
    assert leads_to(twilio) == CONNECTED
