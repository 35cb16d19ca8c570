"""`scriza objects init`: a bucket is made ready, and what is wrong is told in a sentence."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Literal
from uuid import uuid4

import httpx
import pytest

from scriza_adapters.object_setup import Lifetimes, Step
from scriza_adapters.objects_s3.connection import Patience
from scriza_adapters.objects_s3.setup import prepare
from scriza_adapters.objects_s3.store import S3Objects
from tests.standins.bad_line import REFUSED, BadLine, Refusal
from tests.standins.moto_server import CREDENTIALS, make_bucket, moto_server
from tests.standins.picky_s3 import PickyS3

LIFETIMES = Lifetimes(clips=90, recordings=30)


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with moto_server() as endpoint:
        yield endpoint


@pytest.fixture
def name() -> str:
    return f"made-{uuid4().hex[:12]}"


@pytest.fixture
async def picky(endpoint: str) -> AsyncIterator[PickyS3]:
    async with PickyS3(endpoint) as picky:
        yield picky


async def prepared(url: str, lifetimes: Lifetimes = LIFETIMES) -> list[Step]:
    store = S3Objects(url, Patience(5.0, 10.0, 30.0))
    try:
        return [step async for step in prepare(store, lifetimes)]
    finally:
        await store.close()


def listed(url: str) -> str:
    return httpx.get(url, trust_env=False).text


def rules(endpoint: str, bucket: str) -> str:
    return listed(f"{endpoint}/{bucket}?lifecycle")


async def test_a_missing_bucket_is_made_with_its_rules_and_tried_out(endpoint: str, name: str) -> None:
    steps = await prepared(f"s3://{name}/acme?endpoint={endpoint}&region=us-east-1")
    assert [step.verdict for step in steps] == ["ok"] * 6
    assert steps[0].text == f"made the bucket {name}"
    there = rules(endpoint, name)
    assert "<Prefix>acme/tts-cache/</Prefix>" in there
    assert "<Days>90</Days>" in there
    assert "<Prefix>acme/recordings/</Prefix>" in there
    assert "<Days>30</Days>" in there
    assert "<DaysAfterInitiation>1</DaysAfterInitiation>" in there


async def test_the_second_time_nothing_is_changed(endpoint: str, name: str) -> None:
    url = f"s3://{name}?endpoint={endpoint}&region=us-east-1"
    await prepared(url)
    before = rules(endpoint, name)
    steps = await prepared(url)
    assert steps[0].text == f"the bucket {name} is there"
    assert steps[1].text.endswith("(as before)")
    assert rules(endpoint, name) == before


async def test_rules_of_others_stay_and_ours_follow_the_settings(endpoint: str, name: str) -> None:
    await asyncio.to_thread(make_bucket, endpoint, name)
    others = (
        "<LifecycleConfiguration><Rule><ID>theirs</ID><Status>Enabled</Status><Filter><Prefix>logs/</Prefix></Filter>"
        "<Expiration><Days>7</Days></Expiration></Rule></LifecycleConfiguration>"
    )
    async with httpx.AsyncClient(trust_env=False) as client:
        (await client.put(f"{endpoint}/{name}?lifecycle", content=others)).raise_for_status()
    url = f"s3://{name}?endpoint={endpoint}&region=us-east-1"
    await prepared(url)
    await prepared(url, Lifetimes(clips=5, recordings=0))
    there = rules(endpoint, name)
    assert "<ID>theirs</ID>" in there
    assert "<Days>5</Days>" in there
    assert "<Days>90</Days>" not in there
    assert "recordings/" not in there


async def test_nothing_of_the_trial_stays_behind(endpoint: str, name: str) -> None:
    await prepared(f"s3://{name}?endpoint={endpoint}&region=us-east-1")
    assert "<Key>" not in listed(f"{endpoint}/{name}?list-type=2")


@pytest.mark.parametrize(
    ("method", "subject", "sentence"),
    [
        ("HEAD", "bucket", "s3:ListBucket"),
        ("GET", "lifecycle", "s3:GetLifecycleConfiguration"),
        ("PUT", "lifecycle", "s3:PutLifecycleConfiguration"),
        ("PUT", "object", "refuses our credentials or their rights"),
    ],
)
async def test_a_missing_right_is_named(
    picky: PickyS3,
    endpoint: str,
    name: str,
    method: str,
    subject: Literal["bucket", "lifecycle", "object"],
    sentence: str,
) -> None:
    await asyncio.to_thread(make_bucket, endpoint, name)
    picky.refuse(method, subject, 403, "AccessDenied")
    steps = await prepared(f"s3://{name}?endpoint={picky.url}&region=us-east-1")
    assert steps[-1].verdict == "bad"
    assert sentence in steps[-1].text


async def test_the_right_to_be_told_that_an_object_is_missing_is_named(
    picky: PickyS3, endpoint: str, name: str
) -> None:
    await asyncio.to_thread(make_bucket, endpoint, name)
    picky.hide_missing()
    steps = await prepared(f"s3://{name}?endpoint={picky.url}&region=us-east-1")
    assert steps[-1].verdict == "bad"
    assert "s3:ListBucket" in steps[-1].text


async def test_a_bucket_that_may_not_be_made_is_told(picky: PickyS3, name: str) -> None:
    picky.refuse("PUT", "bucket", 403, "AccessDenied")
    steps = await prepared(f"s3://{name}?endpoint={picky.url}&region=us-east-1")
    assert [(step.verdict, "s3:CreateBucket" in step.text) for step in steps] == [("bad", True)]


async def test_a_name_that_somebody_else_has_is_told(picky: PickyS3, name: str) -> None:
    picky.refuse("PUT", "bucket", 409, "BucketAlreadyExists")
    steps = await prepared(f"s3://{name}?endpoint={picky.url}&region=us-east-1")
    assert [(step.verdict, "taken" in step.text) for step in steps] == [("bad", True)]


async def test_a_server_that_takes_no_rule_for_uploads_gets_the_others(
    picky: PickyS3, endpoint: str, name: str
) -> None:
    await asyncio.to_thread(make_bucket, endpoint, name)
    picky.refuse("PUT", "lifecycle", 400, "MalformedXML", containing=b"AbortIncompleteMultipartUpload")
    url = f"s3://{name}?endpoint={picky.url}&region=us-east-1"
    steps = await prepared(url)
    assert steps[1].verdict == "note"
    assert "tts-cache/" in rules(endpoint, name)
    assert (await prepared(url))[1].text.endswith("(as before)")


async def test_a_server_without_rules_is_a_note_and_everything_else_is_tried(
    picky: PickyS3, endpoint: str, name: str
) -> None:
    await asyncio.to_thread(make_bucket, endpoint, name)
    picky.refuse("GET", "lifecycle", 501, "NotImplemented")
    steps = await prepared(f"s3://{name}?endpoint={picky.url}&region=us-east-1")
    assert [step.verdict for step in steps] == ["ok", "note", "ok", "ok", "ok", "ok"]


async def test_a_store_that_is_away_and_a_wrong_key_end_the_trial(endpoint: str, name: str) -> None:
    async with BadLine(endpoint) as line:
        url = f"s3://{name}?endpoint={line.url}&region=us-east-1"
        await line.turn(REFUSED)
        assert [step.verdict for step in await prepared(url)] == ["bad"]
        await line.turn(Refusal("wrong key", 403, "", "application/xml"))
        assert [step.verdict for step in await prepared(url)] == ["bad"]


def test_the_command_prints_a_line_a_step(endpoint: str, name: str, tmp_path: Path) -> None:
    told = _scriza(tmp_path, SCRIZA_OBJECTS_URL=f"s3://{name}?endpoint={endpoint}&region=us-east-1", **CREDENTIALS)
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith(f"ok    made the bucket {name}\n")


def test_a_directory_needs_nothing(tmp_path: Path) -> None:
    told = _scriza(tmp_path)
    assert told.returncode == 0, told.stderr
    assert "there is nothing to set up" in told.stdout


def test_a_store_that_cannot_be_used_is_told_by_the_exit_code(name: str, tmp_path: Path) -> None:
    told = _scriza(tmp_path, SCRIZA_OBJECTS_URL=f"s3://{name}?endpoint=http://127.0.0.1:9&region=us-east-1")
    assert told.returncode == 1
    assert told.stdout.startswith("bad ")


def _scriza(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "scriza", "objects", "init"],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "AWS_EC2_METADATA_DISABLED": "true", **environment},
        capture_output=True,
        text=True,
        timeout=50,
    )
