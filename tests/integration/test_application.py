"""The application put together: which rooms are in it, who may enter them, what stands behind the doors."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar import Litestar
from pymongo import AsyncMongoClient

from scriza.app import application, container_of
from scriza.container import Container
from scriza.data_dir import secrets_of
from scriza.gateway.access import unruled
from scriza.modules.llm.service import LlmService
from scriza.places import needed, place, served
from scriza.settings import MODULES, BadSettings, load
from scriza_adapters.mongo.store import MongoStore

SOCKETS = {"/v1/stream"}
ELSEWHERE = "http://127.0.0.1:9"


def container(tmp_path: Path, **overrides: Any) -> Container:
    settings = load(**overrides)
    made = Container(settings=settings, secrets=secrets_of(settings, tmp_path), data_dir=tmp_path)
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient("mongodb://127.0.0.1:9")  # connects when it is used
    made.store.override(MongoStore(client, client["nowhere"]))
    return made


def paths(app: Litestar) -> set[str]:
    return {route.path for route in app.routes}


def test_everything_is_served_and_nothing_is_without_an_access_rule(tmp_path: Path) -> None:
    app = application(container_of(load(data_dir=tmp_path)))
    assert unruled(app) == []
    assert paths(app) >= {
        *("/voice", "/voice/after", "/voice/fallback", "/status-callback", "/stream", "/stream/{token:str}"),
        *("/v1/transcribe", "/v1/stream", "/v1/speak", "/v1/stream-speak", "/v1/begin", "/v1/reply"),
        *("/v1/turn", "/v1/stream-turn", "/v1/models", "/api/v1/calls", "/api/v1/calls/{call_id:str}"),
        *("/health", "/health/live", "/health/ready"),
    }


def test_the_openapi_page_of_everything_can_be_made(tmp_path: Path) -> None:
    app = application(container_of(load(data_dir=tmp_path)))
    page = app.openapi_schema.to_schema()
    served = {path for path in paths(app) if path.startswith(("/v1/", "/api/"))} - SOCKETS
    assert {path.replace(":str", "") for path in served} <= page["paths"].keys()
    told = {tag["name"]: tag["description"] for tag in page["tags"]}
    for methods in (page["paths"][path] for path in page["paths"] if path.startswith(("/v1/", "/api/"))):
        for operation in methods.values():
            assert operation["summary"]
            (tag,) = operation["tags"]
            assert told[tag]
            if operation["operationId"] == "Llm.chat_completions":
                continue  # its shapes are OpenAI's
            assert operation["responses"]["400"]["content"]["application/problem+json"]["examples"]
            body = operation.get("requestBody", {"content": {}})["content"].get("application/json")
            assert body is None or body.get("example") is not None, f"{operation['operationId']}: gateway/examples.py"


async def test_while_the_service_token_is_rotated_the_old_one_opens_the_door_too(tmp_path: Path) -> None:
    async def answers(**settings: str) -> list[int]:
        app = application(container(tmp_path, modules="llm", service_token="new", **settings))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://scriza") as client:
            tokens = ("new", "old", "")
            asked = [await client.get("/v1/models", headers={"authorization": f"Bearer {token}"}) for token in tokens]
        return [answer.status_code for answer in asked]

    assert await answers(service_token_old="old") == [200, 200, 401]
    assert await answers() == [200, 401, 401]


def test_a_part_serves_its_own_doors_and_no_others(tmp_path: Path) -> None:
    app = application(container_of(load(data_dir=tmp_path, modules="llm,tts")))
    doors = {path for path in paths(app) if path.startswith(("/v1", "/api", "/voice", "/stream", "/status"))}
    assert doors == {
        *("/v1/turn", "/v1/stream-turn", "/v1/models", "/v1/chat/completions"),
        *("/v1/speak", "/v1/stream-speak", "/v1/speech-cache", "/v1/kept-clips"),
    }


def test_a_process_needs_what_its_modules_ask_and_nothing_else() -> None:
    assert needed(load()) == [
        "usage",
        "llm",
        "tts",
        "strategy",
        "memory",
        "agent",
        "asr",
        "telephony",
        "accounts",
        "webhooks",
    ]
    assert needed(load(modules="tts")) == ["tts"]
    assert needed(load(modules="agent")) == ["usage", "llm", "tts", "strategy", "memory", "agent"]
    elsewhere = {"llm_url": ELSEWHERE, "strategy_url": ELSEWHERE, "memory_url": ELSEWHERE}
    assert needed(load(modules="agent", **elsewhere)) == ["llm", "strategy", "memory", "tts", "agent"]
    assert needed(load(modules="telephony", agent_url=ELSEWHERE)) == ["agent", "asr", "tts", "usage", "telephony"]


def test_a_module_with_a_url_runs_elsewhere() -> None:
    settings = load(llm_url=ELSEWHERE)
    assert {module for module in MODULES if place(settings, module) == "remote"} == {"llm"}
    assert served(settings) == list(MODULES)


def test_a_process_that_is_told_to_serve_a_module_runs_it_though_all_processes_share_the_url() -> None:
    assert place(load(modules="llm", llm_url=ELSEWHERE), "llm") == "local"
    assert place(load(modules="agent", llm_url=ELSEWHERE), "llm") == "remote"


async def test_one_variable_puts_a_client_behind_the_port(tmp_path: Path) -> None:
    here, there = container(tmp_path), container(tmp_path, llm_url=ELSEWHERE)
    assert isinstance(here.llm(), LlmService)
    assert repr(there.llm()) == f"<RemoteLlm at {ELSEWHERE}>"
    assert there.llm() is there.llm()
    calls = container(tmp_path, telephony_url=ELSEWHERE)
    assert [repr(calls.telephony()), repr(calls.call_desk())] == [
        f"<RemoteTelephony at {ELSEWHERE}>",
        f"<RemoteCallDesk at {ELSEWHERE}>",
    ]


@pytest.mark.parametrize(
    ("provider", "overrides", "told"),
    [
        ("llm_here", {"llm_engine": "openai"}, "SCRIZA_LLM_ENGINE=openai needs OPENAI_API_KEY"),
        ("elevenlabs", {"tts_engine": "elevenlabs"}, "SCRIZA_TTS_ENGINE=elevenlabs needs ELEVENLABS_API_KEY"),
        ("recogniser", {"asr_engine": "faster-whisper"}, "the model base.en is not on this machine: `scriza models fe"),
        (
            "recogniser",
            {"asr_engine": "faster-whisper", "asr_model": "/none"},
            "the model /none is not on this machine",
        ),
        ("recogniser", {"twilio_account_sid": "AC1"}, "SCRIZA_ASR_ENGINE=pocketsphinx"),
        ("carrier", {"twilio_account_sid": "AC1"}, "TWILIO_ACCOUNT_SID needs TWILIO_AUTH_TOKEN"),
        ("gate", {"twilio_shared_keys": "SK1"}, "TWILIO_SHARED_KEYS: write ID=SECRET"),
        ("objects", {"objects_url": "s3:bucket"}, "SCRIZA_OBJECTS_URL: objects are at s3://"),
    ],
)
async def test_settings_that_do_not_fit_together_are_told(
    tmp_path: Path, provider: str, overrides: dict[str, str], told: str
) -> None:
    made = container(tmp_path, **overrides).providers[provider]
    with pytest.raises(BadSettings, match=told):
        made()
