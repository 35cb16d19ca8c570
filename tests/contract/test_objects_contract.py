"""What every store of objects promises: a directory, and S3 (moto's, or the one that SCRIZA_TEST_S3_URL names).

The one in memory, which other tests use on virtual time, keeps to it too, but for URLs that open.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from litestar import Litestar

from scriza.gateway.objects import objects_route
from scriza.kernel.errors import BadInput, NotFound
from scriza.ports.objects import Objects
from scriza_adapters.objects_directory import DirectoryObjects
from scriza_adapters.objects_s3.store import S3Objects
from tests.memory_objects import MemoryObjects
from tests.serving import serving
from tests.standins.moto_server import CREDENTIALS, make_bucket, moto_server

HOUR = timedelta(hours=1)


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    if real := os.environ.get("SCRIZA_TEST_S3_URL"):
        yield f"{real.partition('?')[0].rstrip('/')}/{uuid4().hex}?{real.partition('?')[2]}"
        return
    with moto_server() as endpoint:
        yield make_bucket(endpoint, "scriza-test").replace("?", f"/{uuid4().hex}?")


@pytest.fixture(params=["directory", "s3", "memory"])
async def objects(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Objects]:
    if request.param == "s3":
        if "SCRIZA_TEST_S3_URL" not in os.environ:
            for name, value in CREDENTIALS.items():
                monkeypatch.setenv(name, value)
        store = S3Objects(request.getfixturevalue("s3_url"))
        try:
            yield store
        finally:
            await store.close()
        return
    if request.param == "memory":
        yield MemoryObjects()
        return
    directory = DirectoryObjects(tmp_path / "objects", url="", key="a secret")
    async with serving(Litestar([objects_route(directory)])) as url:
        yield DirectoryObjects(tmp_path / "objects", url=url, key="a secret")


async def opened(url: str) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.get(url)


async def test_what_was_put_is_got_with_its_type(objects: Objects) -> None:
    body = bytes(range(256)) * 100
    await objects.put("tts-cache/ab/cd.ulaw", body, "audio/basic")
    found = await objects.get("tts-cache/ab/cd.ulaw")
    assert (found.body, found.content_type) == (body, "audio/basic")


async def test_a_body_may_be_empty_and_hold_anything(objects: Objects) -> None:
    await objects.put("empty", b"", "application/octet-stream")
    assert (await objects.get("empty")).body == b""
    await objects.put("lines", b"\n\r\n\x00", "text/plain; charset=utf-8")
    found = await objects.get("lines")
    assert (found.body, found.content_type) == (b"\n\r\n\x00", "text/plain; charset=utf-8")


async def test_what_is_put_again_is_replaced(objects: Objects) -> None:
    await objects.put("a/b", b"old and longer", "text/plain")
    await objects.put("a/b", b"new", "audio/mpeg")
    found = await objects.get("a/b")
    assert (found.body, found.content_type) == (b"new", "audio/mpeg")


async def test_what_is_not_there_is_not_found(objects: Objects) -> None:
    with pytest.raises(NotFound):
        await objects.get("no/such/thing")


async def test_what_was_deleted_is_gone_and_deleting_it_again_is_fine(objects: Objects) -> None:
    await objects.put("short/lived", b"x", "text/plain")
    await objects.delete("short/lived")
    await objects.delete("short/lived")
    with pytest.raises(NotFound):
        await objects.get("short/lived")


@pytest.mark.parametrize(
    "key",
    ["", "/etc/passwd", "../up", "a/../b", "a//b", "a/", "a/./b", ".hidden", "~temporary", "a b", "a\\b", "a\n", "é",
     "a\x00", "a?b", "%2e%2e/a", "a" * 201, "/".join("a" * 17)],
)  # fmt: skip
async def test_a_key_that_is_none_is_refused_by_every_act(objects: Objects, key: str) -> None:
    with pytest.raises(BadInput):
        await objects.put(key, b"x", "text/plain")
    with pytest.raises(BadInput):
        await objects.put_new(key, b"x", "text/plain")
    with pytest.raises(BadInput):
        await objects.put_stream(key, pieces(1, 1), "text/plain")
    with pytest.raises(BadInput):
        await objects.get(key)
    with pytest.raises(BadInput):
        await objects.delete(key)
    with pytest.raises(BadInput):
        await objects.signed_url(key, HOUR)


async def test_readers_never_see_a_part_of_what_is_being_replaced(objects: Objects) -> None:
    await objects.put("busy", b"0" * 50_000, "text/plain")

    async def write() -> None:
        for digit in b"123456":
            await objects.put("busy", bytes([digit]) * 50_000, "text/plain")

    writers = asyncio.gather(write(), write())
    while not writers.done():
        body = (await objects.get("busy")).body
        assert len(body) == 50_000
        assert len(set(body)) == 1
    await writers


@pytest.mark.parametrize("objects", ["directory", "s3"], indirect=True)
async def test_a_signed_url_opens_the_object_to_anybody(objects: Objects) -> None:
    await objects.put("clips/hello.mp3", b"sound", "audio/mpeg")
    answer = await opened(await objects.signed_url("clips/hello.mp3", HOUR))
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, b"sound", "audio/mpeg")


@pytest.mark.parametrize("objects", ["directory", "s3"], indirect=True)
async def test_a_signed_url_of_nothing_finds_nothing(objects: Objects) -> None:
    answer = await opened(await objects.signed_url("clips/none.mp3", HOUR))
    assert answer.status_code == 404


async def test_what_is_put_as_new_stands_and_a_second_one_changes_nothing(objects: Objects) -> None:
    assert await objects.put_new("once/only", b"first", "text/plain")
    assert not await objects.put_new("once/only", b"second", "audio/mpeg")
    found = await objects.get("once/only")
    assert (found.body, found.content_type) == (b"first", "text/plain")


async def test_of_many_who_put_the_same_new_object_one_has_put_it(objects: Objects) -> None:
    bodies = [bytes([number]) * 1000 for number in range(8)]
    won = await asyncio.gather(*(objects.put_new("race", body, "text/plain") for body in bodies))
    assert sum(won) == 1
    assert (await objects.get("race")).body == bodies[won.index(True)]


async def test_what_was_deleted_can_be_put_as_new(objects: Objects) -> None:
    await objects.put("again", b"x", "text/plain")
    await objects.delete("again")
    assert await objects.put_new("again", b"y", "text/plain")


async def pieces(size: int, count: int) -> AsyncIterator[bytes]:
    for number in range(count):
        yield bytes([number % 251]) * size


@pytest.mark.parametrize(("size", "count"), [(0, 0), (10, 3), (700_000, 30), (9_000_000, 2)])
async def test_a_stream_of_any_length_becomes_one_object(objects: Objects, size: int, count: int) -> None:
    stored = await objects.put_stream("streams/one", pieces(size, count), "audio/wav")
    found = await objects.get("streams/one")
    assert found.content_type == "audio/wav"
    assert stored == len(found.body) == size * count
    assert found.body == b"".join([piece async for piece in pieces(size, count)])


async def test_a_stream_that_breaks_leaves_what_was_there(objects: Objects) -> None:
    async def broken() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield bytes(1_000_000)
        raise RuntimeError("the source broke")

    await objects.put("streams/two", b"old", "text/plain")
    with pytest.raises(RuntimeError, match="the source broke"):
        await objects.put_stream("streams/two", broken(), "audio/wav")
    assert (await objects.get("streams/two")).body == b"old"


async def test_a_stream_that_is_given_up_leaves_nothing(objects: Objects) -> None:
    waiting = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield bytes(1_000_000)
        waiting.set()
        await asyncio.Event().wait()

    storing = asyncio.create_task(objects.put_stream("streams/three", endless(), "audio/wav"))
    await waiting.wait()
    storing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await storing
    with pytest.raises(NotFound):
        await objects.get("streams/three")


async def test_a_folder_is_forgotten_with_all_that_is_in_it_and_nothing_beside_it(objects: Objects) -> None:
    for key in ("calls/CA1/1-0", "calls/CA1/1-1", "calls/CA1/deeper/2-0", "calls/CA10/1-0", "calls/CA1.wav"):
        await objects.put(key, b"sound", "audio/wav")
    assert await objects.delete_all("calls/CA1") == 3
    for key in ("calls/CA1/1-0", "calls/CA1/1-1", "calls/CA1/deeper/2-0"):
        with pytest.raises(NotFound):
            await objects.get(key)
    assert (await objects.get("calls/CA10/1-0")).body == (await objects.get("calls/CA1.wav")).body == b"sound"
    assert await objects.delete_all("calls/CA1") == 0
    await objects.put("calls/CA1/1-0", b"again", "audio/wav")
    assert (await objects.get("calls/CA1/1-0")).body == b"again"


async def test_no_folder_is_forgotten_whose_name_is_none(objects: Objects) -> None:
    with pytest.raises(BadInput):
        await objects.delete_all("../elsewhere")
