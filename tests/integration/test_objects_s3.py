"""How S3 that does not work is told, and what a caller hears of it: nothing."""

import asyncio
import gc
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from scriza.kernel.errors import (
    DeadlineExceeded,
    NotFound,
    RateLimited,
    ScrizaError,
    Unavailable,
    UpstreamFailed,
)
from scriza_adapters.objects_s3.connection import Patience
from scriza_adapters.objects_s3.store import S3Objects
from tests.serving import listening_socket
from tests.standins.bad_line import CUT_OFF, REFUSED, SLOW_HEADERS, STALL, TLS, BadLine, Fault, Refusal
from tests.standins.certificates import self_signed
from tests.standins.moto_server import CREDENTIALS, make_bucket, moto_server
from tests.standins.picky_s3 import PickyS3
from tests.waiting import eventually

XML = "application/xml"


def refusal(code: str, status: int, retry_after: int | None = None) -> Refusal:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>very-secret words</Message></Error>"
    return Refusal(f"{status} {code}", status, body, XML, retry_after)


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with moto_server() as endpoint:
        make_bucket(endpoint, "weather")
        yield endpoint


@pytest.fixture
async def line(endpoint: str) -> AsyncIterator[BadLine]:
    async with BadLine(endpoint) as line:
        yield line


@pytest.fixture
async def objects(line: BadLine) -> AsyncIterator[S3Objects]:
    store = S3Objects(f"s3://weather?endpoint={line.url}&region=us-east-1", Patience(10.0, 10.0, 30.0))
    yield store
    await store.close()


@pytest.fixture
async def hasty(line: BadLine) -> AsyncIterator[S3Objects]:
    """The same, for a store that will not answer."""
    store = S3Objects(f"s3://weather?endpoint={line.url}&region=us-east-1", Patience(1.0, 0.3, 3.0))
    yield store
    await store.close()


WEATHER: list[tuple[Fault, type[ScrizaError], str]] = [
    (REFUSED, Unavailable, "cannot be reached"),
    (SLOW_HEADERS, DeadlineExceeded, "does not answer"),
    (refusal("InvalidAccessKeyId", 403), Unavailable, "InvalidAccessKeyId"),
    (refusal("SignatureDoesNotMatch", 403), Unavailable, "SignatureDoesNotMatch"),
    (refusal("NoSuchBucket", 404), Unavailable, "scriza objects init"),
    (refusal("SlowDown", 503), RateLimited, "SlowDown"),
    (refusal("TooManyRequests", 429, retry_after=7), RateLimited, "TooManyRequests"),
    (refusal("InternalError", 500), UpstreamFailed, "InternalError"),
    (Refusal("broken XML", 500, "<Error><Code>Inter", XML), UpstreamFailed, "500"),
    (Refusal("a page", 502, "<html>very-secret</html>", "text/html"), UpstreamFailed, "502"),
]
FAULTS = pytest.mark.parametrize(
    ("fault", "kind", "said"), WEATHER, ids=[str(getattr(w[0], "name", w[0])) for w in WEATHER]
)


@FAULTS
async def test_bad_weather_is_told_in_our_own_words(
    line: BadLine, objects: S3Objects, hasty: S3Objects, fault: Fault, kind: type[ScrizaError], said: str
) -> None:
    await objects.put("a", b"there", "text/plain")
    store = hasty if fault == SLOW_HEADERS else objects
    await line.turn(fault)
    with capture_logs() as logs, pytest.raises(kind) as got:
        await store.get("a")
    assert said in got.value.detail
    with capture_logs() as more_logs, pytest.raises(kind) as put:
        await store.put("b", b"new", "text/plain")
    assert "very-secret" not in f"{got.value} {put.value} {logs} {more_logs} {got.value.__cause__}"


async def test_how_long_to_wait_is_handed_on(line: BadLine, objects: S3Objects) -> None:
    await line.turn(refusal("TooManyRequests", 429, retry_after=7))
    with pytest.raises(RateLimited) as caught:
        await objects.get("a")
    assert caught.value.retry_after == 7


@pytest.mark.parametrize(("fault", "kind"), [(STALL, DeadlineExceeded), (CUT_OFF, UpstreamFailed)])
async def test_an_object_that_breaks_off_is_not_taken_for_whole(
    line: BadLine, objects: S3Objects, hasty: S3Objects, fault: Fault, kind: type[ScrizaError]
) -> None:
    await objects.put("long", bytes(100_000), "text/plain")
    await line.turn(fault)
    with pytest.raises(kind):
        await (hasty if fault == STALL else objects).get("long")


async def test_a_server_without_tls_is_not_spoken_to(line: BadLine) -> None:
    await line.turn(TLS)
    objects = S3Objects(f"s3://weather?endpoint={line.secure_url}&region=us-east-1")
    try:
        with pytest.raises(Unavailable, match="no secure connection"):
            await objects.get("a")
    finally:
        await objects.close()


async def test_a_certificate_that_nobody_trusts_is_told(tmp_path: Path) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=self_signed(tmp_path))
    port = server.sockets[0].getsockname()[1]
    objects = S3Objects(f"s3://weather?endpoint=https://127.0.0.1:{port}&region=us-east-1", Patience(1.0, 1.0, 5.0))
    async with server:
        try:
            with pytest.raises(Unavailable, match="no secure connection"):
                await objects.put("a", b"x", "text/plain")
        finally:
            await objects.close()


async def test_a_store_that_comes_back_is_used_again_by_the_same_client(line: BadLine, objects: S3Objects) -> None:
    await objects.put("a", b"there", "text/plain")
    await line.turn(REFUSED)
    with pytest.raises(Unavailable):
        await objects.get("a")
    await line.turn("fair")
    assert (await objects.get("a")).body == b"there"


async def test_a_short_burst_of_errors_is_not_noticed(line: BadLine, objects: S3Objects) -> None:
    await objects.put("a", b"there", "text/plain")
    await line.turn(refusal("InternalError", 500))

    async def fair_again() -> None:
        while not line.met:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
        await line.turn("fair")

    clearing = asyncio.create_task(fair_again())
    assert (await objects.get("a")).body == b"there"
    await clearing


async def test_a_stream_whose_store_goes_away_is_given_up_and_nothing_is_there(
    line: BadLine, objects: S3Objects
) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield bytes(9_000_000)
        await line.turn(REFUSED)
        yield bytes(9_000_000)

    with capture_logs() as logs, pytest.raises(Unavailable):
        await objects.put_stream("recordings/one.wav", parts(), "audio/wav")
    assert {log["event"] for log in logs} == {"provider.failed", "objects.upload_not_aborted"}
    await line.turn("fair")
    with pytest.raises(NotFound):
        await objects.get("recordings/one.wav")


async def test_nothing_is_left_running_after_bad_weather(line: BadLine) -> None:
    before = asyncio.all_tasks()
    objects = S3Objects(f"s3://weather?endpoint={line.url}&region=us-east-1")
    await objects.put("a", bytes(100_000), "text/plain")
    await objects.put("large", bytes(1_000_000), "text/plain")
    for fault in (CUT_OFF, REFUSED, refusal("AccessDenied", 403)):
        await line.turn(fault)
        with pytest.raises(ScrizaError):
            await objects.get("a")
    await objects.close()
    await line.turn("fair")
    assert asyncio.all_tasks() == before
    await eventually(lambda: all(thread.name != "objects-bulk" for thread in threading.enumerate()))


@pytest.fixture
async def picky(endpoint: str) -> AsyncIterator[tuple[PickyS3, S3Objects]]:
    async with PickyS3(endpoint) as server:
        store = S3Objects(f"s3://weather?endpoint={server.url}&region=us-east-1", Patience(1.0, 1.0, 10.0))
        yield server, store
        await store.close()


async def test_a_new_object_whose_first_answer_was_lost_is_still_ours(picky: tuple[PickyS3, S3Objects]) -> None:
    server, objects = picky
    server.refuse("PUT", "object", 500, "InternalError", once=True, done=True)
    assert await objects.put_new("new/lost-answer", b"ours", "text/plain"), "the repetition met what it had stored"
    assert not await objects.put_new("new/lost-answer", b"theirs", "text/plain")
    server.refuse("PUT", "object", 500, "InternalError", once=True)
    assert not await objects.put_new("new/lost-answer", b"theirs", "text/plain")
    assert (await objects.get("new/lost-answer")).body == b"ours"


async def test_a_conflict_of_two_new_objects_is_asked_again(picky: tuple[PickyS3, S3Objects]) -> None:
    server, objects = picky
    server.refuse("PUT", "object", 409, "ConditionalRequestConflict", once=True)
    assert await objects.put_new("new/conflict", b"x", "text/plain")


async def test_parts_of_an_upload_that_failed_are_removed(picky: tuple[PickyS3, S3Objects], endpoint: str) -> None:
    server, objects = picky

    async def parts() -> AsyncIterator[bytes]:
        yield bytes(9_000_000)
        server.refuse("PUT", "object", 403, "AccessDenied")
        yield bytes(9_000_000)

    with pytest.raises(Unavailable):
        await objects.put_stream("recordings/parts.wav", parts(), "audio/wav")
    async with httpx.AsyncClient(trust_env=False) as client:
        assert "recordings/parts.wav" not in (await client.get(f"{endpoint}/weather?uploads")).text


async def test_a_large_object_does_not_hold_up_the_calls(objects: S3Objects) -> None:
    steps: list[float] = []

    async def call() -> None:
        while True:
            before = time.thread_time()
            await asyncio.sleep(0)
            steps.append(time.thread_time() - before)

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield bytes(500_000)

    await objects.put("warm", b"x", "text/plain")
    await objects.put("warm", bytes(1_000_000), "text/plain")
    gc.disable()  # a collection of all that the other tests have left would count as well
    try:
        calling = asyncio.create_task(call())
        await objects.put("large", bytes(20_000_000), "audio/wav")
        await objects.put_stream("large", parts(), "audio/wav")
        calling.cancel()
    finally:
        gc.enable()
    assert max(steps) < 0.015, "CPU between two turns of the loop; it takes four times as long to hash that much"


async def test_without_credentials_the_sentence_names_their_variables(
    line: BadLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in CREDENTIALS:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    objects = S3Objects(f"s3://weather?endpoint={line.url}&region=us-east-1")
    try:
        with pytest.raises(Unavailable, match="AWS_ACCESS_KEY_ID"):
            await objects.get("a")
    finally:
        await objects.close()


async def test_a_store_that_cannot_be_reached_is_unavailable() -> None:
    with listening_socket() as bound:  # bound, but nobody listens
        port = bound.getsockname()[1]
        objects = S3Objects(f"s3://bucket?endpoint=http://127.0.0.1:{port}&region=us-east-1")
        try:
            with pytest.raises(Unavailable) as caught:
                await objects.get("a")
        finally:
            await objects.close()
    assert "very-secret" not in str(caught.value)


async def test_a_client_that_was_never_used_closes() -> None:
    await S3Objects("s3://bucket/prefix").close()


@pytest.mark.parametrize(
    "url",
    [
        *("", "https://bucket", "s3://", "s3:///prefix", "s3://bucket?endpiont=http://x"),
        *("s3://key:secret@bucket", "s3://bucket?endpoint=http://key:secret@x"),
    ],
)
def test_a_url_that_is_not_one_of_a_bucket_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="s3://BUCKET") as refused:
        S3Objects(url)
    assert "secret" not in str(refused.value)
