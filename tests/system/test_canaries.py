"""Personal data and secrets are planted wherever they can come in, and looked for wherever they must not come out.

A real `scriza serve` has a real call over Twilio's wire: the recogniser is one that knows what the caller says, the
model the stand-in for OpenAI's API, which repeats what it has heard and then quotes it in an error.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from scriza.gateway.access import Bearer, ServiceAccess, behind
from scriza.gateway.edge import edge_around
from scriza.kernel.events import Event
from scriza.ports.asr import Asr
from scriza.ports.telephony import CallRecord
from scriza.wire import serve
from tests.exchange import KnowingAsr
from tests.phone_line import PhoneLine, caller, phone_line
from tests.running_scriza import running_scriza
from tests.serving import serving
from tests.standins.openai import Behaviour, OpenAiStandIn, Request

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

TOKEN = "canary-service-token-5d41402abc4b"
KEY = "sk-canary-7d793037a0760186574b0282f2f435e7"
JWT = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJlLW9mLXRoZS1jYW5hcnk"
CANARIES = {
    "phone": "4155550142",
    "e-mail": "canary@quillfeather.example",
    "card": "4111111111111111",
    "card in groups": "4111 1111 1111 1111",
    "spoken card": "four one one one one one one one one one one one one one one one",
    "iban": "GB82WEST12345698765432",
    "jwt": JWT,
    "provider's key": KEY,
    "service token": TOKEN,
    "webhook secret": "whsec_Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5",
    "password": "canary under the floorboards",
    "name": "Quillfeather",
}
NUMBER = "+1" + CANARIES["phone"]
SAYS = (
    f"my name is Quillfeather and my mail is {CANARIES['e-mail']}",
    f"my card is {CANARIES['spoken card']}",
    f"the number on it is {CANARIES['card in groups']} and my account {CANARIES['iban']}",
    "thank you goodbye",
)
KEPT_FROM_TRANSCRIPTS = ("card", "card in groups", "spoken card", "iban")


def repeats(request: Request) -> Behaviour:
    """A model that repeats what it hears, and once a provider that quotes its prompt and its key in an error."""
    heard = str(request.body["messages"][-1]["content"])  # type: ignore[index]  # it is JSON
    if "goodbye" in heard:
        return Behaviour(status=400, body=f'{{"error": {{"message": "bad key {KEY} for {" ".join(SAYS)}"}}}}')
    return Behaviour(f"You said: {heard}.")


@asynccontextmanager
async def ears() -> AsyncIterator[str]:
    """A recogniser on another machine."""
    app = edge_around([behind(Bearer(), serve(Asr, KnowingAsr(*SAYS)))], [ServiceAccess(TOKEN)])
    async with serving(app, ws="websockets-sansio") as url:
        yield url


async def asked_badly(api: httpx.AsyncClient) -> list[str]:
    """The bodies and headers of answers to requests that hold canaries where they should not."""
    webhook = {"url": f"https://crm.example/?t={CANARIES['webhook secret']}", "events": ["call.outcome"]}
    answers = [
        await api.get(f"/api/v1/calls/{CANARIES['card']}"),
        await api.get("/api/v1/calls", headers={"authorization": f"Bearer {JWT}"}),
        await api.get("/api/v1/calls", headers={"authorization": f"Bearer scz_key_{CANARIES['card']}"}),
        await api.post("/api/v1/calls", json={"to": f"{NUMBER}x"}),
        await api.post("/api/v1/calls", json={"to": NUMBER, "sender": f"card {CANARIES['card']}"}),
        await api.post("/api/v1/calls", content=f'{{"to": "{NUMBER}", "x": '.encode()),
        await api.post("/api/v1/auth/login", json={"email": CANARIES["e-mail"], "password": CANARIES["password"]}),
        await api.post("/api/v1/auth/reset", json={"email": CANARIES["e-mail"]}),
        await api.post("/api/v1/auth/refresh", json={"refresh_token": JWT}),
        await api.post("/v1/turn", json={"messages": [{"role": "user", "content": CANARIES["iban"]}], "tools": 7}),
        await api.post("/v1/turn", json={"messages": [{"role": CANARIES["e-mail"], "content": "hello"}]}),
        await api.post("/voice", data={"From": NUMBER, "CallSid": "CA1"}, headers={"x-twilio-signature": JWT}),
        await api.get(f"/objects/{CANARIES['e-mail']}?signature={KEY}"),
        await api.get("/static/../" + CANARIES["e-mail"]),
        await api.get("/health", headers={"x-request-id": f"{CANARIES['phone']}\r\n{KEY}".replace("\r\n", " ")}),
        await api.post("/api/v1/webhooks", json=webhook | {"url": "http://" + CANARIES["e-mail"]}),
    ]
    assert all(answer.status_code < 500 for answer in answers), [answer.text for answer in answers]
    return [answer.text + str(answer.headers) for answer in answers]


async def call_and_ask(line: PhoneLine) -> tuple[CallRecord, list[Event], list[str], str]:
    turns = [part for said in SAYS for part in ("wait", f"say: {said}")]
    outcome = await line.twilio.call(caller(*turns, "wait", "pause: 3000", caller=NUMBER))
    record = await line.record(outcome.call_sid)
    bodies = await asked_badly(line.api)
    metrics = await line.api.get("/metrics")
    await asyncio.sleep(2)  # what comes after a call is logged, too
    return record, (await line.told(outcome.call_sid))[0], bodies, metrics.text


@pytest.mark.parametrize("log", ["json", "pretty"])
async def test_no_canary_comes_out(tmp_path: Path, log: str) -> None:
    async with OpenAiStandIn(key=KEY) as model, ears() as asr_url:
        model.decides = repeats
        environment = {
            "SCRIZA_LOG": log,
            "SCRIZA_LOG_LEVEL": "debug",
            "SCRIZA_SERVICE_TOKEN": TOKEN,
            "SCRIZA_ASR_URL": asr_url,
            "OPENAI_API_KEY": KEY,
            "OPENAI_BASE_URL": model.url,
        }
        with running_scriza(tmp_path / "scriza", **environment) as server:
            async with phone_line(server, service_token=TOKEN) as line:
                record, told, bodies, metrics = await call_and_ask(line)
            output = server.output
        files = [str(file.relative_to(server.folder)) for file in server.folder.rglob("*")]
    heard = " ".join(turn.user for turn in record.turns)
    assert "Quillfeather" in heard  # the call did hear them
    assert any(NUMBER in str(request.body) or "Quillfeather" in str(request.body) for request in model.requests)
    places = {
        "log": [output],
        "answers": bodies,
        "metrics": [metrics],
        "names of files and objects": files,
        "ids of events": [event.id for event in told],
    }
    found = [
        f"{canary} in {place}: ...{text[max(0, at - 80) : at + 60]}..."
        for place, texts in places.items()
        for canary, value in CANARIES.items()
        for text in texts
        if (at := text.find(value)) >= 0
    ]
    sizes = {place: f"{len(texts)} texts, {sum(map(len, texts))} characters" for place, texts in places.items()}
    print(f"\n{len(CANARIES)} canaries, {log} log; searched {sizes}; found {len(found)}")
    assert found == []
    kept = heard + " ".join(turn.agent for turn in record.turns) + " ".join(str(bytes(event.data)) for event in told)
    assert [canary for canary in KEPT_FROM_TRANSCRIPTS if CANARIES[canary] in kept] == []
    assert "[card]" in kept
