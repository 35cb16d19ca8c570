"""`scriza models check`: recordings with their transcripts, by one setting or several."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from scriza.audio.mp3 import encode_mp3
from scriza.audio.wav import encode_wav
from tests.standins.canned_ggml import build_canned_ggml
from tests.standins.canned_whisper import SENTENCE, build_canned_whisper

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One of faster-whisper that hears the sentence, one of whisper.cpp that hears another."""
    directory = tmp_path_factory.mktemp("models")
    build_canned_whisper(directory / "base.en")
    build_canned_ggml(directory / "ggml-other.bin", "hello yes please")
    return directory


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recordings: in the one the sentence is said, in the other one of its ten words is another."""
    folder = tmp_path_factory.mktemp("recordings")
    noise = np.random.default_rng(1).normal(0, 1000, 32_000).astype(np.int16)
    (folder / "first.wav").write_bytes(encode_wav(noise, 16_000))
    (folder / "first.txt").write_text(SENTENCE.upper() + ".")
    (folder / "second.mp3").write_bytes(encode_mp3(np.repeat(noise, 2), 22_050))
    (folder / "second.txt").write_text(SENTENCE.replace("price", "cost"))
    return folder


@pytest.fixture
def scriza(tmp_path: Path, models: Path) -> Run:
    """Runs `scriza models check …` with the models at hand, or with others."""

    def run(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "SCRIZA_ASR_MODEL_DIR": str(models)}
        return subprocess.run(
            [sys.executable, "-m", "scriza", "models", "check", *arguments],
            env=environment | variables,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=55,
        )

    return run


def cells(output: str, row: str) -> list[str]:
    return next(line for line in output.splitlines() if line.startswith(row)).removeprefix(row).split()


def test_errors_time_and_confidence_are_told_for_each_setting(scriza: Run, recordings: Path) -> None:
    other = "asr_engine=whisper-cpp,asr_model=other"
    run = scriza(str(recordings), "--language", "en", "--setting", "asr_window_seconds=5", "--setting", other)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("2 recordings, 5 s of audio")
    assert cells(run.stdout, "engine") == ["faster-whisper", "faster-whisper", "whisper-cpp"]
    # 1 of 20 words is wrong; of the other sentence 14 are missing
    assert cells(run.stdout, "word error rate") == ["5.0", "%", "5.0", "%", "70.0", "%"]
    assert "1, 0, 0 of 20" in run.stdout
    assert "0, 14, 0 of 20" in run.stdout
    assert run.stdout.count("Confidence of words") == 3
    assert "20 words,  95% right" in run.stdout
    assert "90% of the words are right" in run.stdout
    assert "20 words are few" in run.stdout
    assert run.stdout.count(" ms") == 6


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--setting", "asr_model=small.en,asr_engine=faster-whisper"], "the model small.en is not on this machine"),
        (["--setting", "asr_window_seconds=soon"], "SCRIZA_ASR_WINDOW_SECONDS"),
        (["--setting", "openai_api_key=x"], "a setting of listening"),
        (["--setting", "asr_model"], "a setting of listening"),
        (["--phrases", "nowhere.txt"], "nowhere.txt cannot be read"),
    ],
)
def test_what_cannot_be_checked_is_a_sentence(
    scriza: Run, recordings: Path, arguments: list[str], sentence: str
) -> None:
    run = scriza(str(recordings), *arguments)
    assert run.returncode == 2
    assert run.stderr.startswith("scriza: ")
    assert sentence in run.stderr
    assert len(run.stderr.splitlines()) == 1


def test_folders_without_recordings_are_told_what_belongs_there(scriza: Run, tmp_path: Path) -> None:
    empty, alone, broken = (tmp_path / name for name in ("empty", "alone", "broken"))
    for folder in (empty, alone, broken):
        folder.mkdir()
    (alone / "call.txt").write_text("hello")
    (broken / "call.txt").write_text("hello")
    (broken / "call.wav").write_text("not audio")
    told = [scriza(str(folder)).stderr for folder in (tmp_path / "nowhere", empty, alone, broken)]
    assert "there is no folder" in told[0]
    assert "call.wav" in told[1]
    assert "beside call.txt there is no audio file" in told[2]
    assert "call.wav: not a readable audio file" in told[3]
