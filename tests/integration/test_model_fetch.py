"""Fetching a model, from a hub on this machine."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from scriza.kernel.errors import BadInput, DeadlineExceeded, NotFound, Unavailable
from scriza_adapters.whisper.models import fetch_model, find_model, installed_models, missing_files
from tests.serving import serving
from tests.standins.model_hub import ModelHub

FILES = {
    "config.json": b"{}",
    "model.bin": bytes(3_000_000),
    "tokenizer.json": b"{}",
    "vocabulary.txt": b"a\n",
    "README.md": b"not wanted",
}


def entries(directory: Path) -> list[str]:
    return [entry.name for entry in directory.iterdir()]


def nothing(done: int, total: int) -> None:
    pass


async def test_a_fetched_model_is_whole_found_and_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int]] = []
    models = tmp_path / "models"
    async with serving(ModelHub(FILES).app()) as url:
        monkeypatch.setenv("HF_ENDPOINT", url)
        directory = await fetch_model("base.en", models, lambda done, total: told.append((done, total)))
    assert directory == models / "base.en"
    assert {file.name: file.read_bytes() for file in directory.iterdir()} == {
        name: body for name, body in FILES.items() if name != "README.md"
    }
    assert entries(models) == ["base.en"]
    assert find_model("base.en", models) == directory
    assert installed_models(models) == ["base.en"]
    assert told[-1][0] <= told[-1][1] == sum(map(len, FILES.values())) - len(FILES["README.md"])


async def test_a_model_that_is_there_is_not_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, body in FILES.items():
        (tmp_path / "tiny").mkdir(exist_ok=True)
        (tmp_path / "tiny" / name).write_bytes(body)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert await fetch_model("tiny", tmp_path, nothing) == tmp_path / "tiny"


async def test_no_hub_is_a_sentence_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(Unavailable, match="the hub cannot be reached"):
        async with asyncio.timeout(40):
            await fetch_model("base.en", tmp_path, nothing)
    assert entries(tmp_path) == []


async def test_a_hub_that_lacks_a_file_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(ModelHub(FILES, "missing").app()) as url:
        monkeypatch.setenv("HF_ENDPOINT", url)
        with pytest.raises(Unavailable, match=r"model\.bin"):
            await fetch_model("base.en", tmp_path, nothing)
    assert entries(tmp_path) == []


async def test_a_hub_that_breaks_off_is_a_sentence_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(ModelHub(FILES, "broken").app()) as url:
        monkeypatch.setenv("HF_ENDPOINT", url)
        with pytest.raises(Unavailable, match="with a network, try again"):
            await fetch_model("base.en", tmp_path, nothing)
    assert entries(tmp_path) == []


async def test_a_hub_that_falls_silent_is_given_up_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(ModelHub(FILES, "stalled").app()) as url:
        monkeypatch.setenv("HF_ENDPOINT", url)
        with pytest.raises(DeadlineExceeded, match="sent nothing"):
            await fetch_model("base.en", tmp_path, nothing, stall_s=4)
    assert entries(tmp_path) == []


async def test_a_cancelled_fetch_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(ModelHub(FILES, "stalled").app()) as url:
        monkeypatch.setenv("HF_ENDPOINT", url)
        begun = asyncio.Event()
        fetching = asyncio.create_task(fetch_model("base.en", tmp_path, lambda done, total: begun.set()))
        await begun.wait()
        fetching.cancel()
        await asyncio.wait([fetching])
    assert fetching.cancelled()
    assert entries(tmp_path) == []


async def test_what_a_killed_fetch_left_is_swept_and_one_under_way_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, hours in ((".unfinished-long-ago", 5), (".unfinished-under-way", 3)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.bin").write_bytes(bytes(1000))
        os.utime(tmp_path / name, times=2 * (time.time() - hours * 3600,))
    async with serving(ModelHub(FILES).app()) as url:
        monkeypatch.setenv("HF_ENDPOINT", url)
        await fetch_model("base.en", tmp_path, nothing)
    assert sorted(entries(tmp_path)) == [".unfinished-under-way", "base.en"]


async def test_names_and_places_that_cannot_be_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"base\.en"):
        await fetch_model("enormous", tmp_path, nothing)
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="cannot be written"):
        await fetch_model("base.en", tmp_path / "file", nothing)


def test_a_directory_is_a_model_only_with_all_its_files(tmp_path: Path) -> None:
    assert missing_files(tmp_path) == ["model.bin", "config.json", "tokenizer.json"]
    assert find_model("base.en", tmp_path) is None
    assert find_model(str(tmp_path), tmp_path) is None
    assert installed_models(tmp_path / "nowhere") == []
