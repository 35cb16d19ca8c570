"""A process that is killed while it keeps clips leaves none that is not whole."""

import subprocess
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from scriza.modules.tts.service import TtsService
from scriza.ports.tts import Speak
from scriza_adapters.objects_directory import DirectoryObjects
from tests.memory_objects import MemoryObjects
from tests.standins.speech_engine import ToneEngine
from tests.standins.teller import Told

_SPEAKS = """
import asyncio, sys
from pathlib import Path
from tests.integration.test_clips_and_kills import clip, opened

async def speak():
    speech = opened(Path(sys.argv[1]))
    for number in range(100_000):
        await speech.speak(clip(number))
        print(number, flush=True)

asyncio.run(speak())
"""


def opened(folder: Path) -> TtsService:
    return TtsService([ToneEngine()], DirectoryObjects(folder, url="http://here", key="secret"), Told())


def clip(number: int) -> Speak:
    return Speak(f"number {number} " + "word " * 200, format="mulaw")


def kept_until_killed(folder: Path, spoken: int) -> int:
    """How many clips a process has kept that was killed after it spoke so many, or once it had kept one."""
    root = Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", _SPEAKS, str(folder)], cwd=root, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        while spoken > 0 or not any(folder.rglob("*.json")):
            assert process.stdout.readline()
            spoken -= 1
        process.kill()
    return len(list(folder.rglob("*.json")))


@pytest.mark.parametrize("spoken", [3, 10, 31])
async def test_what_a_killed_process_left_is_whole_or_not_there(
    spoken: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scriza.modules.tts.cache._LOOK_UP_S", 20)
    kept = kept_until_killed(tmp_path, spoken)
    speech, fresh = opened(tmp_path), TtsService([ToneEngine()], MemoryObjects(), Told())
    number = 0
    with capture_logs() as logs:
        while (await speech.speech_cache()).hits < kept:
            assert number < 1000, "what has a card can be heard"
            assert (await speech.speak(clip(number))).audio_base64 == (await fresh.speak(clip(number))).audio_base64
            number += 1
    assert not [line for line in logs if line["event"] == "tts.cache_corrupted"]
    await speech.close()
    await fresh.close()
