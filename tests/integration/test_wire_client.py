"""What a client of a port does when the other side is absent, slow, broken or something else altogether."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import structlog

from scriza.gateway.access import Bearer, ServiceAccess, behind
from scriza.gateway.edge import edge_around
from scriza.kernel.errors import (
    DeadlineExceeded,
    Forbidden,
    NotFound,
    ScrizaError,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UpstreamFailed,
)
from scriza.kernel.principal import Principal, acting
from scriza.kernel.remarks import remarks
from scriza.wire import connect, disconnect, serve
from tests.contract.doors import Doors
from tests.contract.echo import Count, Counted, Echo, Flush, Heard, Hello, Number, Parrot, Said, Say
from tests.serving import listening_socket, serving

TOKEN = "a-service-token"

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Elsewhere:
    """A TCP server that answers each request's head with fixed bytes, one answer after the other."""

    def __init__(self, *answers: bytes, then_wait: bool = False) -> None:
        self.answers = list(answers)
        self.then_wait = then_wait
        self.requests: list[bytes] = []
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while self.answers:
                self.requests.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(self.answers.pop(0))
                await writer.drain()
            if self.then_wait:
                await reader.read()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def elsewhere(server: Elsewhere, silence: float = 20) -> AsyncIterator[Echo]:
    listening = await asyncio.start_server(server.serve, sock=listening_socket())
    client = connect(Echo, f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/", token=TOKEN, silence=silence)
    try:
        yield client
    finally:
        await disconnect(client)
        listening.close()


def http(status: str, content_type: str, body: bytes, length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {size}\r\n\r\n".encode() + body


async def all_of(items: AsyncIterator[object]) -> list[object]:
    return [item async for item in items]


async def hello() -> AsyncIterator[Flush]:
    yield Flush()


CALLS: dict[str, Callable[[Echo], Awaitable[object]]] = {
    "unary": lambda echo: echo.say(Say("a")),
    "stream": lambda echo: all_of(echo.count(Count(2))),
    "duplex": lambda echo: all_of(echo.talk(Hello(), hello())),
}


@pytest.mark.parametrize("kind", CALLS)
async def test_nobody_there_is_unavailable_and_the_address_stays_in_the_log(kind: str) -> None:
    free = listening_socket()
    echo = connect(Echo, f"http://127.0.0.1:{free.getsockname()[1]}")
    with structlog.testing.capture_logs() as logs, pytest.raises(Unavailable, match="Echo cannot be reached") as raised:
        await CALLS[kind](echo)
    await disconnect(echo)
    free.close()
    assert "127.0.0.1" not in raised.value.detail
    assert [entry["event"] for entry in logs] == ["wire.unavailable"]


@pytest.mark.parametrize("kind", CALLS)
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (http("502 Bad Gateway", "text/html", b"<html>"), UpstreamFailed),
        (http("503 Service Unavailable", "text/html", b""), Unavailable),
        (http("504 Gateway Timeout", "text/plain", b"slow"), DeadlineExceeded),
        (http("401 Unauthorized", "application/problem+json", b"{}"), Unauthenticated),
        (http("403 Forbidden", "application/problem+json", b"nonsense"), Forbidden),
        (http("404 Not Found", "text/plain", b""), NotFound),
        (http("418 I'm a teapot", "text/plain", b""), ScrizaError),
        (http("302 Found", "text/plain", b""), ScrizaError),
    ],
)
async def test_an_answer_without_problem_details_is_told_by_its_status(
    kind: str, answer: bytes, expected: type[ScrizaError]
) -> None:
    async with elsewhere(Elsewhere(answer)) as echo:
        with pytest.raises(expected) as raised:
            await CALLS[kind](echo)
    assert type(raised.value) is expected


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"{", b"{}", b'{"text": 5}', b'{"text": "\xff"}', b'{"x": ' + b"[" * 50_000]
)
async def test_a_reply_that_makes_no_sense_is_an_upstream_failure(body: bytes) -> None:
    async with elsewhere(Elsewhere(http("200 OK", "application/json", body))) as echo:
        with pytest.raises(UpstreamFailed, match="the answer makes no sense"):
            await echo.say(Say("a"))


async def test_a_reply_that_breaks_off_is_an_upstream_failure() -> None:
    async with elsewhere(Elsewhere(http("200 OK", "application/json", b'{"text":', 100))) as echo:
        with pytest.raises(UpstreamFailed, match="the answer broke off"):
            await echo.say(Say("a"))


EVENTS = "text/event-stream"


@pytest.mark.parametrize(
    "body",
    [
        b"event: number\ndata: {\n\n",
        b'event: number\ndata: {"value": "1"}\n\n',
        b'event: unheard-of\ndata: {"value": 1}\n\n',
        b'data: {"value": 1}\n\n',
        b"event: counted\ndata: <html>\n\n",
        b'event: number\ndata: {"type": "counted", "value": 1}\n\n',
        b"event: error\ndata: <html>\n\n",
    ],
)
async def test_events_that_make_no_sense_are_an_upstream_failure(body: bytes) -> None:
    async with elsewhere(Elsewhere(http("200 OK", EVENTS, body))) as echo:
        with pytest.raises(UpstreamFailed):
            await all_of(echo.count(Count(2)))


async def test_events_are_read_as_the_standard_writes_them() -> None:
    number = b'event:number\r\nid: 1\r\ndata:{\r\ndata:"value": 1}\r\n\r\n'
    body = b": a comment\r\n\r\n" + number + b"\n\nevent: counted\ndata: {}\n\nrest"
    async with elsewhere(Elsewhere(http("200 OK", EVENTS, body))) as echo:
        assert await all_of(echo.count(Count(2))) == [Number(1), Counted()]


async def test_a_stream_that_breaks_off_gives_what_it_had_and_fails() -> None:
    body = b'event: number\ndata: {"value": 1}\n\nevent: num'
    async with elsewhere(Elsewhere(http("200 OK", EVENTS, body, 1000))) as echo:
        items = echo.count(Count(2))
        assert await anext(items) == Number(1)
        with pytest.raises(UpstreamFailed, match="the answer broke off"):
            await anext(items)


async def test_a_stream_that_falls_silent_is_given_up() -> None:
    body = b'event: number\ndata: {"value": 1}\n\n'
    async with elsewhere(Elsewhere(http("200 OK", EVENTS, body, 1000), then_wait=True), silence=0.5) as echo:
        items = echo.count(Count(2))
        assert await anext(items) == Number(1)
        with pytest.raises(UpstreamFailed, match="fell silent"):
            await anext(items)


async def test_a_stream_that_waits_but_lives_is_not_given_up() -> None:
    parrot = Parrot()
    app = edge_around([behind(Bearer(), serve(Echo, parrot, heartbeat=0.05))], [ServiceAccess(TOKEN)])
    async with serving(app) as url:
        echo = connect(Echo, url, token=TOKEN, silence=2)
        items = echo.count(Count(2, then=1, mood="wait"))
        assert await anext(items) == Number(0)
        waiting = asyncio.ensure_future(anext(items))
        done, _ = await asyncio.wait([waiting], timeout=2.5)
        assert not done
        waiting.cancel()
        await asyncio.wait([waiting])
        await disconnect(echo)


async def test_an_answer_that_does_not_come_is_given_up_after_the_operations_time() -> None:
    async with elsewhere(Elsewhere(b"", then_wait=True)) as echo:
        with pytest.raises(DeadlineExceeded, match=r"say_soon took longer than 0\.3 s"):
            await echo.say_soon(Say("a"))
        with pytest.raises(DeadlineExceeded, match=r"the first item of count_soon took longer than 0\.3 s"):
            await anext(echo.count_soon(Count(1)))
        with pytest.raises(DeadlineExceeded, match=r"talk_soon took longer than 0\.3 s"):
            await anext(echo.talk_soon(Hello(), hello()))


GOOD = http("200 OK", "application/json", b'{"text": "a"}')


class Cutting(Elsewhere):
    """Reads each connection's first request and cuts the connection, until it has cut `cuts` of them."""

    def __init__(self, cuts: int) -> None:
        super().__init__()
        self.cuts = cuts

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.connections >= self.cuts:
            self.answers = [GOOD]
            await super().serve(reader, writer)
            return
        self.connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.close()


async def test_an_idempotent_request_that_is_lost_is_sent_once_more() -> None:
    server = Cutting(1)
    async with elsewhere(server) as echo:
        assert await echo.say_again(Say("a")) == Said("a")
    assert server.connections == 2
    server = Cutting(5)
    async with elsewhere(server) as echo:
        with pytest.raises(Unavailable, match="Echo was lost before it answered"):
            await echo.say_again(Say("a"))
    assert server.connections == 2


async def test_a_request_that_could_do_harm_twice_is_sent_once() -> None:
    server = Cutting(1)
    async with elsewhere(server) as echo:
        with pytest.raises(Unavailable, match="Echo was lost before it answered"):
            await echo.say(Say("a"))
        assert server.connections == 1
        assert await echo.say(Say("a")) == Said("a")


async def test_calls_share_a_connection_and_carry_the_token() -> None:
    server = Elsewhere(GOOD, GOOD, GOOD)
    async with elsewhere(server) as echo:
        for _ in range(3):
            await echo.say(Say("a"))
    assert (server.connections, len(server.requests)) == (1, 3)
    assert all(b"\r\nauthorization: Bearer a-service-token\r\n" in request for request in server.requests)


@pytest.mark.parametrize("kind", CALLS)
async def test_a_wrong_token_is_the_same_error_for_every_kind(kind: str) -> None:
    app = edge_around([behind(Bearer(), serve(Echo, Parrot()))], [ServiceAccess(TOKEN)])
    async with serving(app) as url:
        echo = connect(Echo, url, token="wrong")
        with pytest.raises(Unauthenticated, match="a bearer token is needed"):
            await CALLS[kind](echo)
        await disconnect(echo)


@pytest.mark.parametrize("call_id", ["CAé", "CA1\r\nx-scriza-principal: e30=", "CA1 ", "x" * 1000])
async def test_a_call_id_that_no_header_can_carry_stays_here(call_id: str) -> None:
    async with Doors(remote=True)(Echo, Parrot()) as echo:
        with acting(Principal("acme", "ada"), request_id="req_1", call_id=call_id):
            assert await echo.context() == Said("acme ada req_1 ")
            assert await all_of(echo.talk(Hello("Ada"), hello())) == [Heard("Ada", 0), Heard("the end", 0)]


async def test_a_client_can_be_served_again_and_hands_everything_on() -> None:
    parrot = Parrot()
    far, near = Doors(remote=True), Doors(remote=True)
    async with far(Echo, parrot) as remote, near(Echo, remote) as echo:
        with acting(Principal("acme", "ada"), request_id="req_1", call_id="CA1"), remarks() as noted:
            assert await echo.context() == Said("acme ada req_1 CA1")
            assert await echo.say(Say("a")) == Said("a")
        assert noted == {"x-scriza-cache": "miss"}
        assert await all_of(echo.count(Count(2))) == [Number(0), Number(1), Counted()]
        assert await all_of(echo.talk(Hello("Ada"), hello())) == [Heard("Ada", 0), Heard("the end", 0)]
        items = echo.count(Count(3, then=1, mood="refuse"))
        assert await anext(items) == Number(0)
        with pytest.raises(TooLarge, match="too much"):
            await anext(items)
        parrot.working.clear()
        parrot.ended.clear()
        waiting = asyncio.ensure_future(echo.say(Say("a", mood="wait")))
        await parrot.working.wait()
        waiting.cancel()
        async with asyncio.timeout(10):
            await parrot.ended.wait()


async def test_an_implementation_may_be_chosen_anew_for_every_request() -> None:
    parrots = [Parrot(), Parrot()]
    chosen = iter(parrots)
    app = edge_around([behind(Bearer(), serve(Echo, lambda: next(chosen)))], [ServiceAccess(TOKEN)])
    async with serving(app) as url:
        echo = connect(Echo, url, token=TOKEN)
        await echo.say(Say("a"))
        await echo.say(Say("a"))
        await disconnect(echo)
    assert [parrot.calls for parrot in parrots] == [1, 1]


@pytest.mark.parametrize("url", ["", "127.0.0.1:80", "ftp://a", "http://", "redis://a:1", "http://user:secret@a"])
def test_a_url_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="not an http") as raised:
        connect(Echo, url)
    assert "secret" not in str(raised.value)


def test_a_token_that_no_header_can_carry_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="token"):
        connect(Echo, "http://a", token="a\n")


async def test_only_a_client_is_disconnected() -> None:
    with pytest.raises(TypeError):
        await disconnect(Parrot())


async def test_a_client_says_what_it_is() -> None:
    echo = connect(Echo, "http://a:1")
    assert repr(echo) == "<RemoteEcho at http://a:1>"
    await disconnect(echo)
