"""A port's socket side as a stranger sees it, who knows the protocol and not our client."""

import asyncio
import base64
import io
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from scriza.gateway.access import Bearer, ServiceAccess, behind
from scriza.gateway.edge import edge_around
from scriza.logs import configure as configure_logs
from scriza.wire import serve
from tests.contract.echo import Bye, Echo, Flush, Parrot, Piece
from tests.serving import serving

TOKEN = "a-service-token"

Open = Callable[..., AbstractAsyncContextManager[ClientConnection]]


@pytest.fixture
def parrot() -> Parrot:
    return Parrot()


@pytest.fixture
async def opened(parrot: Parrot) -> AsyncIterator[Open]:
    app = edge_around([behind(Bearer(), serve(Echo, parrot))], [ServiceAccess(TOKEN)])
    async with serving(app) as url:

        def talk(token: str = f"Bearer {TOKEN}", path: str = "talk") -> AbstractAsyncContextManager[ClientConnection]:
            address = f"{url.replace('http', 'ws')}/v1/echo/{path}"
            return connect(address, additional_headers={"authorization": token}, proxy=None, max_size=None)

        yield talk


def message(kind: str, **fields: object) -> str:
    return json.dumps({"type": kind} | fields)


async def answer(socket: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(10):
        told = await socket.recv()
    assert isinstance(told, str), "what comes from the server is text"
    parsed: dict[str, Any] = json.loads(told)
    return parsed


async def close_code(socket: ClientConnection) -> int:
    async with asyncio.timeout(10):
        with pytest.raises(ConnectionClosed) as raised:
            await socket.recv()
    assert raised.value.rcvd is not None
    return raised.value.rcvd.code


async def assert_refused(socket: ClientConnection, status: int, detail: str) -> None:
    told = await answer(socket)
    assert told["type"] == "error"
    assert (told["status"], told["problem"].startswith("urn:scriza:problem:")) == (status, True)
    assert told["title"]
    assert told["request_id"]
    assert detail in told["detail"]
    assert await close_code(socket) == 4000 + status


async def test_blocks_come_as_binary_messages_or_as_base64(opened: Open, parrot: Parrot) -> None:
    async with opened() as socket:
        assert socket.response is not None
        assert socket.response.headers["x-request-id"].startswith("req_")
        await socket.send(message("hello", name="Ada", unknown=[1]))
        await socket.send(b"\x00\xff")
        await socket.send(message("piece", payload=base64.b64encode(b"abc").decode()))
        await socket.send(message("flush"))
        assert await answer(socket) == {"type": "heard", "name": "Ada", "size": 5}
        await socket.send(message("bye"))
        assert await close_code(socket) == 1000
    assert parrot.taken == [Piece(b"\x00\xff"), Piece(b"abc"), Flush(), Bye()]


async def test_the_opening_may_be_all_defaults(opened: Open) -> None:
    async with opened() as socket:
        await socket.send('{"type":"hello"}')
        await socket.send('{"type":"flush"}')
        assert await answer(socket) == {"type": "heard", "name": "", "size": 0}


@pytest.mark.parametrize(
    ("first", "detail"),
    [
        (b"\x00\x01", "the first message is a text one"),
        ("", "message: Input data was truncated"),
        ("nonsense", "message: JSON is malformed"),
        ("[]", "Expected `object`"),
        ("{}", "missing required field `type`"),
        (message("flush"), "at `$.type`"),
        (message("end"), "the first message is a text one"),
        (message("hello", name=5), "Expected `str`, got `int` - at `$.name`"),
        ('{"type":"hello","x":' + "[" * 50_000, "nested too deeply"),
    ],
)
async def test_a_wrong_opening_is_refused(opened: Open, parrot: Parrot, first: str | bytes, detail: str) -> None:
    async with opened() as socket:
        await socket.send(first)
        await assert_refused(socket, 400, detail)
    assert not parrot.working.is_set()


@pytest.mark.parametrize(
    ("block", "detail"),
    [
        (message("shout"), "Invalid value 'shout' - at `$.type`"),
        (message("+14155550123"), "Invalid value '+1••••••••23' - at `$.type`"),
        (message("hello"), "Invalid value 'hello' - at `$.type`"),
        (message("piece"), "missing required field `payload`"),
        (message("piece", payload="not base64!"), "at `$.payload`"),
        (message("piece", payload=[1, 2]), "at `$.payload`"),
        ("{", "message: "),
    ],
)
async def test_a_wrong_block_ends_the_talk_and_its_work(opened: Open, parrot: Parrot, block: str, detail: str) -> None:
    async with opened() as socket:
        await socket.send(message("hello"))
        await socket.send(message("flush"))
        await answer(socket)
        await socket.send(block)
        await assert_refused(socket, 400, detail)
    assert parrot.ended.is_set()


async def test_a_giant_block_is_refused(opened: Open, parrot: Parrot) -> None:
    async with opened() as socket:
        await socket.send(message("hello"))
        await socket.send(bytes(1024 * 1024))
        await socket.send(bytes(1024 * 1024 + 1))
        await assert_refused(socket, 413, "longer than 1048576 bytes")
    assert parrot.taken == [Piece(bytes(1024 * 1024))]


async def test_nothing_follows_the_end(opened: Open) -> None:
    async with opened() as socket:
        await socket.send(message("hello", mood="wait"))
        await socket.send(message("end"))
        await socket.send(message("flush"))
        await assert_refused(socket, 400, "nothing follows `end`")


async def test_a_client_that_says_nothing_is_not_awaited_for_ever(opened: Open) -> None:
    async with opened(path="talk-soon") as socket:
        await assert_refused(socket, 504, "the opening took longer than 0.3 s")


async def test_a_refusal_of_the_module_is_told(opened: Open) -> None:
    async with opened() as socket:
        await socket.send(message("hello", mood="rate"))
        told = await answer(socket)
        assert (told["detail"], told["retry_after"], told["reason"]) == ("slowly", 7, "too-eager")
        assert await close_code(socket) == 4429


async def test_a_fault_of_ours_is_logged_once_and_shown_to_nobody(opened: Open) -> None:
    with structlog.testing.capture_logs() as logs:
        async with opened() as socket:
            await socket.send(message("hello"))
            await socket.send(b"break")
            told = await answer(socket)
            assert "secret" not in json.dumps(told)
            assert await close_code(socket) == 4500
    assert [(entry["event"], entry["request_id"]) for entry in logs] == [("request.failed", told["request_id"])]


@pytest.mark.parametrize("abrupt", [True, False])
async def test_a_client_that_leaves_ends_the_work_behind_it(opened: Open, parrot: Parrot, abrupt: bool) -> None:
    with structlog.testing.capture_logs() as logs:
        async with opened() as socket:
            await socket.send(message("hello", mood="wait"))
            await parrot.working.wait()
            assert not parrot.ended.is_set()
            if abrupt:
                socket.transport.abort()
            else:
                await socket.close()
            async with asyncio.timeout(10):
                await parrot.ended.wait()
    assert logs == []


async def test_work_that_takes_no_more_blocks_is_ended_and_told(parrot: Parrot) -> None:
    app = edge_around([behind(Bearer(), serve(Echo, parrot, busy_seconds=0.3))], [ServiceAccess(TOKEN)])
    async with serving(app) as url:
        address, credential = f"{url.replace('http', 'ws')}/v1/echo/talk", {"authorization": f"Bearer {TOKEN}"}
        async with connect(address, additional_headers=credential, proxy=None) as socket:
            await socket.send(message("hello", mood="wait"))
            for _ in range(200):
                await socket.send(b"abc")
            await assert_refused(socket, 504, "taking a block took longer than 0.3 s")
        assert parrot.ended.is_set()


async def test_one_talk_that_goes_wrong_leaves_the_others_alone(opened: Open) -> None:
    async with opened() as good, opened() as bad:
        await good.send(message("hello", name="good"))
        await bad.send("nonsense")
        assert await close_code_after_error(bad) == 4400
        await good.send(message("flush"))
        assert (await answer(good))["name"] == "good"


async def close_code_after_error(socket: ClientConnection) -> int:
    await answer(socket)
    return await close_code(socket)


async def test_a_socket_that_is_refused_is_no_error_in_the_log(parrot: Parrot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("uvicorn"), "propagate", True)  # another test's server may have changed it
    root = logging.getLogger()
    handlers, level, stream = root.handlers[:], root.level, io.StringIO()
    app = edge_around([behind(Bearer(), serve(Echo, parrot))], [ServiceAccess(TOKEN)])
    try:
        configure_logs("json", "error", stream)
        async with serving(app, ws="websockets-sansio", log_config=None) as url:
            with pytest.raises(InvalidStatus):
                async with connect(f"{url.replace('http', 'ws')}/v1/echo/talk", proxy=None):
                    pass
    finally:
        root.handlers, root.level = handlers, level
        structlog.reset_defaults()
        logging.captureWarnings(capture=False)
    assert stream.getvalue() == ""


@pytest.mark.parametrize("token", ["", "Bearer wrong", "Basic a-service-token"])
async def test_a_socket_without_the_token_is_refused_before_it_opens(opened: Open, parrot: Parrot, token: str) -> None:
    with pytest.raises(InvalidStatus) as raised:
        async with opened(token):
            pass
    refusal = raised.value.response
    assert (refusal.status_code, refusal.headers["content-type"]) == (401, "application/problem+json")
    told = json.loads(refusal.body or b"")
    assert told["type"] == "urn:scriza:problem:unauthenticated"
    assert told["request_id"] == refusal.headers["x-request-id"]
    assert not parrot.working.is_set()
