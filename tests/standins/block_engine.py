"""A recogniser of made-up speech: 100 ms of a constant level is a word, silence is none. Exact, counting, breakable."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import numpy as np

from scriza.audio.mulaw import Samples
from scriza.kernel.errors import BadInput
from scriza.ports.asr import HeardWord, Transcript

WORD_S = 0.1
_STEP = 1000


class Asked(NamedTuple):
    ms: int
    purpose: str
    language: str
    phrases: list[str]


class BlockEngine:
    """Hears 16 different words, ``w1`` to ``w16``.

    A recognition waits for `gate`, if there is one; `failure` is raised by those that are no partials. `guesses` are
    heard instead, one after the other, by partials; `languages` are found one after the other, then none.
    """

    name = "blocks"

    def __init__(
        self, *, places: int = 2, partials: bool = False, guesses: Iterable[str] = (), languages: Iterable[str] = ()
    ) -> None:
        self.places = places
        self.partials = partials
        self.asked: list[Asked] = []
        self.prepared: list[tuple[str, list[str]]] = []
        self.abandoned = 0
        self.gate: asyncio.Semaphore | None = None
        self.failure: Exception | None = None
        self._guesses = iter(guesses)
        self._languages = iter(languages)
        self.languages_asked = 0

    async def recognise(
        self,
        samples: Samples,
        sample_rate: int,
        *,
        language: str,
        phrases: Sequence[str],
        prompt: str = "",
        purpose: Literal["partial", "final", "recording"],
    ) -> Transcript:
        self.asked.append(Asked(len(samples) * 1000 // sample_rate, purpose, language, list(phrases)))
        try:
            if self.gate is not None and purpose != "partial":
                await self.gate.acquire()
        except asyncio.CancelledError:
            self.abandoned += 1
            raise
        if self.failure is not None and purpose != "partial":
            raise self.failure
        words = _heard(samples, sample_rate)
        if purpose == "partial" and (guess := next(self._guesses, None)) is not None:
            words = [HeardWord(word, 0.0, 0.1, 0.5) for word in guess.split()]
        return Transcript(" ".join(word.word for word in words), 0.9 if words else 0.0, words)

    async def language_of(self, samples: Samples, sample_rate: int) -> str:
        self.languages_asked += 1
        return next(self._languages, "")

    async def prepare(self, language: str, phrases: Sequence[str]) -> None:
        if language == "tlh":
            raise BadInput("nobody here knows Klingon")
        self.prepared.append((language, list(phrases)))

    async def warm_up(self) -> None:
        pass

    async def close(self) -> None:
        pass


def spoken(*words: int, sample_rate: int = 8000) -> Samples:
    """The words with those numbers, each 100 ms long and followed by as much silence; 0 is silence alone."""
    size = int(WORD_S * sample_rate)
    levels = np.array([level for word in words for level in (word, 0)], np.int16) * np.int16(_STEP)
    return np.repeat(levels, size)


def text(*words: int) -> str:
    return " ".join(f"w{word}" for word in words if word)


def _heard(samples: Samples, sample_rate: int) -> list[HeardWord]:
    """Runs of one level that last for most of a word."""
    levels = np.rint(samples.astype(np.float32) / _STEP).astype(int)
    changes = np.flatnonzero(np.diff(levels)) + 1
    heard = []
    for start, end in zip([0, *changes.tolist()], [*changes.tolist(), len(levels)], strict=True):
        if len(levels) and levels[start] > 0 and end - start > WORD_S * sample_rate * 0.8:
            heard.append(
                HeardWord(f"w{levels[start]}", round(start / sample_rate, 3), round(end / sample_rate, 3), 0.9)
            )
    return heard
