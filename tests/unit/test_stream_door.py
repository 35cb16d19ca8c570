"""Media streams at the door, on virtual time: who gets in, how soon the others are closed, and with which code."""

import asyncio
import hmac
import json
from base64 import b64encode
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from scriza.kernel.errors import BadInput, Forbidden, ScrizaError, Unavailable
from scriza.kernel.principal import current
from scriza.modules.telephony.call_log import Ending, JournaledCall, NewCall
from scriza.modules.telephony.media import MediaSocket, SocketClosed, Start, media_encoder
from scriza.modules.telephony.signatures import Signature, SignatureGate, SigningKeys
from scriza.modules.telephony.streams import START_SECONDS, StreamDoor
from scriza.modules.telephony.tokens import StreamTokens
from scriza.ports.telephony import CallMetrics
from tests.memory_log import MemoryCallLog, MemoryOnce
from tests.virtual_time import run_virtual

CALL = "CA1"
STREAM = "MZ1"
CONNECTED = '{"event":"connected","protocol":"Call","version":"1.0.0"}'


def start(call_id: str = CALL, **details: object) -> str:
    return json.dumps({"event": "start", "streamSid": STREAM, "start": {"callSid": call_id, **details}})


class Socket:
    """The other side sends these messages and then nothing, or closes."""

    def __init__(self, *messages: str | ScrizaError, closes: bool = False) -> None:
        self._messages = list(messages)
        self._closes = closes
        self.closed: list[int] = []

    async def receive(self) -> str:
        if self._messages:
            message = self._messages.pop(0)
            if isinstance(message, ScrizaError):
                raise message
            return message
        if self._closes:
            raise SocketClosed(1006)
        await asyncio.Event().wait()
        raise AssertionError

    async def send(self, text: str) -> None:
        pass

    async def close(self, code: int = 1000) -> None:
        self.closed.append(code)


class Hall:
    """A door, a call that waits for its stream, and a switchboard that notes who came through."""

    def __init__(self, log: MemoryCallLog | None = None) -> None:
        self.log = log or MemoryCallLog()
        self.tokens = StreamTokens("key", MemoryOnce())
        self.answered: list[tuple[str, str, str]] = []
        self.act: Callable[[MediaSocket], Awaitable[None]] | None = None
        gate = SignatureGate(SigningKeys(("12345",)), public_url="https://h.example", mode="enforce")
        self.door = StreamDoor(self.log, gate, self.tokens, self)

    async def ring(self) -> None:
        await self.log.open(NewCall(CALL, "default", "inbound", "", "", "ringing", datetime.now(UTC)))

    async def answer(self, socket: MediaSocket, start: Start, call: JournaledCall) -> None:
        self.answered.append((start.stream_sid, call.call_id, current().call_id))
        if self.act:
            await self.act(socket)


@pytest.fixture
async def hall() -> Hall:
    made = Hall()
    await made.ring()
    return made


def signature(target: str) -> Signature:
    return Signature(b64encode(hmac.digest(b"12345", f"wss://h.example{target}".encode(), "sha1")).decode())


# ---- before the socket is accepted --------------------------------------------------------------------------------


async def test_a_token_in_the_path_admits_its_call_once(hall: Hall) -> None:
    token = hall.tokens.issue(CALL)
    target = f"/stream/{token}"
    assert await hall.door.admit(target, signature(target), token) == CALL
    with pytest.raises(Forbidden, match="has been used"):
        await hall.door.admit(target, signature(target), token)


async def test_without_a_token_in_the_path_the_signature_alone_admits_for_now(hall: Hall) -> None:
    assert await hall.door.admit("/stream", signature("/stream"), "") == ""


async def test_an_upgrade_that_is_not_signed_is_refused_and_does_not_use_the_token_up(hall: Hall) -> None:
    token = hall.tokens.issue(CALL)
    target = f"/stream/{token}"
    for bad in (Signature(""), Signature("forged"), signature("/stream/other")):
        with pytest.raises(Forbidden):
            await hall.door.admit(target, bad, token)
    assert await hall.door.admit(target, signature(target), token) == CALL


# ---- until `start` ------------------------------------------------------------------------------------------------


async def test_the_stream_is_handed_over_with_its_call(hall: Hall) -> None:
    socket = Socket(CONNECTED, start())
    await hall.door.serve(socket, CALL)
    assert hall.answered == [(STREAM, CALL, CALL)]
    assert socket.closed == [1000]
    call = await hall.log.find(CALL)
    assert call is not None
    assert call.attached == 1


async def test_the_token_may_come_in_the_parameters_of_start(hall: Hall) -> None:
    socket = Socket(CONNECTED, start(customParameters={"token": hall.tokens.issue(CALL)}))
    await hall.door.serve(socket, "")
    assert hall.answered == [(STREAM, CALL, CALL)]


async def test_messages_that_are_not_known_may_come_before_start(hall: Hall) -> None:
    await hall.door.serve(Socket('{"event":"hello"}', CONNECTED, start()), CALL)
    assert hall.answered


REFUSED = {
    "not JSON": (["hello"], 1007),
    "cut short": ([start()[:-5]], 1007),
    "nested without end": (['{"event":' + "[" * 60_000], 1007),
    "giant": (['{"event":"connected","x":"' + "x" * 100_000 + '"}'], 1009),
    "binary": ([BadInput("a media message is text, not binary")], 1007),
    "audio before start": ([CONNECTED, media_encoder(STREAM)(b"\xff" * 160)], 1007),
    "unknown messages without end": (['{"event":"hello"}'] * 50, 1007),
    "start without a call": ([json.dumps({"event": "start", "streamSid": STREAM, "start": {}})], 1007),
    "another format": ([start(mediaFormat={"encoding": "audio/x-l16", "sampleRate": 16000, "channels": 1})], 1007),
    "the call of somebody else": ([start("CA2")], 1008),
}


@pytest.mark.parametrize(("messages", "code"), REFUSED.values(), ids=REFUSED.keys())
async def test_what_does_not_begin_as_a_stream_is_closed_with_the_reasons_code(
    hall: Hall, messages: list[str | ScrizaError], code: int
) -> None:
    socket = Socket(*messages)
    with capture_logs() as logs:
        await hall.door.serve(socket, CALL)
    assert socket.closed == [code]
    assert hall.answered == []
    assert [line["event"] for line in logs] == ["stream.refused"]


@pytest.mark.parametrize("parameters", [{}, {"token": ""}, {"token": "forged"}, {"other": "x"}])
async def test_a_start_without_a_good_token_in_its_parameters_is_refused(
    hall: Hall, parameters: dict[str, str]
) -> None:
    socket = Socket(CONNECTED, start(customParameters=parameters))
    await hall.door.serve(socket, "")
    assert socket.closed == [1008]
    assert hall.answered == []


async def test_a_token_of_another_call_in_the_parameters_is_refused(hall: Hall) -> None:
    socket = Socket(start(customParameters={"token": hall.tokens.issue("CA2")}))
    await hall.door.serve(socket, "")
    assert socket.closed == [1008]


async def test_a_call_that_is_not_known_or_has_ended_gets_no_stream(hall: Hall) -> None:
    unknown = Socket(start("CA2"))
    await hall.door.serve(unknown, "CA2")
    await hall.log.end(Ending(CALL, "agent-goodbye", datetime.now(UTC), 1, CallMetrics()))
    ended = Socket(start())
    await hall.door.serve(ended, CALL)
    assert (unknown.closed, ended.closed) == ([1008], [1008])
    assert hall.answered == []


def test_a_socket_that_never_sends_start_is_closed_in_time() -> None:
    async def silent() -> None:
        for messages in ([], [CONNECTED]):
            socket = Socket(*messages)
            began = asyncio.get_running_loop().time()
            await Hall().door.serve(socket, CALL)
            assert asyncio.get_running_loop().time() - began == pytest.approx(START_SECONDS)
            assert socket.closed == [1008]

    run_virtual(silent())


async def test_a_socket_that_closes_before_start_is_forgotten(hall: Hall) -> None:
    socket = Socket(CONNECTED, closes=True)
    await hall.door.serve(socket, CALL)
    assert hall.answered == []


def test_a_log_that_hangs_closes_the_stream_to_be_tried_again() -> None:
    class Stuck(MemoryCallLog):
        async def attach(self, call_id: str) -> JournaledCall:
            await asyncio.sleep(3600)
            raise AssertionError

    async def attach() -> None:
        socket = Socket(start())
        await Hall(Stuck()).door.serve(socket, CALL)
        assert socket.closed == [1013]

    run_virtual(attach())


# ---- while the call is led ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SocketClosed(1006), 1011),
        (BadInput("not a media message"), 1007),
        (Unavailable("gone"), 1013),
        (ValueError("a fault of ours"), 1011),
    ],
)
async def test_whatever_ends_a_stream_badly_ends_only_that_stream(hall: Hall, error: Exception, code: int) -> None:
    async def fail(_: MediaSocket) -> None:
        raise error

    hall.act = fail
    socket = Socket(start())
    await hall.door.serve(socket, CALL)
    assert socket.closed == [code]


async def test_a_server_that_stops_still_closes_the_socket(hall: Hall) -> None:
    talking = asyncio.Event()

    async def talk(_: MediaSocket) -> None:
        talking.set()
        await asyncio.Event().wait()

    hall.act = talk
    socket = Socket(start())
    task = asyncio.create_task(hall.door.serve(socket, CALL))
    await talking.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert socket.closed == [1011]
