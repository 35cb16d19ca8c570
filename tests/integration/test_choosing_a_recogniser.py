"""Which recogniser listens, and how people get a better one: the settings and `scriza models`."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from scriza.factories import listening
from scriza.settings import load
from scriza_adapters.sphinx.engine import PocketsphinxEngine
from scriza_adapters.whisper.engine import WhisperEngine
from tests.serving import serving
from tests.standins.canned_whisper import build_canned_whisper
from tests.standins.model_hub import ModelHub

ACCOUNT = {"twilio_account_sid": "AC1", "twilio_auth_token": "secret"}
WITH_MODEL: list[tuple[dict[str, str], type]] = [
    ({}, WhisperEngine),
    (ACCOUNT, WhisperEngine),
    ({"asr_engine": "faster-whisper"}, WhisperEngine),
    ({"asr_engine": "pocketsphinx"}, PocketsphinxEngine),
    ({"asr_model": "small.en"}, PocketsphinxEngine),
]
WITHOUT: list[dict[str, str]] = [{}, {"asr_engine": "pocketsphinx"}, {"asr_engine": "pocketsphinx", **ACCOUNT}]


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("models")
    build_canned_whisper(directory / "base.en")
    return directory


@pytest.mark.parametrize(("overrides", "kind"), WITH_MODEL)
def test_a_model_on_disk_is_used_unless_another_engine_is_named(
    models: Path, tmp_path: Path, overrides: dict[str, str], kind: type
) -> None:
    shutil.copytree(models, tmp_path / "models")
    assert isinstance(listening.recogniser(load(**overrides), tmp_path), kind)


def test_models_may_be_kept_elsewhere_and_named_by_their_path(models: Path, tmp_path: Path) -> None:
    elsewhere = load(asr_model_dir=str(models))
    named = load(asr_model=str(models / "base.en"))
    assert isinstance(listening.recogniser(elsewhere, tmp_path), WhisperEngine)
    assert isinstance(listening.recogniser(named, tmp_path), WhisperEngine)


@pytest.mark.parametrize("overrides", WITHOUT)
def test_without_a_model_pocketsphinx_listens_and_it_is_said_what_for(
    tmp_path: Path, overrides: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert isinstance(listening.recogniser(load(**overrides), tmp_path), PocketsphinxEngine)
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 1
    assert "asr.for_demos_only" in said[0]


@pytest.fixture
def scriza(tmp_path: Path) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Runs `scriza models …`; the hub is at the URL given."""

    def run(*arguments: str, hub: str = "http://127.0.0.1:9") -> "subprocess.CompletedProcess[str]":
        variables = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "SCRIZA_DATA_DIR": str(tmp_path / "data")}
        return subprocess.run(
            [sys.executable, "-m", "scriza", "models", *arguments],
            env=variables | {"HF_ENDPOINT": hub},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=50,
        )

    return run


async def test_a_fetched_model_listens_from_then_on(
    models: Path, tmp_path: Path, scriza: Callable[..., "subprocess.CompletedProcess[str]"]
) -> None:
    files = {file.name: file.read_bytes() for file in (models / "base.en").iterdir()}
    async with serving(ModelHub(files).app()) as hub:
        fetched = await asyncio.to_thread(scriza, "fetch", "base.en", hub=hub)
    place = tmp_path / "data" / "models" / "base.en"
    assert fetched.returncode == 0
    assert " of 1 MB" in fetched.stdout
    assert f"{place} is ready" in fetched.stdout
    assert scriza("list").stdout.splitlines()[0].split() == ["base.en", str(place)]
    assert isinstance(listening.recogniser(load(), tmp_path / "data"), WhisperEngine)


def test_no_hub_and_no_such_model_are_sentences(scriza: Callable[..., "subprocess.CompletedProcess[str]"]) -> None:
    unreachable, unknown = scriza("fetch", "base.en"), scriza("fetch", "gigantic")
    assert (unreachable.returncode, unknown.returncode) == (2, 2)
    assert unreachable.stderr.splitlines()[-1].startswith("scriza: the hub cannot be reached")
    assert unknown.stderr.startswith("scriza: there is no model 'gigantic'; there are tiny.en, tiny, base.en")
    assert all(" not here: " in line for line in scriza("list").stdout.splitlines())


@pytest.mark.parametrize(
    ("broken", "finding"),
    [(False, "ok    listening    faster-whisper hears"), (True, "bad   listening    the model in")],
)
def test_the_doctor_has_the_model_loaded(models: Path, tmp_path: Path, broken: bool, finding: str) -> None:
    directory = shutil.copytree(models / "base.en", tmp_path / "data" / "models" / "base.en")
    if broken:
        (directory / "model.bin").write_bytes(b"not a model")
    run = subprocess.run(
        [sys.executable, "-m", "scriza", "doctor"],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "SCRIZA_DATA_DIR": str(tmp_path / "data")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=55,
    )
    assert finding in run.stdout
