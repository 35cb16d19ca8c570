"""What has a version over HTTP: read again only when it has changed, and changed only by who has seen how it is."""

from collections.abc import AsyncIterator
from typing import Protocol

import httpx
import msgspec
import pytest

from scriza.kernel.errors import PreconditionFailed
from scriza.kernel.operation import operation, operations
from scriza.wire import connect, disconnect, serve
from tests.integration.test_wire_http import assert_problem, calling


class Note(msgspec.Struct):
    text: str
    etag: str


class Write(msgspec.Struct):
    text: str
    if_match: str = ""


class Notes(Protocol):
    @operation("GET /v1/note", versioned=True)
    async def read(self) -> Note: ...

    @operation("POST /v1/note", versioned=True)
    async def write(self, request: Write) -> Note: ...


class Notebook:
    def __init__(self) -> None:
        self.text, self.revision = "empty", 1

    async def read(self) -> Note:
        return Note(self.text, f"r{self.revision}")

    async def write(self, request: Write) -> Note:
        if request.if_match not in {"", "*", f"r{self.revision}"}:
            raise PreconditionFailed("somebody wrote before you")
        self.text, self.revision = request.text, self.revision + 1
        return await self.read()


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with calling(serve(Notes, Notebook())) as client:
        yield client


async def test_the_tag_is_a_header_too(http: httpx.AsyncClient) -> None:
    answer = await http.get("/v1/note")
    assert (answer.headers["etag"], answer.json()) == ('"r1"', {"text": "empty", "etag": "r1"})


@pytest.mark.parametrize("header", ['"r1"', 'W/"r1"', '"r0", "r1"', "*"])
async def test_who_has_it_already_is_not_sent_it_again(http: httpx.AsyncClient, header: str) -> None:
    answer = await http.get("/v1/note", headers={"if-none-match": header})
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", '"r1"')


async def test_who_has_an_older_one_is_sent_the_newer(http: httpx.AsyncClient) -> None:
    await http.post("/v1/note", json={"text": "a"})
    answer = await http.get("/v1/note", headers={"if-none-match": '"r1"'})
    assert (answer.status_code, answer.json()["text"]) == (200, "a")


@pytest.mark.parametrize("header", ['"r1"', "r1", "*"])
async def test_a_change_may_say_what_it_changes(http: httpx.AsyncClient, header: str) -> None:
    answer = await http.post("/v1/note", json={"text": "a"}, headers={"if-match": header})
    assert (answer.status_code, answer.headers["etag"]) == (200, '"r2"')


async def test_a_change_of_what_has_changed_since_is_refused(http: httpx.AsyncClient) -> None:
    await http.post("/v1/note", json={"text": "first"}, headers={"if-match": '"r1"'})
    answer = await http.post("/v1/note", json={"text": "second"}, headers={"if-match": '"r1"'})
    assert_problem(answer, 412, "precondition-failed", "somebody wrote before you")
    assert (await http.get("/v1/note")).json()["text"] == "first"


@pytest.mark.parametrize("header", ['W/"r1"', '"r1", "r2"', "", '"'])
async def test_a_header_that_names_no_one_tag_is_refused(http: httpx.AsyncClient, header: str) -> None:
    answer = await http.post("/v1/note", json={"text": "a"}, headers={"if-match": header})
    assert_problem(answer, 400, "bad-input", "If-Match takes one strong entity tag")


async def test_header_and_field_have_to_agree(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/note", json={"text": "a", "if_match": "r2"}, headers={"if-match": '"r1"'})
    assert_problem(answer, 400, "bad-input", "are not the same")


async def test_our_own_client_raises_what_the_other_side_raised(http: httpx.AsyncClient) -> None:
    token = http.headers["authorization"].removeprefix("Bearer ")
    notes = connect(Notes, str(http.base_url), token=token)
    seen = await notes.read()
    await notes.write(Write("a", seen.etag))
    with pytest.raises(PreconditionFailed, match="somebody wrote before you"):
        await notes.write(Write("b", seen.etag))
    await disconnect(notes)


async def test_the_documentation_tells_of_the_header_and_its_refusal(http: httpx.AsyncClient) -> None:
    paths = (await http.get("/schema/openapi.json")).json()["paths"]["/v1/note"]
    assert [parameter["name"] for parameter in paths["post"]["parameters"]] == ["If-Match"]
    assert "412" in paths["post"]["responses"]
    assert "412" not in paths["get"]["responses"]


def test_what_replies_without_a_tag_has_no_version() -> None:
    class Port(Protocol):
        @operation("POST /a", versioned=True)
        async def act(self, request: Write) -> Write: ...

    with pytest.raises(TypeError, match="act replies without an etag"):
        operations(Port)
