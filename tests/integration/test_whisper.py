"""The faster-whisper engine with the real `WhisperModel`, on a model that always hears the same sentence."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from scriza.audio.mulaw import Samples
from scriza.kernel.errors import BadInput, Unavailable
from scriza.ports.asr import Transcript
from scriza_adapters.whisper.engine import Purpose, WhisperEngine, WhisperOptions
from tests.standins.canned_whisper import SENTENCE, build_canned_whisper

NOISE: Samples = np.random.default_rng(1).normal(0, 1000, 16_000).astype(np.int16)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_canned_whisper(tmp_path_factory.mktemp("whisper") / "canned")


@pytest.fixture
async def engine(model: Path) -> AsyncIterator[WhisperEngine]:
    engine = WhisperEngine(model)
    yield engine
    await engine.close()


@pytest.mark.parametrize("purpose", ["partial", "final", "recording"])
async def test_the_model_is_heard_with_times_and_confidence(engine: WhisperEngine, purpose: Purpose) -> None:
    heard = await engine.recognise(NOISE, 8000, language="en-US", phrases=["Paper Kite"], purpose=purpose)
    assert heard.text == SENTENCE
    assert [word.word for word in heard.words] == SENTENCE.split()
    assert heard.words[0].start == 0
    assert heard.words[-1].end <= 2.001
    assert 0 < heard.confidence <= 1


async def test_punctuation_belongs_to_the_word_it_stands_at(tmp_path: Path) -> None:
    sentence = "Hello, that's $49.95 (per seat) a follow-up?"
    engine = WhisperEngine(build_canned_whisper(tmp_path / "punctuated", sentence))
    heard = await engine.recognise(NOISE, 8000, language="en", phrases=[], purpose="final")
    assert heard.text == sentence
    assert [word.word for word in heard.words] == sentence.split()
    await engine.close()


@pytest.mark.parametrize("language", ["ja", "th"])
async def test_a_language_without_spaces_gets_none(tmp_path: Path, language: str) -> None:
    sentence = "はい、お願いします。"
    model = build_canned_whisper(tmp_path / "spaceless", sentence, languages=(language, "en"))
    engine = WhisperEngine(model)
    heard = await engine.recognise(NOISE, 8000, language=language, phrases=[], purpose="final")
    assert heard.text == sentence
    await engine.close()


async def test_any_rate_is_taken(engine: WhisperEngine) -> None:
    heard = await engine.recognise(np.repeat(NOISE, 6), 48_000, language="", phrases=[], purpose="final")
    assert heard.text == SENTENCE
    assert heard.words[-1].end <= 2.001


async def test_a_text_too_long_for_its_time_is_cut(tmp_path: Path) -> None:
    sentence = " ".join(f"{number:05x}"[::-1] for number in range(7, 1_000_000, 16_001))
    engine = WhisperEngine(build_canned_whisper(tmp_path / "long", sentence))
    heard = await engine.recognise(NOISE, 8000, language="", phrases=[], purpose="partial")
    assert 16 < len(heard.words) < 40
    assert sentence.startswith(heard.text)
    await engine.close()


async def test_one_model_serves_many_at_a_time(model: Path) -> None:
    engine = WhisperEngine(model, WhisperOptions(places=2))
    heard = await asyncio.gather(
        *(engine.recognise(NOISE, 8000, language="", phrases=[], purpose="final") for _ in range(6))
    )
    assert {transcript.text for transcript in heard} == {SENTENCE}
    await engine.close()


async def test_recognitions_that_are_cancelled_before_their_turn_cost_nothing(engine: WhisperEngine) -> None:
    long = np.resize(NOISE, 8000 * 29)

    def asked() -> "asyncio.Task[Transcript]":
        return asyncio.create_task(engine.recognise(long, 8000, language="", phrases=[], purpose="final"))

    await engine.warm_up()
    began = time.process_time()
    for _ in range(4):
        await asked()
    four = time.process_time() - began
    given_up = [asked() for _ in range(40)]
    await asyncio.sleep(0)
    for task in given_up:
        task.cancel()
    await asyncio.wait(given_up)
    assert (await asked()).text == SENTENCE
    assert time.process_time() - began - four < 5 * four, "40 cost as much as 20"


async def test_a_language_that_the_model_does_not_know_is_refused(engine: WhisperEngine) -> None:
    with pytest.raises(BadInput, match="English only"):
        await engine.prepare("hi-IN", [])
    with pytest.raises(BadInput, match="English only"):
        await engine.recognise(NOISE, 8000, language="de", phrases=[], purpose="final")
    await engine.prepare("en_IN", ["Paper Kite"])


async def test_a_directory_without_a_model_says_what_it_lacks(tmp_path: Path) -> None:
    engine = WhisperEngine(tmp_path)
    with pytest.raises(Unavailable, match=r"model\.bin"):
        await engine.warm_up()
    await engine.close()


async def test_a_model_without_its_tokenizer_is_refused_and_never_completed_from_the_hub(
    model: Path, tmp_path: Path
) -> None:
    directory = shutil.copytree(model, tmp_path / "model")
    (directory / "tokenizer.json").unlink()
    engine = WhisperEngine(directory)
    with pytest.raises(Unavailable, match=r"tokenizer\.json"):
        await engine.warm_up()
    await engine.close()


async def test_a_broken_model_is_unavailable_and_works_once_it_is_mended(model: Path, tmp_path: Path) -> None:
    directory = shutil.copytree(model, tmp_path / "model")
    (directory / "model.bin").write_bytes(b"not a model")
    engine = WhisperEngine(directory)
    with pytest.raises(Unavailable, match="cannot be loaded"):
        await engine.warm_up()
    shutil.copy(model / "model.bin", directory / "model.bin")
    heard = await engine.recognise(NOISE, 8000, language="", phrases=[], purpose="final")
    assert heard.text == SENTENCE
    await engine.close()


@pytest.fixture(scope="session")
def german(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Takes everything for German, and knows English too."""
    return build_canned_whisper(tmp_path_factory.mktemp("whisper") / "german", languages=("de", "en"))


async def test_a_language_that_nobody_named_is_found_out(german: Path) -> None:
    engine = WhisperEngine(german)
    assert await engine.language_of(NOISE, 8000) == "de"
    for language in ("", "en-GB"):
        heard = await engine.recognise(NOISE, 8000, language=language, phrases=[], purpose="final")
        assert heard.text == SENTENCE
    await engine.close()


async def test_a_language_may_be_named_as_locales_name_it(tmp_path: Path) -> None:
    engine = WhisperEngine(build_canned_whisper(tmp_path / "norwegian", languages=("no", "tl")))
    for language in ("no", "nb-NO", "fil_PH"):
        await engine.prepare(language, [])
    with pytest.raises(BadInput, match="does not know 'xx'"):
        await engine.prepare("xx-NO", [])
    await engine.close()


async def test_a_model_of_one_language_has_nothing_to_find_out(engine: WhisperEngine) -> None:
    assert await engine.language_of(NOISE, 8000) == ""


@pytest.mark.parametrize("window_s", [2.0, 5.0, 30.0])
@pytest.mark.parametrize("seconds", [0.2, 2.0, 12.0, 29.5])
async def test_the_encoder_may_see_less_and_hears_all_of_the_utterance(
    model: Path, window_s: float, seconds: float
) -> None:
    engine = WhisperEngine(model, WhisperOptions(window_s=window_s))
    samples = np.resize(NOISE, int(8000 * seconds))
    heard = await engine.recognise(samples, 8000, language="en", phrases=[], purpose="final")
    assert heard.text == SENTENCE
    assert heard.words[-1].end == pytest.approx(seconds, abs=0.02)
    await engine.close()


async def test_a_long_prompt_in_any_script_leaves_room_for_the_words(engine: WhisperEngine) -> None:
    heard = await engine.recognise(
        NOISE, 8000, language="en", phrases=["पतंग" * 10] * 30, prompt="नमस्ते " * 200, purpose="final"
    )
    assert heard.text == SENTENCE


async def test_a_prompt_that_the_model_only_repeats_is_not_taken_for_words(engine: WhisperEngine) -> None:
    heard = await engine.recognise(NOISE, 8000, language="en", phrases=[], prompt=SENTENCE, purpose="final")
    assert heard.text == ""


async def test_a_compute_type_that_the_device_does_not_have_is_told(model: Path) -> None:
    engine = WhisperEngine(model, WhisperOptions(device="cpu", compute_type="int8_float16"))
    with pytest.raises(Unavailable, match="int8_float16"):
        await engine.warm_up()
    await engine.close()
