"""``Idempotency-Key`` as any client sees it: done once, told again; and what happens when something goes wrong."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Annotated, Literal, Protocol

import httpx
import msgspec
import pytest

from scriza.gateway.access import Bearer, ServiceAccess, behind
from scriza.gateway.edge import edge_around
from scriza.kernel.errors import BadInput, RateLimited, Unauthenticated, Unavailable, UpstreamFailed
from scriza.kernel.operation import operation
from scriza.kernel.remarks import note_header
from scriza.wire import serve
from scriza.wire.idempotency import Replays
from scriza_adapters.shared_state.memory import MemorySharedState
from tests.serving import serving
from tests.waiting import eventually

TOKEN = "a-service-token"
KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324"
QUOTED = {"Idempotency-Key": f'"{KEY}"'}
PAY = {"to": "Ada", "amount": 3}


class Pay(msgspec.Struct):
    to: str
    amount: Annotated[int, msgspec.Meta(ge=1)]
    note: dict[str, int] = {}


class Paid(msgspec.Struct):
    number: int


class Coin(msgspec.Struct, tag="coin"):
    number: int


class Purse(Protocol):
    """Pays out."""

    @operation("POST /v1/pay", keyed=True, timeout=5)
    async def pay(self, request: Pay) -> Paid:
        """In one piece."""
        ...

    @operation("POST /v1/pay/slowly", keyed=True, timeout=5)
    def pay_slowly(self, request: Pay) -> AsyncIterator[Coin]:
        """Coin by coin."""
        ...

    @operation("POST /v1/pay/plainly")
    async def pay_plainly(self, request: Pay) -> Paid:
        """It takes no key."""
        ...


class OpenPurse:
    """Counts how often it paid; `moods` says how the next payments go, `go_on` lets go of those that wait."""

    def __init__(self) -> None:
        self.begun = 0
        self.done = 0
        self.moods: list[Exception | Literal["wait"]] = []
        self.go_on = asyncio.Event()

    async def pay(self, request: Pay) -> Paid:
        self.begun += 1
        note_header("x-scriza-cache", "miss")
        await self._feel()
        self.done += 1
        return Paid(self.done)

    async def pay_slowly(self, request: Pay) -> AsyncIterator[Coin]:
        self.begun += 1
        note_header("x-scriza-cache", "miss")
        for number in range(request.amount):
            if number == 1:
                await self._feel()
            yield Coin(number)
        self.done += 1

    async def pay_plainly(self, request: Pay) -> Paid:
        return await self.pay(request)

    async def _feel(self) -> None:
        mood = self.moods.pop(0) if self.moods else None
        if mood == "wait":
            await self.go_on.wait()
        elif mood is not None:
            raise mood


@pytest.fixture
def purse() -> OpenPurse:
    return OpenPurse()


@pytest.fixture
def state() -> MemorySharedState:
    return MemorySharedState()


@pytest.fixture
async def http(purse: OpenPurse, state: MemorySharedState) -> AsyncIterator[httpx.AsyncClient]:
    async with reached(purse, Replays(state)) as client:
        yield client


@asynccontextmanager
async def reached(purse: OpenPurse, replays: Replays | None) -> AsyncIterator[httpx.AsyncClient]:
    routes = serve(Purse, purse, heartbeat=0.05, replays=replays)
    app = edge_around([behind(Bearer(), routes)], [ServiceAccess(TOKEN)])
    headers = {"authorization": f"Bearer {TOKEN}"}
    async with serving(app) as url, httpx.AsyncClient(base_url=url, headers=headers, timeout=10) as client:
        yield client


PATHS = pytest.mark.parametrize("path", ["/v1/pay", "/v1/pay/slowly"])


@PATHS
async def test_the_same_request_under_the_same_key_is_done_once(
    http: httpx.AsyncClient, purse: OpenPurse, path: str
) -> None:
    first = await http.post(path, json=PAY, headers=QUOTED)
    again = await http.post(path, json=PAY, headers=QUOTED)
    assert (first.status_code, purse.begun) == (200, 1)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    for name in ("content-type", "x-scriza-cache"):
        assert again.headers[name] == first.headers[name]
    assert again.headers["x-request-id"] != first.headers["x-request-id"]


async def test_a_replayed_stream_has_all_of_its_events_and_no_heartbeats(
    http: httpx.AsyncClient, purse: OpenPurse
) -> None:
    purse.moods = ["wait"]
    first = ""
    async with http.stream("POST", "/v1/pay/slowly", json=PAY, headers=QUOTED) as answer:
        async for text in answer.aiter_text():
            first += text
            if "\n\n:\n\n" in first:
                purse.go_on.set()
    again = await http.post("/v1/pay/slowly", json=PAY, headers=QUOTED)
    assert first.startswith('event: coin\ndata: {"number":0}\n\n:\n\n')
    assert again.text == "".join(f'event: coin\ndata: {{"number":{number}}}\n\n' for number in range(3))


async def test_another_key_is_another_request(http: httpx.AsyncClient, purse: OpenPurse) -> None:
    for number in range(3):
        await http.post("/v1/pay", json=PAY, headers={"Idempotency-Key": f'"{number}"'})
    assert purse.begun == 3


async def test_without_a_key_everything_is_done_as_often_as_asked(http: httpx.AsyncClient, purse: OpenPurse) -> None:
    await http.post("/v1/pay", json=PAY)
    await http.post("/v1/pay", json=PAY)
    assert purse.begun == 2


async def test_an_operation_that_takes_no_key_does_not_read_it(http: httpx.AsyncClient, purse: OpenPurse) -> None:
    await http.post("/v1/pay/plainly", json=PAY, headers=QUOTED)
    answer = await http.post("/v1/pay/plainly", json=PAY, headers=QUOTED)
    assert (answer.status_code, purse.begun) == (200, 2)
    assert (await http.post("/v1/pay/plainly", json=PAY, headers={"Idempotency-Key": '"'})).status_code == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [("/v1/pay", PAY | {"amount": 4}), ("/v1/pay", PAY | {"to": "Bob"}), ("/v1/pay/slowly", PAY)],
)
async def test_the_same_key_with_another_request_is_refused(
    http: httpx.AsyncClient, purse: OpenPurse, path: str, body: dict[str, object]
) -> None:
    await http.post("/v1/pay", json=PAY, headers=QUOTED)
    answer = await http.post(path, json=body, headers=QUOTED)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.json()["type"] == "urn:scriza:problem:idempotency-key-reused"
    assert purse.begun == 1


async def test_how_a_request_is_spelled_does_not_matter(http: httpx.AsyncClient, purse: OpenPurse) -> None:
    first = {"to": "Ada", "amount": 3, "note": {"a": 1, "b": 2}}
    spelled = b'{ "unknown": 1, "note": {"b": 2, "a": 1}, "amount": 3, "to": "\\u0041da" }'
    await http.post("/v1/pay", json=first, headers=QUOTED)
    json_type = {"content-type": "application/json"}
    answer = await http.post("/v1/pay", content=spelled, headers=QUOTED | json_type)
    assert (answer.status_code, purse.begun) == (200, 1)


@PATHS
async def test_while_the_first_is_under_way_its_repetition_is_told_to_come_back(
    http: httpx.AsyncClient, purse: OpenPurse, path: str
) -> None:
    purse.moods = ["wait"]
    asked = asyncio.create_task(http.post(path, json=PAY, headers=QUOTED))
    await eventually(lambda: purse.begun)
    answer = await http.post(path, json=PAY, headers=QUOTED)
    assert (answer.status_code, answer.headers["retry-after"]) == (409, "1")
    other = await http.post(path, json=PAY | {"to": "Bob"}, headers=QUOTED)
    assert other.status_code == 422
    purse.go_on.set()
    assert (await asked).status_code == 200
    assert (await http.post(path, json=PAY, headers=QUOTED)).headers["idempotency-replayed"] == "true"
    assert purse.begun == 1


async def test_of_many_at_the_same_time_one_is_done(http: httpx.AsyncClient, purse: OpenPurse) -> None:
    answers = await asyncio.gather(*(http.post("/v1/pay", json=PAY, headers=QUOTED) for _ in range(20)))
    assert purse.begun == 1
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert {answer.text for answer in answers if answer.status_code == 200} == {'{"number":1}'}


@PATHS
@pytest.mark.parametrize("failure", [UpstreamFailed("it broke"), Unavailable("not now"), ZeroDivisionError("secret")])
async def test_a_failure_frees_the_key(
    http: httpx.AsyncClient, purse: OpenPurse, path: str, failure: Exception
) -> None:
    purse.moods = [failure]
    failed = await http.post(path, json=PAY, headers=QUOTED)
    assert failed.status_code >= 500 or "event: error" in failed.text
    answer = await http.post(path, json=PAY | {"amount": 2}, headers=QUOTED)
    assert (answer.status_code, purse.done) == (200, 1)
    assert "idempotency-replayed" not in answer.headers


@pytest.mark.parametrize("refusal", [RateLimited("slowly", retry_after=7), Unauthenticated("who are you")])
async def test_a_refusal_that_says_nothing_of_the_request_frees_the_key(
    http: httpx.AsyncClient, purse: OpenPurse, refusal: Exception
) -> None:
    purse.moods = [refusal]
    assert (await http.post("/v1/pay", json=PAY, headers=QUOTED)).status_code in {401, 429}
    assert (await http.post("/v1/pay", json=PAY, headers=QUOTED)).status_code == 200


async def test_a_refusal_of_the_request_itself_is_kept(http: httpx.AsyncClient, purse: OpenPurse) -> None:
    purse.moods = [BadInput("nobody can be paid that much")]
    first = await http.post("/v1/pay", json=PAY, headers=QUOTED)
    again = await http.post("/v1/pay", json=PAY, headers=QUOTED)
    assert (first.status_code, first.headers["content-type"]) == (400, "application/problem+json")
    assert (again.status_code, again.content, purse.begun) == (400, first.content, 1)
    assert again.headers["idempotency-replayed"] == "true"


async def test_a_request_that_cannot_be_read_takes_no_key(http: httpx.AsyncClient, purse: OpenPurse) -> None:
    assert (await http.post("/v1/pay", json={"to": "Ada"}, headers=QUOTED)).status_code == 400
    assert (await http.post("/v1/pay", json=PAY, headers=QUOTED)).status_code == 200


@PATHS
async def test_the_work_goes_on_when_the_client_leaves_so_that_a_repetition_finds_the_reply(
    http: httpx.AsyncClient, purse: OpenPurse, path: str
) -> None:
    purse.moods = ["wait"]
    asked = asyncio.create_task(http.post(path, json=PAY, headers=QUOTED))
    await eventually(lambda: purse.begun)
    asked.cancel()
    await asyncio.wait({asked})
    await asyncio.sleep(0.05)
    purse.go_on.set()
    await eventually(lambda: purse.done)
    again = await http.post(path, json=PAY, headers=QUOTED)
    assert (again.status_code, again.headers["idempotency-replayed"], purse.begun) == (200, "true", 1)


@PATHS
async def test_a_reply_that_is_too_large_is_given_but_not_kept(
    purse: OpenPurse, state: MemorySharedState, path: str
) -> None:
    async with reached(purse, Replays(state, most_bytes=8)) as http:
        for number in range(1, 3):
            answer = await http.post(path, json=PAY, headers=QUOTED)
            assert (answer.status_code, len(answer.content) > 8, purse.begun) == (200, True, number)
    assert len(state) == 0


async def test_a_claim_is_renewed_for_as_long_as_the_work_takes(purse: OpenPurse, state: MemorySharedState) -> None:
    purse.moods = ["wait"]
    async with reached(purse, Replays(state, lease=timedelta(seconds=2.4))) as http:
        asked = asyncio.create_task(http.post("/v1/pay", json=PAY, headers=QUOTED))
        await eventually(lambda: purse.begun)
        await asyncio.sleep(3)
        assert (await http.post("/v1/pay", json=PAY, headers=QUOTED)).status_code == 409
        purse.go_on.set()
        assert (await asked).status_code == 200


async def test_workspaces_do_not_share_keys(http: httpx.AsyncClient, purse: OpenPurse) -> None:
    await http.post("/v1/pay", json=PAY, headers=QUOTED)
    answer = await http.post("/v1/pay", json=PAY | {"to": "Bob"}, headers=QUOTED | acting_for("another"))
    assert (answer.status_code, purse.begun) == (200, 2)


def acting_for(workspace: str) -> dict[str, str]:
    from scriza.kernel.principal import Principal, acting
    from scriza.wire.context import carrying

    with acting(Principal(workspace, "somebody")):
        return {"x-scriza-principal": carrying()["x-scriza-principal"]}


@pytest.mark.parametrize(
    ("value", "same_as"),
    [
        (KEY, KEY),
        (f'"{KEY}"; a=1', KEY),
        (r'"a\"b\\c"', r'"a\"b\\c"'),
        ("a/b+c=:d", '"a/b+c=:d"'),
        ("x" * 255, "x" * 255),
    ],
)
async def test_a_key_may_be_quoted_or_bare(http: httpx.AsyncClient, purse: OpenPurse, value: str, same_as: str) -> None:
    assert (await http.post("/v1/pay", json=PAY, headers={"Idempotency-Key": value})).status_code == 200
    again = await http.post("/v1/pay", json=PAY, headers={"Idempotency-Key": same_as})
    assert again.headers["idempotency-replayed"] == "true"
    assert purse.begun == 1


@pytest.mark.parametrize("value", ["", '""', '"', '"a', "a b", '"a"b', "a,b", "x" * 256, '"ä"', '"a\\b"'])
async def test_what_is_no_key_is_bad_input(http: httpx.AsyncClient, purse: OpenPurse, value: str) -> None:
    answer = await http.post("/v1/pay", json=PAY, headers=[(b"Idempotency-Key", value.encode())])
    assert (answer.status_code, purse.begun) == (400, 0)
    assert "Idempotency-Key" in answer.json()["detail"]


class Gone:
    """A shared state that cannot be reached: at once, or after the first claim."""

    def __init__(self, claims: int) -> None:
        self.claims = claims

    async def put_new(self, key: str, value: bytes, ttl: timedelta) -> bool:
        self.claims -= 1
        if self.claims < 0:
            raise Unavailable("the shared state cannot be reached")
        return True

    async def get(self, key: str) -> bytes | None:
        raise Unavailable("the shared state cannot be reached")

    async def replace(self, key: str, old: bytes, new: bytes, ttl: timedelta) -> bool:
        raise Unavailable("the shared state cannot be reached")

    async def delete(self, key: str, value: bytes | None = None) -> bool:
        raise Unavailable("the shared state cannot be reached")


async def test_what_cannot_be_promised_is_not_begun(purse: OpenPurse) -> None:
    async with reached(purse, Replays(Gone(claims=0))) as http:
        assert (await http.post("/v1/pay", json=PAY, headers=QUOTED)).status_code == 503
        assert (await http.post("/v1/pay", json=PAY)).status_code == 200
    assert purse.begun == 1


async def test_a_reply_that_cannot_be_kept_is_given_all_the_same(purse: OpenPurse) -> None:
    async with reached(purse, Replays(Gone(claims=2))) as http:
        assert (await http.post("/v1/pay", json=PAY, headers=QUOTED)).json() == {"number": 1}
        purse.moods = [BadInput("no")]
        assert (await http.post("/v1/pay", json=PAY, headers=QUOTED)).status_code == 400


async def test_the_openapi_page_tells_of_the_key_where_one_is_taken(http: httpx.AsyncClient) -> None:
    paths = (await http.get("/schema/openapi.json")).json()["paths"]
    taking, plain = paths["/v1/pay"]["post"], paths["/v1/pay/plainly"]["post"]
    (header,) = [told for told in taking["parameters"] if told["in"] == "header"]
    assert (header["name"], header["required"]) == ("Idempotency-Key", False)
    assert "24 hours" in header["description"]
    assert {"409", "422"} <= taking["responses"].keys()
    assert "parameters" not in plain or not [told for told in plain["parameters"] if told["in"] == "header"]
    assert "422" not in plain["responses"]


async def test_without_replays_keys_mean_nothing(purse: OpenPurse) -> None:
    async with reached(purse, None) as http:
        await http.post("/v1/pay", json=PAY, headers=QUOTED)
        answer = await http.post("/v1/pay", json=PAY, headers=QUOTED)
    assert (answer.status_code, purse.begun) == (200, 2)
