"""What is particular to objects in a directory: signed URLs, and what is left on the disk."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from scriza.gateway.objects import objects_route
from scriza.kernel.errors import Forbidden, NotFound, Unavailable
from scriza_adapters.objects_directory import DirectoryObjects

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def objects(tmp_path: Path, clock: Clock) -> DirectoryObjects:
    return DirectoryObjects(tmp_path / "o", url="http://here.local/", key="secret", clock=clock)


@pytest.fixture
def client(objects: DirectoryObjects) -> Iterator[TestClient[Litestar]]:
    with TestClient(Litestar([objects_route(objects)]), base_url="http://here.local") as client:
        yield client


async def test_a_url_opens_until_it_expires(
    objects: DirectoryObjects, client: TestClient[Litestar], clock: Clock
) -> None:
    await objects.put("a/b.mp3", b"sound", "audio/mpeg")
    url = await objects.signed_url("a/b.mp3", timedelta(seconds=60))
    clock.now = NOON + timedelta(seconds=59)
    answer = client.get(url)
    assert (answer.status_code, answer.content) == (200, b"sound")
    assert answer.headers["content-type"] == "audio/mpeg"
    assert answer.headers["x-content-type-options"] == "nosniff"
    clock.now = NOON + timedelta(seconds=60)
    answer = client.get(url)
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("a/b.mp3", "a/c.mp3"),
        ("expires=1893499260", "expires=1993499260"),
        ("expires=1893499260", "expires=01893499260"),
        ("expires=1893499260", "expires=%C2%B2"),
        ("signature=", "signature=0"),
        ("signature=", "signature=%00%ff&x="),
        ("&signature=", "&other="),
        ("expires=1893499260&", ""),
    ],
)
async def test_a_url_that_was_changed_opens_nothing(
    objects: DirectoryObjects, client: TestClient[Litestar], part: str, other: str
) -> None:
    await objects.put("a/b.mp3", b"sound", "audio/mpeg")
    await objects.put("a/c.mp3", b"other", "audio/mpeg")
    url = await objects.signed_url("a/b.mp3", timedelta(seconds=60))
    assert part in url
    assert client.get(url.replace(part, other)).status_code == 403


@pytest.mark.parametrize("path", ["%2e%2e/secret", "a/%2e%2e/%2e%2e/secret", "/etc/passwd", "a%00", "%ff"])
async def test_no_path_leads_out_of_the_directory(
    objects: DirectoryObjects, client: TestClient[Litestar], tmp_path: Path, path: str
) -> None:
    await objects.put("a/b", b"x", "text/plain")
    (tmp_path / "secret").write_text("text/plain\nsecret")
    answer = client.get(f"/objects/{path}", params={"expires": "1893499260", "signature": "0" * 64})
    assert answer.status_code in (400, 403, 404)
    assert "secret" not in answer.text


async def test_another_key_signs_nothing_here(objects: DirectoryObjects, tmp_path: Path, clock: Clock) -> None:
    await objects.put("a", b"x", "text/plain")
    stranger = DirectoryObjects(tmp_path / "o", url="http://here.local", key="another secret", clock=clock)
    _, _, query = (await stranger.signed_url("a", timedelta(hours=1))).partition("?")
    fields = dict(pair.split("=") for pair in query.split("&"))
    with pytest.raises(Forbidden):
        await objects.open("a", fields["expires"], fields["signature"])


async def test_nothing_but_the_objects_stays_on_the_disk(objects: DirectoryObjects, tmp_path: Path) -> None:
    for _ in range(3):
        await objects.put("a/b/c", b"x", "text/plain")
    assert [path.name for path in (tmp_path / "o").rglob("*") if path.is_file()] == ["c"]


async def test_a_directory_of_objects_is_no_object(objects: DirectoryObjects) -> None:
    await objects.put("a/b", b"x", "text/plain")
    with pytest.raises(NotFound):
        await objects.get("a")
    with pytest.raises(NotFound):
        await objects.get("a/b/c")


async def test_a_disk_that_refuses_is_said_plainly(tmp_path: Path) -> None:
    (tmp_path / "o").write_text("a file where the directory should be")
    objects = DirectoryObjects(tmp_path / "o", url="http://here.local", key="secret")
    with pytest.raises(Unavailable):
        await objects.put("a/b", b"x", "text/plain")


@pytest.mark.parametrize("apart_s", [1, 400, 86_400])
async def test_what_was_not_used_for_longest_is_pruned(objects: DirectoryObjects, tmp_path: Path, apart_s: int) -> None:
    for age, name in enumerate(["newest", "read", "old", "oldest"]):
        await objects.put(f"tts-cache/aa/{name}", bytes(1000), "text/plain")
        os.utime(tmp_path / "o/tts-cache/aa" / name, (1_000_000 - age * apart_s,) * 2)
    await objects.put("voice-assets/a", bytes(1000), "text/plain")
    await objects.get("tts-cache/aa/read")
    assert await objects.prune("tts-cache", 2 * 1011) == 2
    assert await objects.prune("tts-cache", 2 * 1011) == 0
    for kept in ("tts-cache/aa/newest", "tts-cache/aa/read", "voice-assets/a"):
        await objects.get(kept)
    with pytest.raises(NotFound):
        await objects.get("tts-cache/aa/old")


async def test_what_nobody_used_for_long_is_pruned_though_there_is_room(
    objects: DirectoryObjects, tmp_path: Path
) -> None:
    for days, name in ((91, "old"), (89, "young")):
        await objects.put(f"tts-cache/aa/{name}", b"x", "text/plain")
        os.utime(tmp_path / "o/tts-cache/aa" / name, ((NOON - timedelta(days=days)).timestamp(),) * 2)
    assert await objects.prune("tts-cache", 1000) == 0
    assert await objects.prune("tts-cache", 1000, unused_for=timedelta(days=90)) == 1
    assert files_in(tmp_path) == ["young"]


async def test_reading_counts_as_using(objects: DirectoryObjects, tmp_path: Path) -> None:
    await objects.put("a/b", b"x", "text/plain")
    os.utime(tmp_path / "o/a/b", (0, 0))
    await objects.get("a/b")
    assert (tmp_path / "o/a/b").stat().st_mtime > 0


async def test_what_a_crash_left_half_written_is_pruned_when_it_is_old(
    objects: DirectoryObjects, tmp_path: Path
) -> None:
    await objects.put("a/b", b"x", "text/plain")
    for name, age_s in (("~old", 3700), ("~being-written", 60)):
        (tmp_path / "o/a" / name).write_bytes(b"half")
        os.utime(tmp_path / "o/a" / name, (NOON.timestamp() - age_s,) * 2)
    assert await objects.prune("a", 1000) == 0
    assert await objects.prune("a", 0) == 1
    assert sorted(path.name for path in (tmp_path / "o/a").iterdir()) == ["~being-written"]


async def test_pruning_what_was_never_written_is_fine(objects: DirectoryObjects) -> None:
    assert await objects.prune("tts-cache", 0) == 0


def files_in(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file()]


async def test_nothing_is_left_of_a_stream_that_broke(objects: DirectoryObjects, tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield bytes(3_000_000)
        raise RuntimeError("the source broke")

    with pytest.raises(RuntimeError, match="the source broke"):
        await objects.put_stream("recordings/one.wav", broken(), "audio/wav")
    assert files_in(tmp_path) == []


async def test_nothing_is_left_of_what_came_second(objects: DirectoryObjects, tmp_path: Path) -> None:
    assert await objects.put_new("a", b"first", "text/plain")
    assert not await objects.put_new("a", b"second", "text/plain")
    assert files_in(tmp_path) == ["a"]


@pytest.mark.parametrize(
    ("asked", "status", "body", "told"),
    [
        ("bytes=0-", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("bytes=8-99", 206, b"89", "bytes 8-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=-30", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=10-", 416, b"", "bytes */10"),
        ("bytes=-0", 416, b"", "bytes */10"),
        ("", 200, b"0123456789", None),
        ("bytes=-", 200, b"0123456789", None),
        ("bytes=4-2", 200, b"0123456789", None),
        ("bytes=0-1,4-5", 200, b"0123456789", None),
        ("seconds=1-2", 200, b"0123456789", None),
    ],
)
async def test_a_player_may_ask_for_a_part(
    objects: DirectoryObjects, client: TestClient[Litestar], asked: str, status: int, body: bytes, told: str | None
) -> None:
    await objects.put("recordings/a.wav", b"0123456789", "audio/wav")
    url = await objects.signed_url("recordings/a.wav", timedelta(hours=1))
    answer = client.get(url, headers={"range": asked} if asked else {})
    assert (answer.status_code, answer.content) == (status, body)
    assert answer.headers.get("content-range") == told
    assert answer.headers["accept-ranges"] == "bytes"


async def test_a_large_object_is_sent_in_pieces_between_which_calls_go_on(objects: DirectoryObjects) -> None:
    body = bytes(range(250)) * 10_000
    await objects.put("recordings/a.wav", body, "audio/wav")
    url = urlsplit(await objects.signed_url("recordings/a.wav", timedelta(hours=1)))
    sent: list[dict[str, Any]] = []
    whole = asyncio.Event()
    turns = 0

    async def call() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async def send(message: dict[str, Any]) -> None:
        sent.append(message | {"turns": turns})
        if not message.get("more_body", True):
            whole.set()

    async def receive() -> dict[str, Any]:
        await whole.wait()
        return {"type": "http.disconnect"}

    calling = asyncio.create_task(call())
    scope = {"type": "http", "method": "GET", "path": url.path, "raw_path": url.path.encode(), "headers": []}
    scope |= {"query_string": url.query.encode(), "server": ("here.local", 80), "client": None, "scheme": "http"}
    await Litestar([objects_route(objects)])(scope, receive, send)  # type: ignore[arg-type]  # as a server
    calling.cancel()
    start, *pieces = sent
    assert dict(start["headers"])[b"content-length"] == b"2500000"
    assert b"".join(piece["body"] for piece in pieces) == body
    assert max(len(piece["body"]) for piece in pieces) <= 256 * 1024
    assert len({piece["turns"] for piece in pieces if piece["body"]}) > 9


async def test_a_forgotten_folder_leaves_nothing_on_the_disk_not_even_what_was_half_written(
    objects: DirectoryObjects, tmp_path: Path
) -> None:
    await objects.put("calls/CA1/1-0", b"sound", "audio/wav")
    (tmp_path / "o/calls/CA1/~killed").write_bytes(b"half a sou")
    assert await objects.delete_all("calls/CA1") == 1
    assert [path for path in (tmp_path / "o").rglob("*") if path.is_file()] == []
    assert not (tmp_path / "o/calls/CA1").exists()
