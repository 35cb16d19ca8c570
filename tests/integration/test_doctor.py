"""The doctor asks every provider that is configured whether it is there, and names the key that is not accepted."""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from scriza.cli.doctor import examine
from scriza.cli.finding import Finding
from scriza.gateway.access import ServiceAccess
from scriza.gateway.edge import edge_around
from scriza.gateway.health import health_routes
from scriza.gateway.metrics import metrics_route
from scriza.kernel.errors import Unavailable
from scriza.settings import load
from scriza.simulator.simulator import Simulator
from scriza_adapters.mongo.store import StoreOptions
from tests.serving import listening_socket, serving
from tests.standins.bad_line import BadLine, Refusal
from tests.standins.elevenlabs import ElevenLabsStandIn, standing_in
from tests.standins.openai import OpenAiStandIn

Findings = Callable[..., Awaitable[list[Finding]]]


@pytest.fixture
def findings(store_options: StoreOptions, tmp_path: Path) -> Findings:
    async def found(**settings: Any) -> list[Finding]:
        store = {"mongo_url": store_options.url, "mongo_database": store_options.database}
        return [finding async for finding in examine(load(data_dir=tmp_path, **store, **settings))]

    return found


def about(what: str, found: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.verdict, finding.text) for finding in found if finding.what == what]


@pytest.fixture
async def model() -> AsyncIterator[OpenAiStandIn]:
    async with OpenAiStandIn() as model:
        yield model


async def test_keys_that_are_accepted_are_told_as_good(model: OpenAiStandIn, findings: Findings) -> None:
    async with standing_in(ElevenLabsStandIn(key="good")) as voice:
        found = await findings(
            openai_api_key="good",
            openai_base_url=model.url,
            elevenlabs_api_key="good",
            elevenlabs_base_url=voice.url,
        )
    assert ("ok", f"{model.url} accepts OPENAI_API_KEY") in about("thinking", found)
    assert ("ok", "ElevenLabs accepts its key") in about("speaking", found)


async def test_a_wrong_key_is_found_by_name_and_not_shown(model: OpenAiStandIn, findings: Findings) -> None:
    async with standing_in(ElevenLabsStandIn(key="good")) as voice, BadLine(model.url) as line:
        await line.turn(Refusal("401", 401, '{"error": {"message": "wr0ng", "code": "invalid_api_key"}}'))
        found = await findings(
            openai_api_key="wr0ng",
            openai_base_url=line.url,
            elevenlabs_api_key="wr0ng",
            elevenlabs_base_url=voice.url,
        )
    thinking, speaking = about("thinking", found)[-1], about("speaking", found)[-1]
    assert thinking[0] == speaking[0] == "bad"
    assert "OPENAI_API_KEY" in thinking[1]
    assert "ELEVENLABS_API_KEY" in speaking[1]
    assert "wr0ng" not in repr(found)


async def test_an_account_is_asked_for(findings: Findings) -> None:
    async def silent(text: str, voice: str) -> Any:
        raise AssertionError("nobody speaks")

    async with Simulator("http://127.0.0.1:9", auth_token="good", voice=silent, rest_port=0) as twilio:
        account = {"twilio_account_sid": twilio.options.account_sid, "twilio_base_url": twilio.rest_url}
        good = about("Twilio", await findings(twilio_auth_token="good", **account))
        bad = about("Twilio", await findings(twilio_auth_token="wr0ng", **account))
    assert good[-1] == ("ok", "the account is active")
    assert bad[-1][0] == "bad"
    assert "TWILIO_AUTH_TOKEN" in bad[-1][1]


async def test_what_does_not_answer_is_told_with_the_setting_that_leads_there(
    findings: Findings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with listening_socket() as bound:  # bound, but nobody listens
        nowhere = f"127.0.0.1:{bound.getsockname()[1]}"
        found = await findings(
            openai_api_key="k",
            openai_base_url=f"http://{nowhere}",
            objects_url=f"s3://bucket?endpoint=http://{nowhere}&region=us-east-1",
            redis_url=f"redis://{nowhere}",
        )
    assert "OPENAI_API_KEY" in about("thinking", found)[-1][1]
    assert "SCRIZA_OBJECTS_URL" in about("objects", found)[-1][1]
    assert "SCRIZA_REDIS_URL" in about("Redis", found)[-1][1]
    assert {about(what, found)[-1][0] for what in ("thinking", "objects", "Redis")} == {"bad"}


async def test_a_server_that_says_nothing_is_not_waited_for_long(findings: Findings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        found = await findings(openai_api_key="k", openai_base_url=f"http://127.0.0.1:{server.getsockname()[1]}")
    assert about("thinking", found)[-1][0] == "bad"


async def test_a_module_elsewhere_is_asked_whether_it_lets_us_in(findings: Findings) -> None:
    async with serving(edge_around([health_routes({}), metrics_route()], [ServiceAccess("good")])) as url:
        good = about("llm", await findings(llm_url=url, service_token="good"))
        bad = about("llm", await findings(llm_url=url, service_token="wr0ng"))
    assert good == [("ok", f"{url} is ready")]
    assert bad == [("bad", f"{url} has another token: set SCRIZA_SERVICE_TOKEN to the same for both")]


async def test_a_module_elsewhere_that_is_away_or_not_ready_is_told(findings: Findings) -> None:
    async def fails() -> None:
        raise Unavailable

    with listening_socket() as bound:  # bound, but nobody listens
        nowhere = f"http://127.0.0.1:{bound.getsockname()[1]}"
        away = about("llm", await findings(llm_url=nowhere))
    async with serving(edge_around([health_routes({"store": fails})], [ServiceAccess("good")])) as url:
        unready = about("llm", await findings(llm_url=url))
    assert away == [("bad", f"nothing answers at {nowhere}")]
    assert unready == [("bad", f"{url} is not ready: 503")]
