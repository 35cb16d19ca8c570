"""What the settings of speech come to: engines in their order, and errors that say what to mend."""

from pathlib import Path
from typing import Any

import pytest

from scriza.factories import speaking
from scriza.modules.tts.service import TtsService
from scriza.settings import BadSettings, load
from scriza_adapters.espeak.engine import espeak_worker
from scriza_adapters.objects_directory import DirectoryObjects
from tests.standins.teller import Told


@pytest.fixture(autouse=True)
def _no_file_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def service(**options: Any) -> TtsService:
    settings = load(**options)
    objects = DirectoryObjects(Path("/nowhere"), url="", key="k")
    return speaking.tts(settings, speaking.elevenlabs(settings), espeak_worker(), objects, Told())


async def engines(**options: Any) -> list[str]:
    speech = service(**options)
    try:
        return list((await speech.speech_cache()).engines)
    finally:
        await speech.close()


async def test_without_a_key_our_own_voice_speaks() -> None:
    assert await engines() == ["espeak"]


async def test_with_a_key_the_vendor_speaks_and_our_own_voice_stands_behind_it() -> None:
    assert await engines(elevenlabs_api_key="k") == ["elevenlabs", "espeak"]


@pytest.mark.parametrize(
    "second", [{"elevenlabs_second_voice": "abc"}, {"elevenlabs_second_model": "eleven_turbo_v2_5"}]
)
async def test_a_second_voice_or_model_stands_between_them(second: dict[str, str]) -> None:
    assert await engines(elevenlabs_api_key="k", **second) == ["elevenlabs", "elevenlabs-second", "espeak"]


def test_the_file_names_voices_tones_and_pronunciation(tmp_path: Path) -> None:
    file = tmp_path / "voices.toml"
    file.write_text('[voices]\n"en-IN/calm" = "abc"\n[tones.sly]\nspeed = 0.9\n[pronunciation]\nGTM = "go to market"\n')
    told = speaking.voices_file(load(tts_voices_file=str(file)))
    assert (told.voices, told.tones["sly"].speed, told.pronunciation) == (
        {"en-IN/calm": "abc"},
        0.9,
        {"GTM": "go to market"},
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[tones.sly]\nspeed = 3\n", "speed goes from"),
        ("[voice]\n", "unknown field `voice`"),
        ("voices = [", "SCRIZA_TTS_VOICES_FILE"),
        ('[pronunciation]\nGTM = ""\n', "1 to 200 characters"),
    ],
)
def test_a_file_that_makes_no_sense_says_where(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "voices.toml"
    file.write_text(text)
    with pytest.raises(BadSettings, match=told):
        service(tts_voices_file=str(file))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"tts_voices_file": "/no/such/file"}, "SCRIZA_TTS_VOICES_FILE cannot be read"),
        ({"tts_engine": "elevenlabs"}, "needs ELEVENLABS_API_KEY"),
        ({"elevenlabs_api_key": "k", "elevenlabs_dictionaries": "a,b,c,d"}, "ELEVENLABS_DICTIONARIES"),
    ],
)
def test_a_setting_that_cannot_be_used_is_told_by_name(options: dict[str, str], told: str) -> None:
    with pytest.raises(BadSettings, match=told):
        service(**options)
