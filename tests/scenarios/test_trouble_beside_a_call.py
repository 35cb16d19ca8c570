"""While somebody talks, others send what they should not: each is refused clearly, and the talk does not notice.

The call is had with a real `scriza serve`, once for all tests of this file; so is the trouble.
"""

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import httpx
import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from scriza.kernel.errors import Problem
from scriza.kernel.events import Event, Topic
from scriza.ports.telephony import CallRecord
from scriza.simulator.messages import Writer
from scriza.simulator.report import CallOutcome, Happening
from scriza.simulator.scenario import load
from scriza.simulator.signing import sign
from tests.phone_line import PhoneLine, free_port, phone_line
from tests.running_scriza import RunningScriza, running_scriza

pytestmark = [pytest.mark.timeout(120), pytest.mark.system]

CANARY = "my mothers maiden name is Quillfeather"
"""What strangers say; it must not come up anywhere."""
NUMBER = "+14155559876"
DEEP = "[" * 50_000
A_BREATH = 1.0
"""Between two rounds of trouble, so that what the call may notice is the trouble and not a busy machine."""
THE_SENDERS_FAULT = {1003, 1007, 1008, 1009, *range(400, 500), *range(4400, 4500)}
"""As a status, as a socket's closing code of the protocol or of our own."""
FORM = {"CallSid": "CA00000000000000000000000000000bad", "From": NUMBER, "To": "+14155550100", "CallStatus": "ringing"}


@dataclass
class Trouble:
    """What strangers did, and how each was answered: a status, or a socket's closing code."""

    refused: dict[str, int] = field(default_factory=dict)
    unclear: list[str] = field(default_factory=list)

    async def send(self, client: httpx.AsyncClient, what: str, method: str, path: str, **request: object) -> None:
        answer = await client.request(method, path, **request)  # type: ignore[arg-type]  # whatever httpx takes
        self.refused[what] = answer.status_code
        if answer.is_success:
            return
        try:
            problem = msgspec.json.decode(answer.content, type=Problem)
        except msgspec.DecodeError:
            self.unclear.append(f"{what}: {answer.status_code} {answer.text[:200]}")
        else:
            if not problem.title or answer.headers["content-type"] != "application/problem+json":
                self.unclear.append(what)

    async def open(self, what: str, url: str, headers: dict[str, str], *messages: str | bytes) -> None:
        """Open a socket, send the messages, and see how it ends."""
        try:
            async with asyncio.timeout(20), connect(url, additional_headers=headers, max_size=None) as socket:
                with suppress(ConnectionClosed):
                    for message in messages:
                        await socket.send(message)
                await socket.wait_closed()
                self.refused[what] = socket.close_code or 0
        except InvalidStatus as refusal:
            self.refused[what] = refusal.response.status_code
        except (TimeoutError, WebSocketException) as error:
            self.unclear.append(f"{what}: {type(error).__name__}")


@dataclass
class Scene:
    """The healthy call and the trouble around it, when both are over."""

    server: RunningScriza
    outcome: CallOutcome
    record: CallRecord
    told: list[Event]
    trouble: Trouble


class Strangers:
    """All that is sent to one server while the call with this CallSid lives; `path` is its stream's, used already."""

    def __init__(self, line: PhoneLine, trouble: Trouble, call_id: str, path: str) -> None:
        self._line, self._trouble, self._call_id, self._path = line, trouble, call_id, path
        self._url = str(line.api.base_url).rstrip("/")
        self._socket_url = self._url.replace("http", "ws", 1)

    async def webhooks(self, client: httpx.AsyncClient) -> None:
        hang_up = FORM | {"CallSid": self._call_id, "CallStatus": "completed", "SequenceNumber": "9"}
        send = self._trouble.send
        for path in ("/voice", "/voice/after", "/voice/fallback", "/status-callback"):
            await send(client, f"unsigned {path}", "POST", path, data=hang_up)
            forged = {"X-Twilio-Signature": base64.b64encode(b"0" * 20).decode()}
            await send(client, f"forged {path}", "POST", path, data=hang_up, headers=forged)
        elsewhere = {"X-Twilio-Signature": self._signature(f"{self._url}/voice", hang_up)}
        await send(client, "signed for another path", "POST", "/status-callback", data=hang_up, headers=elsewhere)
        others = {"X-Twilio-Signature": self._signature(f"{self._url}/status-callback", FORM)}
        await send(client, "signed for another form", "POST", "/status-callback", data=hang_up, headers=others)
        await send(client, "a giant form", "POST", "/voice", content=b"CallSid=" + b"x" * 500_000)
        await send(client, "a form that is none", "POST", "/voice", content=b"\xff\x00" * 100)

    def _signature(self, url: str, form: dict[str, str]) -> str:
        return sign(self._line.twilio.auth_token, url, list(form.items()))

    async def api(self, client: httpx.AsyncClient) -> None:
        send, api = self._trouble.send, self._line.api
        said = {"text": CANARY}
        await send(client, "no token", "POST", "/v1/speak", json=said)
        wrong = {"Authorization": "Bearer wrong"}
        await send(client, "a wrong token", "GET", f"/api/v1/calls/{self._call_id}", headers=wrong)
        for path in ("/v1/turn", "/v1/stream-turn", "/v1/speak", "/v1/stream-speak", "/v1/begin", "/v1/reply"):
            for what, body in (
                ("no JSON", CANARY.encode()),
                ("nested", DEEP.encode()),
                ("another shape", json.dumps([said]).encode()),
                ("wrong types", json.dumps({"text": 1, "messages": CANARY, "call_id": []}).encode()),
                ("half of it", b'{"text": "' + CANARY.encode()),
                ("no UTF-8", b'{"text": "\xff\xfe"}'),
                ("nothing", b""),
            ):
                headers = {"content-type": "application/json"}
                await send(api, f"{what} to {path}", "POST", path, content=body, headers=headers)
        await send(api, "100 kB to speak", "POST", "/v1/speak", json={"text": f"{CANARY} " * 2600})
        await send(api, "nothing to speak", "POST", "/v1/speak", json={"text": " \u200b\n"})
        await send(api, "no audio", "POST", "/v1/transcribe", content=b"", headers={"content-type": "audio/basic"})
        wav = {"content-type": "audio/wav"}
        await send(api, "half a WAV", "POST", "/v1/transcribe", content=b"RIFF\xff\xff\xff\x7fWAVEfmt ", headers=wav)
        await send(api, "audio that is no base64", "POST", "/v1/transcribe", json={"audio": CANARY})
        too_long = {"content-type": "audio/basic"}
        await send(api, "11 minutes", "POST", "/v1/transcribe", content=b"\xff" * (660 * 8000), headers=too_long)
        await send(api, "a call that is none", "GET", "/api/v1/calls/..%2f..%2fetc%2fpasswd")
        await send(api, "a cursor that is none", "GET", "/api/v1/calls?cursor=%ff%00")
        await send(api, "an object that nobody signed", "GET", "/objects/tts-cache/x?expires=9999999999&signature=x")

    async def sockets(self) -> None:
        open_ = self._trouble.open
        stream = f"{self._socket_url}/stream"
        signed = self._signed(stream)
        await open_("an upgrade without a signature", stream, {})
        await open_("a token that was used", self._socket_url + self._path, self._signed(self._socket_url + self._path))
        forged = f"{stream}/{self._call_id}.9999999999.00.00"
        await open_("a token that is forged", forged, self._signed(forged))
        theirs = Writer("MZ" + "0" * 32, self._call_id, "AC" + "0" * 32)
        await open_("a stranger's start for this call", stream, signed, theirs.start({"token": "guess"}).decode())
        await open_("binary", stream, signed, CANARY.encode())
        await open_("no JSON", stream, signed, CANARY)
        await open_("nested", stream, signed, DEEP)
        await open_("giant", stream, signed, "x" * 3_000_000)
        await open_("media before start", stream, signed, *[theirs.media(0, b"\xff" * 160).decode()] * 3)
        recogniser = f"{self._socket_url}/v1/stream"
        await open_("a recogniser without a token", recogniser, {})
        token = {"Authorization": self._line.api.headers["Authorization"]}
        await open_("a recogniser that is told nonsense", recogniser, token, CANARY)
        await open_("audio before the opening", recogniser, token, b"\xff" * 800)

    def _signed(self, url: str) -> dict[str, str]:
        return {"X-Twilio-Signature": sign(self._line.twilio.auth_token, url)}

    @asynccontextmanager
    async def that_say_nothing(self) -> AsyncIterator[None]:
        """Sockets that are accepted and never say `start`."""
        stream = f"{self._socket_url}/stream"
        sockets: list[ClientConnection] = []
        try:
            for _ in range(10):
                sockets.append(await connect(stream, additional_headers=self._signed(stream)))  # noqa: PERF401
            yield
        finally:
            for socket in sockets:
                await socket.close()


async def play(server: RunningScriza, rest_port: int) -> tuple[CallOutcome, CallRecord, list[Event], Trouble]:
    streaming: asyncio.Future[tuple[str, str]] = asyncio.get_running_loop().create_future()

    def follow(call_id: str, happening: Happening) -> None:
        found = re.search(r"(/stream/\S+)", happening.text)
        if happening.kind == "twiml" and found and not streaming.done():
            streaming.set_result((call_id, found[1]))

    trouble = Trouble()
    async with phone_line(server, rest_port=rest_port, tell=follow) as line:
        scenario = msgspec.structs.replace(load("happy-path"), caller=NUMBER)
        calling = asyncio.create_task(line.twilio.call(scenario))
        strangers = Strangers(line, trouble, *await streaming)
        async with (
            httpx.AsyncClient(base_url=line.api.base_url, trust_env=False, timeout=20) as client,
            strangers.that_say_nothing(),
        ):
            while not calling.done():
                await asyncio.gather(strangers.webhooks(client), strangers.api(client), strangers.sockets())
                await asyncio.wait({calling}, timeout=A_BREATH)
        outcome = await calling
        [told] = await line.told(outcome.call_sid)
        return outcome, await line.record(outcome.call_sid), told, trouble


@pytest.fixture(scope="session")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    rest_port = free_port()
    carrier = {"TWILIO_BASE_URL": f"http://127.0.0.1:{rest_port}"}
    folder = tmp_path_factory.mktemp("scriza")
    with running_scriza(folder, ["--port", str(free_port())], **carrier) as server:
        yield Scene(server, *asyncio.run(play(server, rest_port)))


def test_the_call_does_not_notice(scene: Scene) -> None:
    assert scene.outcome.violations == []
    assert scene.outcome.unmet == []
    assert [gap for gap in scene.outcome.gaps if gap.length_ms > scene.outcome.clock_lag_ms] == []
    said = [utterance.text for utterance in scene.outcome.utterances]
    assert [turn.user for turn in scene.record.turns if turn.user] == said
    assert (scene.record.status, scene.record.ended_reason) == ("completed", "agent-goodbye")
    assert [event.type for event in scene.told].count(Topic.CALL_COMPLETED) == 1


def test_everything_that_is_bad_is_refused_as_the_senders_own_fault(scene: Scene) -> None:
    refused = scene.trouble.refused
    assert {what: answer for what, answer in refused.items() if answer not in THE_SENDERS_FAULT} == {}
    assert len(refused) > 60


def test_every_refusal_says_what_is_wrong(scene: Scene) -> None:
    assert scene.trouble.unclear == []


def test_who_is_not_let_in_is_told_nothing_else(scene: Scene) -> None:
    refused = scene.trouble.refused
    assert {refused[what] for what in refused if what.startswith(("unsigned", "forged", "signed for"))} == {403}
    assert {refused[what] for what in ("no token", "a wrong token", "a recogniser without a token")} <= {401, 403}
    assert {refused[f"a token that {what}"] for what in ("was used", "is forged")} == {403}
    assert refused["a stranger's start for this call"] == 1008


def test_the_log_tells_of_it_without_a_secret_a_number_or_a_word_that_was_said(scene: Scene) -> None:
    log = scene.server.output
    assert "stream.refused" in log
    assert "Traceback" not in log
    secrets = [file.read_text() for file in (scene.server.folder / "data/secrets").iterdir()]
    said = [text for turn in scene.record.turns for text in (turn.user, turn.agent) if text]
    for kept in [CANARY, "Quillfeather", NUMBER, NUMBER[1:], *secrets, *said]:
        assert kept not in log
