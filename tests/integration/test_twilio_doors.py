"""The webhooks and the media socket on a real server, behind the real edge; requests signed by Twilio's own library."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from urllib.parse import urlencode

import httpx
import pytest
from structlog.testing import capture_logs
from twilio.request_validator import RequestValidator
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from scriza.gateway.access import OwnCheck, behind
from scriza.gateway.edge import edge_around
from scriza.modules.telephony.call_log import JournaledCall, NewCall
from scriza.modules.telephony.media import Media, MediaSocket, SocketClosed, Start, Stop, decode, media_encoder
from scriza.modules.telephony.routes import stream_routes, webhook_routes
from scriza.modules.telephony.signatures import SignatureGate, SigningKeys
from scriza.modules.telephony.streams import StreamDoor
from scriza.modules.telephony.tokens import StreamTokens
from scriza.modules.telephony.twiml import Twiml
from scriza.modules.telephony.webhooks import Webhooks
from tests.memory_log import MemoryCallLog, MemoryOnce
from tests.memory_placing import MemoryPlacing
from tests.serving import serving

PUBLIC = "https://pbx.example"
VALIDATOR = RequestValidator("auth-token")
CALL = "CA0123456789abcdef0123456789abcdef"
FORM = {"CallSid": CALL, "From": "+14155550123", "To": "+18005551212", "CallStatus": "ringing", "ToState": ""}
CONNECTED = '{"event":"connected","protocol":"Call","version":"1.0.0"}'


class EchoExchange:
    """Leads a call by sending back what it hears."""

    def __init__(self) -> None:
        self.late: list[int] = []
        self.over = asyncio.Event()

    def accepts(self, call_id: str) -> bool:
        return True

    def answered(self, call_id: str, by: str) -> None:
        """No call is led here for long."""

    async def carrier_says(self, call_id: str, status: str) -> None:
        """No call is led here for long."""

    async def answer(self, socket: MediaSocket, start: Start, call: JournaledCall) -> None:
        encode = media_encoder(start.stream_sid)
        try:
            while not isinstance(message := decode(await socket.receive()), Stop):
                if isinstance(message, Media):
                    await socket.send(encode(message.media.payload))
        except SocketClosed:
            await self._send_late(socket)
        finally:
            self.over.set()

    async def _send_late(self, socket: MediaSocket) -> None:
        try:
            await socket.send("too late")
        except SocketClosed as closed:
            self.late.append(closed.code)


class Site:
    def __init__(
        self, client: httpx.AsyncClient, log: MemoryCallLog, tokens: StreamTokens, exchange: EchoExchange
    ) -> None:
        self.client = client
        self.url = str(client.base_url).rstrip("/")
        self.log = log
        self.tokens = tokens
        self.exchange = exchange

    async def post(self, path: str, form: dict[str, str], **headers: str) -> httpx.Response:
        signature = VALIDATOR.compute_signature(PUBLIC + path, form)
        return await self.client.post(
            path,
            content=urlencode(form),
            headers={"x-twilio-signature": signature, "content-type": "application/x-www-form-urlencoded"} | headers,
        )

    @asynccontextmanager
    async def stream(self, path: str, *, signature: str | None = None) -> AsyncIterator[ClientConnection]:
        signed = VALIDATOR.compute_signature("wss://pbx.example" + path, {}) if signature is None else signature
        url = self.url.replace("http", "ws") + path
        async with connect(url, additional_headers={"X-Twilio-Signature": signed}, max_size=None) as socket:
            yield socket

    async def ring(self, call_id: str = CALL) -> str:
        await self.log.open(NewCall(call_id, "default", "inbound", "", "", "ringing", datetime.now(UTC)))
        return f"/stream/{self.tokens.issue(call_id)}"


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    log, once, exchange = MemoryCallLog(), MemoryOnce(), EchoExchange()
    gate = SignatureGate(SigningKeys(("auth-token",)), public_url=PUBLIC, mode="enforce")
    tokens = StreamTokens("key", once)
    twiml = Twiml(public_url=PUBLIC, stream_url="wss://pbx.example")
    placing = MemoryPlacing()
    webhooks = Webhooks(
        log,
        once,
        gate,
        tokens,
        twiml,
        placing.reception,
        stopped=placing.switch.stopped,
        has_credit=placing.purse.for_calls().begins,
        accepts=exchange.accepts,
        on_status=exchange.carrier_says,
        on_answered=exchange.answered,
        name_of=lambda workspace, number: "who",
    )
    door = StreamDoor(log, gate, tokens, exchange)
    routes = [*webhook_routes(lambda: webhooks), *stream_routes(lambda: door)]
    app = edge_around([behind(OwnCheck("Twilio's signature"), *routes)], [])
    async with serving(app, ws_max_size=64 * 1024) as url, httpx.AsyncClient(base_url=url) as client:
        yield Site(client, log, tokens, exchange)


def start(call_id: str = CALL, **parameters: str) -> str:
    return json.dumps(
        {"event": "start", "streamSid": "MZ1", "start": {"callSid": call_id, "customParameters": parameters}}
    )


def frame(chunk: int) -> str:
    return json.dumps({"event": "media", "streamSid": "MZ1", "media": {"chunk": str(chunk), "payload": "/////w=="}})


async def closing_code(socket: ClientConnection) -> int:
    async with asyncio.timeout(20):
        await socket.wait_closed()
    assert socket.close_code is not None
    return socket.close_code


async def still_works(socket: ClientConnection) -> bool:
    await socket.send(frame(1))
    async with asyncio.timeout(20):
        return json.loads(await socket.recv())["media"]["payload"] == "/////w=="


# ---- webhooks -----------------------------------------------------------------------------------------------------


async def test_a_signed_form_is_answered_with_twiml(site: Site) -> None:
    response = await site.post("/voice", FORM)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/xml")
    assert '<Connect action="/voice/after">' in response.text
    assert await site.log.find(CALL) is not None


async def test_a_retry_with_the_same_idempotency_token_gets_the_same_document(site: Site) -> None:
    first, again, other = [
        (await site.post("/voice", FORM, **{"i-twilio-idempotency-token": token})).text for token in ("a", "a", "b")
    ]
    assert first == again != other


async def test_after_fallback_and_status_answer_too(site: Site) -> None:
    await site.post("/voice", FORM)
    assert "<Connect" in (await site.post("/voice/after?attempt=2", FORM | {"CallStatus": "in-progress"})).text
    assert "<Say>" in (await site.post("/voice/fallback", FORM | {"ErrorCode": "11200"})).text
    ended = await site.post("/status-callback", FORM | {"CallStatus": "completed", "SequenceNumber": "3"})
    assert (ended.status_code, ended.content) == (204, b"")


@pytest.mark.parametrize("path", ["/voice", "/voice/after", "/voice/fallback", "/status-callback"])
async def test_each_webhook_refuses_what_is_not_signed(site: Site, path: str) -> None:
    for signature in ("", "forged"):
        response = await site.post(path, FORM, **{"x-twilio-signature": signature})
        assert response.status_code == 403
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["type"] == "urn:scriza:problem:forbidden"


async def test_headers_that_a_proxy_or_a_forger_sets_do_not_change_what_is_checked(site: Site) -> None:
    evil = VALIDATOR.compute_signature("https://evil.example/voice", FORM)
    forwarded = {"host": "evil.example", "x-forwarded-host": "evil.example", "x-forwarded-proto": "https"}
    assert (await site.post("/voice", FORM, **forwarded)).status_code == 200
    assert (await site.post("/voice", FORM, **forwarded, **{"x-twilio-signature": evil})).status_code == 403


async def test_blanks_repeats_and_escapes_reach_the_check_as_they_were_sent(site: Site) -> None:
    form = [
        ("CallSid", CALL),
        ("From", "+14155550123"),
        ("ToCity", ""),
        ("Digits", "2"),
        ("Digits", "1"),
        ("N", "é 🙂"),
    ]

    class Multi(dict[str, list[str]]):
        def getlist(self, name: str) -> list[str]:
            return [value for key, value in form if key == name]

    path = "/voice?flow=a%20b&x="
    response = await site.client.post(
        path,
        content=urlencode(form),
        headers={
            "x-twilio-signature": VALIDATOR.compute_signature(PUBLIC + path, Multi(form)),
            "content-type": "application/x-www-form-urlencoded; charset=UTF-8",
        },
    )
    assert response.status_code == 200


async def test_a_body_that_is_no_form_is_bad_input_and_one_that_is_giant_too_large(site: Site) -> None:
    bad = await site.client.post("/voice", content=b"\xff\xff=1")
    assert (bad.status_code, bad.json()["type"]) == (400, "urn:scriza:problem:bad-input")
    json_body = await site.client.post("/voice", content=b"{", headers={"content-type": "application/json"})
    assert json_body.status_code == 403
    giant = await site.client.post("/voice", content=b"a=" + b"x" * 100_000)
    assert giant.status_code == 413


async def half_a_body(site: Site) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(site.url.rpartition(":")[2]))
    writer.write(b"POST /voice HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nCallSid=CA")
    return reader, writer


async def test_a_body_that_never_ends_is_not_waited_for(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scriza.modules.telephony.routes.BODY_SECONDS", 0.1)
    reader, writer = await half_a_body(site)
    async with asyncio.timeout(30):
        answer = await reader.readuntil(b"}")
    assert answer.startswith(b"HTTP/1.1 504 ")
    assert b"the body took longer than 0.1 s" in answer
    writer.close()


async def test_who_leaves_in_the_middle_of_a_body_is_no_fault_of_ours(site: Site) -> None:
    with capture_logs() as lines:
        _, writer = await half_a_body(site)
        await asyncio.sleep(0.2)  # so that it is being waited for
        writer.close()
        await asyncio.sleep(0.5)
    assert lines == []


# ---- the media socket ---------------------------------------------------------------------------------------------


async def test_a_call_talks_over_its_stream_until_it_stops(site: Site) -> None:
    async with site.stream(await site.ring()) as socket:
        await socket.send(CONNECTED)
        await socket.send(start())
        assert await still_works(socket)
        await socket.send('{"event":"stop"}')
        assert await closing_code(socket) == 1000


async def test_the_token_may_ride_in_a_parameter(site: Site) -> None:
    token = (await site.ring()).removeprefix("/stream/")
    async with site.stream("/stream") as socket:
        await socket.send(start(token=token))
        assert await still_works(socket)


async def test_an_upgrade_is_refused_with_403_unless_it_is_signed_and_its_token_good(site: Site) -> None:
    path = await site.ring()
    for target, signature in (
        (path, ""),
        (path, "forged"),
        ("/stream", ""),
        ("/stream/forged", None),
        (path[:-1], None),
    ):
        with pytest.raises(InvalidStatus) as refused:
            async with site.stream(target, signature=signature):
                pass
        assert refused.value.response.status_code == 403
    async with site.stream(path) as socket:
        await socket.send(start())
        assert await still_works(socket)
    with pytest.raises(InvalidStatus):
        async with site.stream(path):
            pass


HOSTILE = {
    "binary": (b"\x00\x01", 1007),
    "a binary message that reads like one": (start().encode(), 1007),
    "not JSON": ("hello", 1007),
    "nested": ("[" * 60_000, 1007),
    "longer than a message may be": ("x" * (64 * 1024 + 1), 1009),
    "giant": ("x" * 5_000_000, 1009),
    "audio in another format": (
        json.dumps(
            {
                "event": "start",
                "streamSid": "MZ1",
                "start": {"callSid": CALL, "mediaFormat": {"encoding": "audio/x-l16", "sampleRate": 16000}},
            }
        ),
        1007,
    ),
    "somebody else's call": (start("CA2"), 1008),
}


@pytest.mark.parametrize(("message", "code"), HOSTILE.values(), ids=HOSTILE.keys())
async def test_a_hostile_message_closes_its_own_socket_and_no_other(
    site: Site, message: str | bytes, code: int
) -> None:
    other = await site.ring("CA9")
    path = await site.ring()
    async with site.stream(other) as bystander, site.stream(path) as socket:
        await bystander.send(start("CA9"))
        with suppress(ConnectionClosed):
            await socket.send(message)
        assert await closing_code(socket) == code
        assert await still_works(bystander)


@pytest.mark.parametrize("name", ["binary", "not JSON", "nested", "giant"])
async def test_a_hostile_message_in_the_middle_of_a_call_does_the_same(site: Site, name: str) -> None:
    message, code = HOSTILE[name]
    other = await site.ring("CA9")
    async with site.stream(other) as bystander, site.stream(await site.ring()) as socket:
        await bystander.send(start("CA9"))
        await socket.send(start())
        assert await still_works(socket)
        with suppress(ConnectionClosed):
            await socket.send(message)
        assert await closing_code(socket) == code
        assert await still_works(bystander)


async def test_a_socket_that_is_torn_off_cannot_be_sent_to_and_ends_no_other_call(site: Site) -> None:
    async with site.stream(await site.ring("CA9")) as bystander:
        await bystander.send(start("CA9"))
        async with site.stream(await site.ring()) as socket:
            await socket.send(start())
            assert await still_works(socket)
            socket.transport.abort()
            async with asyncio.timeout(20):
                await site.exchange.over.wait()
        assert site.exchange.late == [1006]
        assert await still_works(bystander)


async def test_a_call_whose_stream_has_come_is_in_progress_without_any_callback(site: Site) -> None:
    async with site.stream(await site.ring()) as socket:
        await socket.send(start())
        assert await still_works(socket)
        record = await site.log.record("default", CALL)
    assert record is not None
    assert record.status == "in-progress"
