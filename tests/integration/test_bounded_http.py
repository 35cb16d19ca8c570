"""What anybody may make the server hold, before it is known who they are: raw connections to a real server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from litestar import Request, WebSocket, get, post, websocket
from websockets.asyncio.client import connect

from scriza.cli.bounded_http import BoundedHttp
from scriza.gateway.access import Open, behind
from scriza.gateway.edge import edge_around
from tests.serving import serving

pytestmark = pytest.mark.timeout(120)

GET = b"GET /hello HTTP/1.1\r\nhost: x\r\n"
POST = b"POST /echo HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
UPGRADE = (
    b"host: x\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-version: 13\r\n"
    b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
PIECES = 1000
"""Of 22 kB: far more than a bound and the buffers of two sockets."""


class Hasty(BoundedHttp):
    patience_seconds = 1.5


@get("/hello")
async def hello() -> str:
    return "hello"


@get("/port")
async def port(request: Request[object, object, object]) -> str:
    """The client's own."""
    return str(request.client.port if request.client else None)


@post("/echo", status_code=200)
async def echo(request: Request[object, object, object]) -> bytes:
    return await request.body()


@post("/refusal", status_code=200)
async def refusal() -> str:
    return "no, whatever it is"


@websocket("/talk")
async def talk(socket: WebSocket[object, object, object]) -> None:
    await socket.accept()
    await socket.send_text(await socket.receive_text())
    await socket.close()


@asynccontextmanager
async def served(http: type[BoundedHttp]) -> AsyncIterator[str]:
    app = edge_around([behind(Open("for tests"), hello, port, echo, refusal, talk)], [])
    async with serving(app, http=http, ws="websockets-sansio") as url:
        yield url


class Peer:
    """A connection that says what it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, *pieces: bytes) -> int:
        """How many of the pieces were taken before the server closed the connection."""
        for taken, piece in enumerate(pieces):
            try:
                self.writer.write(piece)
                await self.writer.drain()
            except ConnectionError:
                return taken
            await asyncio.sleep(0)  # the server is on the same loop
        return len(pieces)

    async def answer(self) -> bytes:
        """Everything until the server closes."""
        received = b""
        async with asyncio.timeout(60):
            try:
                while piece := await self.reader.read(65536):
                    received += piece
            except ConnectionError:
                pass
        return received


@asynccontextmanager
async def peer(url: str) -> AsyncIterator[Peer]:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    try:
        yield Peer(reader, writer)
    finally:
        writer.close()


@pytest.mark.parametrize(
    "beginning",
    [b"GET /", GET + b"x-long: ", GET + b"x: a\r\n" * 10, POST + b"1;", POST + b"0\r\nx-trailer: "],
    ids=["line", "one header", "many headers", "chunk extension", "trailer"],
)
async def test_a_head_without_end_is_not_kept(beginning: bytes) -> None:
    more = [(b"x-more: a\r\n" if beginning.endswith(b"\n") else b"longer word") * 2000] * PIECES
    async with served(BoundedHttp) as url, peer(url) as greedy:
        assert await greedy.send(beginning, *more) < PIECES  # the sockets' own buffers take some
        async with httpx.AsyncClient() as other:
            assert (await other.get(f"{url}/hello")).text == "hello"


async def test_who_sends_too_long_a_head_is_told() -> None:
    async with served(BoundedHttp) as url, peer(url) as greedy:
        await greedy.send((GET + b"x-long: ").ljust(BoundedHttp.most_head_bytes + 1, b"a"))
        answer = await greedy.answer()
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b"content-type: application/problem+json" in answer


async def test_a_large_head_within_the_bound_is_answered() -> None:
    async with served(BoundedHttp) as url, httpx.AsyncClient() as client:
        for _ in range(3):  # on one connection
            answer = await client.get(f"{url}/hello", headers={"x-large": "a" * 30_000})
            assert answer.text == "hello"


async def test_a_body_is_no_head_however_large_and_slow_it_is() -> None:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(8):
            yield b"a" * 100_000
            await asyncio.sleep(Hasty.patience_seconds / 4)

    async with served(Hasty) as url, httpx.AsyncClient(timeout=60) as client:
        answer = await client.post(f"{url}/echo", content=body())
    assert len(answer.content) == 800_000


@pytest.mark.parametrize(
    "beginning",
    [b"", b"GET /hel", GET, GET + b"\r\n" + b"\r\n", GET + b"\r\n" + GET],
    ids=["nothing", "half a line", "half a head", "an empty line after a request", "half a head after a request"],
)
async def test_who_says_nothing_whole_in_time_is_hung_up_on(beginning: bytes) -> None:
    async with served(Hasty) as url, peer(url) as silent:
        await silent.send(beginning)
        await silent.answer()


async def test_a_body_that_nobody_waits_for_any_more_must_end_in_time() -> None:
    async with served(Hasty) as url, peer(url) as silent:
        await silent.send(b"POST /refusal HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n")
        assert await silent.reader.readuntil(b"no, whatever it is")
        await silent.send(b"a")
        await silent.answer()


async def test_a_socket_may_be_silent() -> None:
    async with served(Hasty) as url, connect(url.replace("http", "ws") + "/talk") as socket:
        await asyncio.sleep(2 * Hasty.patience_seconds)
        await socket.send("still there")
        assert await socket.recv() == "still there"


async def test_a_connection_is_kept_between_requests() -> None:
    async with served(Hasty) as url, httpx.AsyncClient() as client:
        before = await client.get(f"{url}/port")
        await asyncio.sleep(2 * Hasty.patience_seconds)
        assert (await client.get(f"{url}/port")).text == before.text


async def test_requests_that_do_not_wait_for_their_answers_are_not_piled_up() -> None:
    async with served(BoundedHttp) as url, peer(url) as greedy:
        assert await greedy.send(*[(GET + b"\r\n") * 1000] * PIECES) < PIECES


async def test_some_requests_may_come_before_their_answers() -> None:
    many = 1 + BoundedHttp.most_waiting_requests
    async with served(Hasty) as url, peer(url) as eager:
        await eager.send((GET + b"\r\n") * (many - 1), GET + b"connection: close\r\n\r\n")
        assert (await eager.answer()).count(b"hello") == many


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /talk HTTP/1.1\r\n" + b"x: a\r\n" * 300,
        b"GET /talk HTTP/1.1\r\nx: " + b"a" * 20_000 + b"\r\n",
        b"GET /talk/" + b"a" * 20_000 + b" HTTP/1.1\r\n",
        b"POST /talk HTTP/1.1\r\n",
    ],
    ids=["many headers", "long header", "long path", "another method"],
)
async def test_who_cannot_become_a_socket_is_hung_up_on(request_: bytes) -> None:
    async with served(Hasty) as url, peer(url) as silent:
        await silent.send(request_ + UPGRADE)
        await silent.answer()
