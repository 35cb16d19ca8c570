"""What the caller sounds like: clips that are ready to be put on the line frame by frame."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np

from scriza.audio.levels import dbfs
from scriza.audio.mulaw import SAMPLE_RATE, Samples, encode
from scriza.audio.resample import resample
from scriza.audio.wav import decode_wav
from scriza.kernel.errors import BadInput
from scriza.simulator.ears import Stretch, voiced_part
from scriza.simulator.scenario import Beep, Cough, MmHm, Play, Say, Scenario

FRAME = SAMPLE_RATE // 50
"""Samples in a frame of 20 ms."""

Voice = Callable[[str, str], Awaitable[Samples]]
"""Speaks a text with a voice by its name: int16 samples at 8 kHz."""

UtteranceKind = Literal["say", "play", "cough", "mm_hm", "beep"]


class Clip:
    """An utterance. `samples` is a whole number of frames long; `frames` the same as mu-law with the line's hiss."""

    def __init__(self, kind: UtteranceKind, text: str, samples: Samples, hiss: Samples) -> None:
        self.kind, self.text = kind, text
        self.samples = np.pad(samples, (0, -len(samples) % FRAME))
        self.voiced: Stretch = voiced_part(samples)
        noise = np.resize(hiss, len(self.samples))
        encoded = encode(mix(self.samples, noise))
        self.frames = [encoded[start : start + FRAME] for start in range(0, len(encoded), FRAME)]


class VoiceBox:
    """Makes scenarios' clips; each is made once, however many calls use it."""

    def __init__(self, voice: Voice) -> None:
        self._voice = voice
        self._spoken: dict[tuple[str, str], Samples] = {}
        self._made: dict[tuple[object, ...], Clip] = {}

    async def speak(self, text: str, voice: str) -> Samples:
        """The text in this voice, int16 at 8 kHz. Raises what the voice raises."""
        if (text, voice) not in self._spoken:
            self._spoken[text, voice] = np.asarray(await self._voice(text, voice), np.int16)
        return self._spoken[text, voice]

    async def clips(self, scenario: Scenario) -> dict[int, Clip]:
        """The utterances by their line's index. Raises BadInput for a file that cannot be played."""
        clips = {}
        for index, line in enumerate(scenario.lines):
            if isinstance(line, Say | Play | Cough | MmHm | Beep):
                manner = (scenario.voice, scenario.level_dbfs, scenario.line_noise_dbfs, scenario.folder)
                if (line, manner) not in self._made:
                    self._made[line, manner] = await self._make(line, scenario)
                clips[index] = self._made[line, manner]
        return clips

    async def _make(self, line: Say | Play | Cough | MmHm | Beep, scenario: Scenario) -> Clip:
        level, hiss = scenario.level_dbfs, white_noise(scenario.line_noise_dbfs)
        match line:
            case Say():
                spoken = await self.speak(line.text, line.voice or scenario.voice)
                return await asyncio.to_thread(lambda: Clip("say", line.text, _at_level(spoken, level), hiss))
            case MmHm():
                spoken = await self.speak(line.text, scenario.voice)
                return await asyncio.to_thread(lambda: Clip("mm_hm", line.text, _at_level(spoken, level), hiss))
            case Beep():
                return Clip("beep", "", _at_level(beep(line.ms), level), hiss)
            case Cough():
                return await asyncio.to_thread(lambda: Clip("cough", "", _at_level(cough(line.ms), level), hiss))
            case Play():
                path = Path(scenario.folder) / line.file
                return await asyncio.to_thread(lambda: Clip("play", "", _read(path), hiss))


@lru_cache(maxsize=32)
def white_noise(level_dbfs: float) -> Samples:
    """One second of noise, the same every time, to be repeated."""
    noise = np.random.default_rng(8000).standard_normal(SAMPLE_RATE)
    return np.asarray(noise * (32768 * 10 ** (level_dbfs / 20))).clip(-32768, 32767).astype(np.int16)


def cough(ms: int) -> Samples:
    """Two bursts of low noise, the second softer, each with a sharp attack; the same every time."""
    length = ms * SAMPLE_RATE // 1000
    noise = np.convolve(np.random.default_rng(ms).standard_normal(length), np.hanning(9), mode="same")
    time = np.linspace(0, 1, length)
    envelope = np.exp(-7 * time) + 0.5 * np.where(time > 0.45, np.exp(-9 * (time - 0.45)), 0)
    burst = noise * envelope * np.minimum(1, np.arange(length) / 40)
    return np.asarray(burst / np.abs(burst).max() * 20_000).astype(np.int16)


def beep(ms: int) -> Samples:
    """The tone of an answering machine, 1 kHz."""
    time = np.arange(ms * SAMPLE_RATE // 1000) / SAMPLE_RATE
    return (10_000 * np.sin(2 * np.pi * 1000 * time)).astype(np.int16)


def mix(one: Samples, other: Samples) -> Samples:
    """Both at once, clipped to 16 bits."""
    return (one.astype(np.int32) + other).clip(-32768, 32767).astype(np.int16)


def _at_level(samples: Samples, level_dbfs: float) -> Samples:
    start, end = voiced_part(samples)
    if start == end:
        return samples
    gain = 10 ** ((level_dbfs - dbfs(samples[start:end])) / 20)
    return (samples.astype(np.float32) * gain).clip(-32768, 32767).astype(np.int16)


def _read(path: Path) -> Samples:
    try:
        samples, rate = decode_wav(path.read_bytes())
    except OSError as error:
        raise BadInput(f"{path.name} cannot be played: {error.strerror}") from error
    return resample(samples, rate, SAMPLE_RATE)
