"""Speech by engines that say tones, over a store on disk or over none."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from scriza.kernel.errors import Unavailable
from scriza.modules.tts.service import TtsService
from scriza.ports.objects import StoredObject
from scriza.ports.tts import Speak, SpokenAudio, SpokenDone, SpokenWord, SpokenWords
from scriza_adapters.objects_directory import DirectoryObjects
from tests.standins.speech_engine import ToneEngine
from tests.standins.teller import Told

CLIP = Speak("one two three", format="mulaw")
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
Make = Callable[..., TtsService]
"""Of the engines that it asks, in their order."""


class Nowhere:
    """Objects that cannot be kept or read; counts how often it is asked."""

    def __init__(self, failure: type[Exception] = Unavailable) -> None:
        self.failure = failure
        self.asked = 0

    async def put(self, key: str, body: bytes, content_type: str) -> None:
        raise self.failure

    async def get(self, key: str) -> StoredObject:
        self.asked += 1
        raise self.failure

    async def delete(self, key: str) -> None:
        raise self.failure

    async def signed_url(self, key: str, expires_in: timedelta) -> str:
        raise self.failure


def busy_disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> DirectoryObjects:
    """A store on a disk that may be busy: what is looked up is waited for."""
    monkeypatch.setattr("scriza.modules.tts.cache._LOOK_UP_S", 20)
    return DirectoryObjects(folder, url="http://here", key="secret")


@asynccontextmanager
async def services(objects: DirectoryObjects, told: Told) -> AsyncIterator[Make]:
    """Services over the same store, until they close."""
    made: list[TtsService] = []

    def make(*engines: ToneEngine) -> TtsService:
        made.append(TtsService(engines, objects, told, clock=lambda: NOON))
        return made[-1]

    yield make
    for each in made:
        await each.close()


class Heard(NamedTuple):
    audio: bytes
    words: list[SpokenWord]
    done: SpokenDone


async def streamed(speech: TtsService, request: Speak = CLIP) -> Heard:
    parts = [part async for part in speech.stream_speak(request)]
    assert isinstance(parts[-1], SpokenDone)
    audio = b"".join(part.payload for part in parts if isinstance(part, SpokenAudio))
    words = [word for part in parts if isinstance(part, SpokenWords) for word in part.words]
    return Heard(audio, words, parts[-1])
