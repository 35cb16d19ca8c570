"""A port's HTTP side as a stranger sees it, who knows the protocol and not our client."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import structlog
from litestar import Router

from scriza.gateway.access import Bearer, ServiceAccess, behind
from scriza.gateway.edge import edge_around
from scriza.wire import serve
from tests.contract.echo import Echo, Parrot
from tests.serving import serving

TOKEN = "a-service-token"
PROBLEM = "application/problem+json"


@pytest.fixture
def parrot() -> Parrot:
    return Parrot()


@pytest.fixture
async def http(parrot: Parrot) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(serve(Echo, parrot, heartbeat=0.05)) as client:
        yield client


@asynccontextmanager
async def calling(router: Router) -> AsyncIterator[httpx.AsyncClient]:
    app = edge_around([behind(Bearer(), router)], [ServiceAccess(TOKEN)])
    headers = {"authorization": f"Bearer {TOKEN}"}
    async with serving(app) as url, httpx.AsyncClient(base_url=url, headers=headers, timeout=30) as client:
        yield client


def assert_problem(answer: httpx.Response, status: int, slug: str, detail: str = "") -> None:
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM)
    told = answer.json()
    assert told.keys() <= {"type", "title", "status", "detail", "request_id", "retry_after", "reason"}
    assert (told["type"], told["status"]) == (f"urn:scriza:problem:{slug}", status)
    assert detail in told.get("detail", "")
    assert told["request_id"] == answer.headers["x-request-id"]


async def test_a_reply_is_plain_json(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/echo", json={"text": "a", "unknown": {"is": ["ignored"]}})
    assert (answer.status_code, answer.headers["content-type"], answer.json()) == (
        200,
        "application/json",
        {"text": "a"},
    )
    assert answer.headers["x-scriza-cache"] == "miss"


async def test_no_reply_is_no_content(http: httpx.AsyncClient) -> None:
    answer = await http.delete("/v1/echo/somebody")
    assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"", "body: it is empty"),
        (b"{", "body: Input data was truncated"),
        (b"nonsense", "body: JSON is malformed"),
        (b"[]", "body: Expected `object`, got `array`"),
        (b"{}", "body: Object missing required field `text`"),
        (b'{"text": 5}', "Expected `str`, got `int` - at `$.text`"),
        (b'{"text": "a", "times": "5"}', "Expected `int`, got `str` - at `$.times`"),
        (b'{"text": "a", "times": 11}', "Expected `int` <= 10 - at `$.times`"),
        (b'{"text": "a", "mood": "sour"}', "at `$.mood`"),
        (b'{"text": "\xff"}', "body: "),
        (b'{"text": "\\ud800"}', "body: "),
        (b'{"text": "a", "x": ' + b"[" * 100_000, "body: nested too deeply"),
        (b'{"text": "a"} trailing', "body: JSON is malformed"),
    ],
)
async def test_a_body_that_does_not_fit_is_refused_with_where_and_why(
    http: httpx.AsyncClient, body: bytes, detail: str
) -> None:
    assert_problem(await http.post("/v1/echo", content=body), 400, "bad-input", detail)


async def test_a_giant_body_is_refused_and_the_connection_lives_on(http: httpx.AsyncClient) -> None:
    giant = b'{"text": "' + b"a" * 3_000_000 + b'"}'
    assert_problem(await http.post("/v1/echo", content=giant), 413, "too-large")

    async def unannounced() -> AsyncIterator[bytes]:
        for start in range(0, len(giant), 65536):
            yield giant[start : start + 65536]

    assert_problem(await http.post("/v1/echo", content=unannounced()), 413, "too-large")
    assert (await http.post("/v1/echo", json={"text": "a"})).status_code == 200


async def test_audio_comes_as_base64_or_as_the_body_itself(http: httpx.AsyncClient) -> None:
    audio = bytes(range(256))
    as_json = {"audio": base64.b64encode(audio).decode(), "rate": 16000, "words": ["a", "b"]}
    expected = {"size": 256, "rate": 16000, "words": ["a", "b"]}
    assert (await http.post("/v1/echo/measure", json=as_json)).json() == expected
    raw = "/v1/echo/measure?rate=16000&words=a&words=b&unknown=c"
    for content_type in ("audio/basic", "application/octet-stream", "audio/x-wav; rate=8000"):
        answer = await http.post(raw, content=audio, headers={"content-type": content_type})
        assert answer.json() == expected
    for content_type in ("application/json", "Application/JSON; charset=utf-8", "application/x+json"):
        answer = await http.post(
            "/v1/echo/measure", content=json.dumps(as_json), headers={"content-type": content_type}
        )
        assert answer.json() == expected


async def test_audio_larger_than_a_json_body_may_be_is_taken(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/echo/measure", content=bytes(5_000_000), headers={"content-type": "audio/basic"})
    assert answer.json()["size"] == 5_000_000


async def test_no_audio_is_the_same_in_json_and_as_the_body(http: httpx.AsyncClient) -> None:
    expected = {"size": 0, "rate": 16000, "words": []}
    assert (await http.post("/v1/echo/measure?rate=16000", json={"audio": "", "rate": 16000})).json() == expected
    answer = await http.post("/v1/echo/measure?rate=16000", headers={"content-type": "audio/basic"})
    assert answer.json() == expected
    assert_problem(
        await http.post("/v1/echo/measure?rate=7999", headers={"content-type": "audio/basic"}), 400, "bad-input"
    )
    assert_problem(await http.post("/v1/echo/measure"), 400, "bad-input", "body: it is empty")


@pytest.mark.parametrize(
    "content_type", ["multipart/form-data; boundary=x", "Application/X-WWW-Form-Urlencoded", "text/plain", "text/html"]
)
@pytest.mark.parametrize("body", [b"", b"\xff\x7e\xfe\x80"], ids=["empty", "bytes"])
async def test_a_form_or_a_text_is_not_audio(http: httpx.AsyncClient, content_type: str, body: bytes) -> None:
    answer = await http.post("/v1/echo/measure", content=body, headers={"content-type": content_type})
    assert_problem(answer, 400, "bad-input", "is not audio")


async def test_audio_with_a_wrong_query_or_wrong_base64_is_refused(http: httpx.AsyncClient) -> None:
    raw = {"content-type": "audio/basic"}
    wrong = await http.post("/v1/echo/measure?rate=7999", content=b"a", headers=raw)
    assert_problem(wrong, 400, "bad-input", "Expected `int` >= 8000 - at `$.rate`")
    wrong = await http.post("/v1/echo/measure?rate=fast", content=b"a", headers=raw)
    assert_problem(wrong, 400, "bad-input", "at `$.rate`")
    wrong = await http.post("/v1/echo/measure", json={"audio": "not base64!"})
    assert_problem(wrong, 400, "bad-input", "at `$.audio`")


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=many", "exact=perhaps"])
async def test_a_query_that_does_not_fit_is_refused(http: httpx.AsyncClient, query: str) -> None:
    assert_problem(await http.get(f"/v1/echo?{query}"), 400, "bad-input", query.partition("=")[0])


async def test_a_stream_is_server_sent_events_named_by_the_tag(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/echo/count", json={"to": 2}, headers={"accept-encoding": "gzip"})
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.headers["x-scriza-usage"] == "estimated"
    assert "content-encoding" not in answer.headers
    assert answer.text == (
        'event: number\ndata: {"value":0,"note":""}\n\n'
        'event: number\ndata: {"value":1,"note":""}\n\n'
        "event: counted\ndata: {}\n\n"
    )


async def test_a_stream_that_fails_at_once_has_a_status_of_its_own(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/echo/count", json={"to": 2, "mood": "rate"})
    assert_problem(answer, 429, "rate-limited", "slowly")
    assert answer.headers["retry-after"] == "7"


async def test_a_stream_that_fails_later_ends_with_an_error_event(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/echo/count", json={"to": 2, "then": 1, "mood": "refuse"})
    assert answer.status_code == 200
    first, last = answer.text.strip().split("\n\n")
    assert first.startswith("event: number\n")
    name, data = last.split("\n")
    assert name == "event: error"
    told = json.loads(data.removeprefix("data: "))
    assert told.pop("request_id") == answer.headers["x-request-id"]
    assert told == {
        "type": "urn:scriza:problem:too-large",
        "title": "The request is too large",
        "status": 413,
        "detail": "too much",
    }


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/echo", {"text": "a", "mood": "break"}),
        ("/v1/echo/count", {"to": 1, "mood": "break"}),
        ("/v1/echo/count", {"to": 2, "then": 1, "mood": "break"}),
    ],
)
async def test_a_fault_of_ours_is_logged_once_and_shown_to_nobody(
    http: httpx.AsyncClient, path: str, body: dict[str, object]
) -> None:
    with structlog.testing.capture_logs() as logs:
        answer = await http.post(path, json=body)
    assert "secret" not in answer.text
    assert "ZeroDivision" not in answer.text
    assert "urn:scriza:problem:internal" in answer.text
    faults = [entry for entry in logs if entry["log_level"] == "error"]
    assert [entry["event"] for entry in faults] == ["request.failed"]
    assert faults[0]["request_id"] == answer.headers["x-request-id"]
    assert isinstance(faults[0]["exc_info"], ZeroDivisionError)


async def test_what_takes_too_long_is_ended_and_told(http: httpx.AsyncClient, parrot: Parrot) -> None:
    answer = await http.post("/v1/echo/soon", json={"text": "a", "mood": "wait"})
    assert_problem(answer, 504, "deadline-exceeded", "say_soon took longer than 0.3 s")
    assert parrot.ended.is_set()
    parrot.ended.clear()
    answer = await http.post("/v1/echo/count-soon", json={"to": 1, "mood": "wait"})
    assert_problem(answer, 504, "deadline-exceeded", "the first item of count_soon took longer than 0.3 s")
    assert parrot.ended.is_set()


async def test_a_stream_that_waits_says_that_it_lives(http: httpx.AsyncClient, parrot: Parrot) -> None:
    body = {"to": 2, "then": 1, "mood": "wait"}
    async with http.stream("POST", "/v1/echo/count", json=body) as answer:
        chunks = answer.aiter_raw()
        assert (await anext(chunks)).startswith(b"event: number\n")
        assert await anext(chunks) == b":\n\n"
    async with asyncio.timeout(10):
        await parrot.ended.wait()


async def half_a_request(http: httpx.AsyncClient) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection(http.base_url.host, http.base_url.port)
    writer.write(
        b"POST /v1/echo HTTP/1.1\r\nhost: a\r\nauthorization: Bearer a-service-token\r\ncontent-length: 100\r\n\r\n{"
    )
    await writer.drain()
    return reader, writer


async def test_a_client_that_leaves_while_its_body_is_on_the_way_does_no_harm(
    http: httpx.AsyncClient, parrot: Parrot
) -> None:
    with structlog.testing.capture_logs() as logs:
        _, writer = await half_a_request(http)
        writer.close()
        await writer.wait_closed()
        assert (await http.post("/v1/echo", json={"text": "a"})).status_code == 200
    assert parrot.calls == 1
    assert logs == []


async def test_a_body_that_never_comes_is_not_awaited_for_ever(parrot: Parrot) -> None:
    async with calling(serve(Echo, parrot, body_seconds=0.3)) as http, asyncio.timeout(10):
        reader, writer = await half_a_request(http)
        answer = await reader.readuntil(b"}")
        writer.close()
    assert answer.startswith(b"HTTP/1.1 504 ")
    assert b"the body took longer than 0.3 s" in answer


@pytest.mark.parametrize("body", [{"text": "a", "mood": "+14155550123"}, {"text": "a", "mood": "tel:14155550123"}])
async def test_a_problem_repeats_no_phone_number(http: httpx.AsyncClient, body: dict[str, str]) -> None:
    answer = await http.post("/v1/echo", json=body)
    assert_problem(answer, 400, "bad-input", "1••••••••23")
    assert "4155550123" not in answer.text


async def test_a_route_that_there_is_not_repeats_no_phone_number(http: httpx.AsyncClient) -> None:
    assert "4155550123" not in (await http.get("/v1/nothing/+14155550123")).text


@pytest.mark.parametrize(
    ("method", "path", "status", "slug"),
    [
        ("GET", "/nowhere", 404, "not-found"),
        ("GET", "/v1/echo/a/b/c/d", 404, "not-found"),
        ("POST", "/v1/echo/%2e%2e/%00", 404, "not-found"),
    ],
)
async def test_an_unknown_route_is_a_problem(
    http: httpx.AsyncClient, method: str, path: str, status: int, slug: str
) -> None:
    assert_problem(await http.request(method, path), status, slug)


async def test_a_wrong_method_is_a_problem_that_names_the_right_ones(http: httpx.AsyncClient) -> None:
    answer = await http.put("/v1/echo", json={})
    assert (answer.status_code, answer.headers["content-type"]) == (405, PROBLEM)
    assert {"GET", "POST"} <= {method.strip() for method in answer.headers["allow"].split(",")}
    assert answer.json()["title"] == "Method Not Allowed"


@pytest.mark.parametrize("token", ["", "Bearer wrong", "Bearer", "Basic a-service-token", "a-service-token"])
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v1/echo"), ("GET", "/v1/echo"), ("POST", "/v1/echo/count"), ("DELETE", "/v1/echo/a")],
)
async def test_no_operation_is_open_without_the_token(
    http: httpx.AsyncClient, parrot: Parrot, method: str, path: str, token: str
) -> None:
    answer = await http.request(method, path, json={"text": "a", "to": 1}, headers={"authorization": token})
    assert_problem(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert parrot.calls == 0


async def test_every_operation_lists_every_problem_that_there_is(http: httpx.AsyncClient) -> None:
    paths = (await http.get("/schema/openapi.json", headers={"authorization": ""})).json()["paths"]
    listed = [operation["responses"] for methods in paths.values() for operation in methods.values()]
    assert listed
    for responses in listed:
        assert {"400", "401", "403", "404", "409", "413", "429", "500", "502", "503", "504"} <= responses.keys()
        assert (responses["409"]["description"], *responses["409"]["content"]) == (
            "This conflicts with the current state",
            PROBLEM,
        )


async def test_every_operation_is_documented(http: httpx.AsyncClient) -> None:
    page = (await http.get("/schema/openapi.json", headers={"authorization": ""})).json()
    paths = page["paths"]
    say = paths["/v1/echo"]["post"]
    assert (say["operationId"], say["tags"], say["summary"]) == ("Echo.say", ["Echo"], "The same words.")
    assert say["requestBody"]["content"] == {"application/json": {"schema": {"$ref": "#/components/schemas/Say"}}}
    assert say["responses"]["200"]["content"]["application/json"]["schema"]["$ref"] == "#/components/schemas/Said"
    assert say["responses"]["400"]["content"][PROBLEM]["schema"]["$ref"] == "#/components/schemas/Problem"
    assert page["components"]["schemas"]["Say"]["properties"]["times"]["maximum"] == 10
    assert paths["/v1/echo/measure"]["post"]["requestBody"]["content"].keys() == {
        "application/json",
        "application/octet-stream",
    }
    limit = next(one for one in paths["/v1/echo"]["get"]["parameters"] if one["name"] == "limit")
    assert (limit["in"], limit["required"], limit["schema"]["maximum"], limit["schema"]["default"]) == (
        "query",
        False,
        200,
        50,
    )
    part = paths["/v1/echo/{name}/parts/{part}"]["get"]["parameters"]
    assert [(one["name"], one["in"]) for one in part] == [("name", "path"), ("part", "path")]
    events = paths["/v1/echo/count"]["post"]["responses"]["200"]["content"]["text/event-stream"]["schema"]
    assert [one["$ref"].rsplit("/", 1)[-1] for one in events["oneOf"]] == ["Number", "Counted"]
    assert "204" in paths["/v1/echo/{name}"]["delete"]["responses"]
