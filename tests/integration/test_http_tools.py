"""Tools over HTTP, against real servers on loopback: how they are asked, and what is made of bad answers."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from scriza.kernel.errors import DeadlineExceeded, Forbidden, ScrizaError, UpstreamFailed
from scriza.ports.tool_caller import ToolRequest
from scriza_adapters.http_tools.allowed import AllowedHosts, pattern
from scriza_adapters.http_tools.caller import HttpToolCaller
from tests.standins.certificates import self_signed
from tests.standins.tool_server import Doing, ToolServer

TOKEN = "crm-s3cret"


@pytest.fixture
async def server() -> AsyncIterator[ToolServer]:
    async with ToolServer() as server:
        yield server


@pytest.fixture
async def caller(server: ToolServer) -> AsyncIterator[HttpToolCaller]:
    private = [pattern(f"http://127.0.0.1:{server.port}")]
    caller = HttpToolCaller(AllowedHosts([], private, {("CRM", "127.0.0.1"): TOKEN}))
    yield caller
    await caller.close()


def request(server: ToolServer, path: str = "/book", **changes: object) -> ToolRequest:
    asked = ToolRequest("book", "POST", server.url + path, {"day": "Tuesday"}, "run_1", 2_000)
    return msgspec.structs.replace(asked, **changes)


async def test_arguments_travel_as_json_with_the_key_of_the_run(server: ToolServer, caller: HttpToolCaller) -> None:
    server.will("/book", Doing('{"slot": "10:00"}'))
    answer = await caller.call(request(server, auth_ref="CRM"))
    (asked,) = server.asked
    assert (answer.status, answer.text, answer.done) == (200, '{"slot": "10:00"}', True)
    assert (asked.method, asked.target, asked.arguments) == ("POST", "/book", {"day": "Tuesday"})
    assert asked.headers["idempotency-key"] == '"run_1"'
    assert asked.headers["authorization"] == f"Bearer {TOKEN}"
    assert asked.headers["host"] == f"127.0.0.1:{server.port}"


async def test_a_get_has_its_arguments_in_the_query(server: ToolServer, caller: HttpToolCaller) -> None:
    arguments: dict[str, object] = {"name": "Ada & co", "limit": 3, "open": True}
    await caller.call(request(server, "/find?v=1", method="GET", arguments=arguments))
    assert server.asked[0].target == "/find?v=1&name=Ada+%26+co&limit=3&open=true"
    assert "authorization" not in server.asked[0].headers


async def test_a_refusal_is_an_answer(server: ToolServer, caller: HttpToolCaller) -> None:
    server.will("/book", Doing('{"error": "taken"}', status=409))
    answer = await caller.call(request(server))
    assert (answer.status, answer.text, answer.done) == (409, '{"error": "taken"}', False)


@pytest.mark.parametrize(
    ("doing", "raised", "says"),
    [
        (Doing(never=True), DeadlineExceeded, "within 300 ms"),
        (Doing(cut=True), DeadlineExceeded, "got lost"),
        (Doing(garbage=b"SSH-2.0-OpenSSH_9\r\n"), DeadlineExceeded, "got lost"),
        (Doing(headers={"content-length": "900"}, cut=True), DeadlineExceeded, "got lost"),
        (Doing(headers={"content-length": "900"}), DeadlineExceeded, "within 300 ms"),
        (Doing(status=500), DeadlineExceeded, "HTTP 500"),
        (Doing(status=302, headers={"location": "http://169.254.169.254/latest"}), DeadlineExceeded, "elsewhere"),
        (Doing(status=429), UpstreamFailed, "patience"),
        (Doing(status=503), DeadlineExceeded, "HTTP 503"),
        (Doing(status=503, headers={"retry-after": "1"}), UpstreamFailed, "patience"),
    ],
)
async def test_what_is_no_answer_says_whether_it_may_have_been_done(
    server: ToolServer, caller: HttpToolCaller, doing: Doing, raised: type[ScrizaError], says: str
) -> None:
    server.will("/book", doing)
    with pytest.raises(ScrizaError, match=says) as failure:
        await caller.call(request(server, timeout_ms=300))
    assert type(failure.value) is raised
    assert len(server.asked) == 1, "nobody follows, and nothing is asked twice"


async def test_what_may_be_asked_twice_is_asked_again_under_the_same_key(
    server: ToolServer, caller: HttpToolCaller
) -> None:
    server.will("/book", Doing(cut=True), Doing('"done"'))
    answer = await caller.call(request(server, again=True))
    assert answer.text == '"done"'
    assert [asked.headers["idempotency-key"] for asked in server.asked] == ['"run_1"'] * 2


async def test_of_a_huge_answer_only_the_beginning_is_read(server: ToolServer, caller: HttpToolCaller) -> None:
    server.will("/book", Doing(endless=True))
    answer = await caller.call(request(server))
    assert (answer.done, answer.cut, len(answer.text)) == (True, True, 64 * 1024)


async def test_a_body_that_is_no_text_is_text_all_the_same(server: ToolServer, caller: HttpToolCaller) -> None:
    server.will("/book", Doing(b"\xff\xfe\x00ok"))
    assert (await caller.call(request(server))).text.endswith("ok")


async def test_a_server_that_is_not_there_has_done_nothing(server: ToolServer) -> None:
    caller = HttpToolCaller(AllowedHosts([], [pattern("http://127.0.0.1:9")]))
    with pytest.raises(UpstreamFailed, match="cannot be reached"):
        await caller.call(request(server, url="http://127.0.0.1:9/"))
    await caller.close()


async def test_a_certificate_that_nobody_trusts_is_no_connection(tmp_path: Path) -> None:
    async with ToolServer(self_signed(tmp_path)) as server:
        caller = HttpToolCaller(AllowedHosts([], [pattern(f"127.0.0.1:{server.port}")]))
        with pytest.raises(UpstreamFailed, match="cannot be reached"):
            await caller.call(request(server))
        await caller.close()
    assert server.asked == []


# ---- the guard --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["::1"], ["::ffff:127.0.0.1"], ["10.1.2.3"], ["169.254.169.254"], ["1.1.1.1", "127.0.0.1"]],
)
async def test_a_public_name_that_leads_to_a_private_address_is_not_asked(
    server: ToolServer, addresses: list[str]
) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return addresses

    caller = HttpToolCaller(AllowedHosts([pattern(f"http://tool.example.com:{server.port}")]), resolve=resolve)
    with pytest.raises(Forbidden, match="SCRIZA_TOOL_PRIVATE_HOSTS"):
        await caller.call(request(server, url=f"http://tool.example.com:{server.port}/book"))
    assert server.asked == []
    await caller.close()


async def test_the_address_that_was_judged_is_the_one_that_is_connected_to(server: ToolServer) -> None:
    """A name that answers otherwise the second time gains nothing: it is asked once for each connection."""
    asked: list[str] = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["192.0.2.1"]

    private = [pattern(f"http://crm.internal:{server.port}")]
    caller = HttpToolCaller(AllowedHosts([], private), resolve=resolve)
    await caller.call(request(server, url=f"http://crm.internal:{server.port}/book"))
    assert asked == ["crm.internal"]
    assert server.asked[0].headers["host"] == f"crm.internal:{server.port}"
    await caller.close()


async def test_of_several_addresses_the_next_one_is_tried_when_one_does_not_answer(server: ToolServer) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["203.0.113.1", "127.0.0.1"]

    private = [pattern(f"http://crm.internal:{server.port}")]
    caller = HttpToolCaller(AllowedHosts([], private), resolve=resolve)
    url = f"http://crm.internal:{server.port}/book"
    assert (await caller.call(request(server, url=url, timeout_ms=10_000))).done
    await caller.close()


async def test_a_name_that_is_resolved_for_ever_ends_at_the_deadline(server: ToolServer) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        raise AssertionError

    caller = HttpToolCaller(AllowedHosts([pattern("tool.example.com")]), resolve=resolve)
    with pytest.raises(DeadlineExceeded):
        await caller.call(request(server, url="https://tool.example.com/", timeout_ms=200))
    await caller.close()


async def test_the_numbers_of_this_machine_are_refused_however_its_resolver_reads_them(server: ToolServer) -> None:
    caller = HttpToolCaller(AllowedHosts([pattern("*"), pattern(f"http://*:{server.port}".replace("*", "localhost"))]))
    with pytest.raises(Forbidden, match="not public"):
        await caller.call(request(server, url=f"http://localhost:{server.port}/book"))
    await caller.close()


async def test_a_proxy_of_the_environment_is_not_used(
    server: ToolServer, caller: HttpToolCaller, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert (await caller.call(request(server))).done


async def test_neither_token_nor_arguments_nor_answers_reach_errors_and_logs(
    server: ToolServer, caller: HttpToolCaller, caplog: pytest.LogCaptureFixture
) -> None:
    server.will("/book", Doing('{"note": "Ada is ill"}', status=500))
    with caplog.at_level(logging.DEBUG), capture_logs() as logged, pytest.raises(ScrizaError) as raised:
        await caller.call(request(server, auth_ref="CRM"))
    assert logged
    for secret in (TOKEN, "Tuesday", "Ada"):
        assert secret not in f"{caplog.text}{logged}{raised.value}"
