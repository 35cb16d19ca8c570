"""whisper.cpp in its worker processes, on a model file that always hears the same sentence."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from scriza.audio.mulaw import Samples
from scriza.factories import listening
from scriza.kernel.errors import BadInput, NotFound, Unavailable, UpstreamFailed
from scriza.settings import BadSettings, load
from scriza_adapters.whisper_cpp.engine import WhisperCppEngine
from scriza_adapters.whisper_cpp.models import fetch_ggml_model, find_ggml_model, installed_ggml_models
from tests.serving import serving
from tests.standins.canned_ggml import build_canned_ggml
from tests.standins.canned_whisper import SENTENCE
from tests.standins.model_hub import ModelHub

NOISE: Samples = np.random.default_rng(1).normal(0, 1000, 16_000).astype(np.int16)

pytestmark = pytest.mark.xdist_group("whisper-cpp")


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_canned_ggml(tmp_path_factory.mktemp("whisper-cpp") / "ggml-canned.bin")


@pytest.fixture
async def engine(model: Path) -> AsyncIterator[WhisperCppEngine]:
    engine = WhisperCppEngine(model, threads=1, window_s=5.0)
    yield engine
    await engine.close()


async def test_an_utterance_is_heard_with_times_and_confidence(engine: WhisperCppEngine) -> None:
    for rate, samples in ((8000, NOISE), (48_000, np.repeat(NOISE, 6))):
        heard = await engine.recognise(
            samples, rate, language="en-US", phrases=["Paper Kite"], prompt="Hello there.", purpose="final"
        )
        assert heard.text == " ".join(word.word for word in heard.words) == SENTENCE
        assert (heard.words[0].start, heard.words[-1].end) == (0.0, 2.0)
        assert 0.9 < heard.confidence <= 1


@pytest.mark.parametrize("seconds", [0.07, 7.0, 29.5])
async def test_short_and_long_utterances_are_heard_whole(engine: WhisperCppEngine, seconds: float) -> None:
    samples = np.resize(NOISE, int(8000 * seconds))
    heard = await engine.recognise(samples, 8000, language="", phrases=[], purpose="partial")
    assert heard.text == SENTENCE
    assert heard.words[-1].end == pytest.approx(seconds, abs=0.01)


async def test_a_prompt_that_the_model_only_repeats_is_not_taken_for_words(engine: WhisperCppEngine) -> None:
    heard = await engine.recognise(NOISE, 8000, language="en", phrases=[], prompt=SENTENCE, purpose="partial")
    assert heard.text == ""


async def test_a_model_of_one_language_refuses_others_and_has_nothing_to_find_out(engine: WhisperCppEngine) -> None:
    with pytest.raises(BadInput, match="English only"):
        await engine.prepare("hi-IN", [])
    assert await engine.language_of(NOISE, 8000) == ""


async def test_a_cancelled_recognition_is_stopped_and_the_next_one_is_heard(model: Path) -> None:
    engine = WhisperCppEngine(model, threads=1)
    await engine.warm_up()
    long = np.resize(NOISE, 8000 * 29)
    given_up = [
        asyncio.create_task(engine.recognise(long, 8000, language="", phrases=[], purpose="final")) for _ in range(8)
    ]
    await asyncio.sleep(0.05)
    for task in given_up:
        task.cancel()
    await asyncio.wait(given_up)
    async with asyncio.timeout(50):
        heard = await engine.recognise(NOISE, 8000, language="", phrases=[], purpose="final")
    assert heard.text == SENTENCE
    await engine.close()


async def test_a_process_that_dies_fails_its_utterance_and_the_next_one_is_heard(engine: WhisperCppEngine) -> None:
    await engine.warm_up()
    process = _process_of("scriza_adapters.whisper_cpp.child:entry")
    os.kill(process, signal.SIGSTOP)
    asked = asyncio.create_task(engine.recognise(NOISE, 16_000, language="", phrases=[], purpose="final"))
    await asyncio.sleep(0.2)  # it has been sent, and cannot be answered
    os.kill(process, signal.SIGKILL)
    with pytest.raises(UpstreamFailed, match="died"):
        await asked
    heard = await engine.recognise(NOISE, 16_000, language="", phrases=[], purpose="final")
    assert heard.text == SENTENCE


def _process_of(entry: str) -> int:
    """The only child of this process that runs `entry`."""
    [found] = [
        int(command.parent.name)
        for command in Path("/proc").glob("[0-9]*/cmdline")
        if f"{entry}\0{os.getpid()}\0" in _read(command)
    ]
    return found


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:  # it has ended meanwhile
        return ""


@pytest.mark.parametrize("kept", [0, 20, 100_000, 4_000_000])
async def test_a_file_that_is_no_model_is_unavailable(model: Path, tmp_path: Path, kept: int) -> None:
    broken = _cut(model, tmp_path / "broken.bin", kept)
    engine = WhisperCppEngine(broken)
    with pytest.raises(Unavailable, match=r"broken\.bin cannot be loaded"):
        await engine.warm_up()
    await engine.close()


def _cut(model: Path, to: Path, kept: int) -> Path:
    to.write_bytes(model.read_bytes()[:kept])
    return to


def test_it_listens_when_it_is_named_and_has_a_model(model: Path, tmp_path: Path) -> None:
    by_path = load(asr_engine="whisper-cpp", asr_model=str(model))
    by_name = load(asr_engine="whisper-cpp", asr_model="canned", asr_model_dir=str(model.parent))
    for settings in (by_path, by_name):
        assert isinstance(listening.recogniser(settings, tmp_path), WhisperCppEngine)


def test_without_a_model_it_is_said_where_one_belongs(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "ggml-base.en.bin").write_text("not a model")
    with pytest.raises(BadSettings, match=r"models/ggml-base\.en\.bin"):
        listening.recogniser(load(asr_engine="whisper-cpp"), tmp_path)


async def test_a_model_is_fetched_found_and_listed(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"ggml-tiny.bin": await asyncio.to_thread(model.read_bytes), "ggml-base.bin": b"something else"}
    async with serving(ModelHub(files).app()) as url:
        monkeypatch.setenv("HF_ENDPOINT", url)
        for _ in range(2):
            fetched = await fetch_ggml_model("ggml-tiny", tmp_path, lambda done, total: None)
        with pytest.raises(Unavailable, match=r"ggml-base\.bin is no model"):
            await fetch_ggml_model("base", tmp_path, lambda done, total: None)
    with pytest.raises(NotFound, match="there are ggml-tiny"):
        await fetch_ggml_model("gigantic", tmp_path, lambda done, total: None)
    assert fetched == tmp_path / "ggml-tiny.bin" == find_ggml_model("tiny", tmp_path)
    assert installed_ggml_models(tmp_path) == ["ggml-tiny"]
    assert _entries(tmp_path) == ["ggml-tiny.bin"]


def _entries(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())
