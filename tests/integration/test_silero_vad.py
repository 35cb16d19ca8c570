"""The real Silero network behind telephony's `Vad`, on synthetic sounds and on human speech."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from scriza.audio import mulaw
from scriza.audio.resample import Resampler
from scriza.audio.wav import decode_wav
from scriza.modules.telephony.vad import Offset, Onset, SpeechGate
from scriza_adapters.silero_vad import SileroModel, SileroVad

RATE = mulaw.SAMPLE_RATE
CLIPS = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
Line = NDArray[np.float64]

needs_clips = pytest.mark.skipif(
    not CLIPS.exists(), reason="human speech comes with the package asterisk-core-sounds-en-wav"
)


@pytest.fixture(scope="module")
def model() -> SileroModel:
    return SileroModel()


def noise(seconds: float, dbfs: float, *, pink: bool = False, seed: int = 1) -> Line:
    white = np.random.default_rng(seed).standard_normal(int(seconds * RATE))
    if pink:
        spectrum = np.fft.rfft(white)
        white = np.fft.irfft(spectrum / np.sqrt(np.maximum(1, np.arange(len(spectrum)))), len(white))
    return white / white.std() * 10 ** (dbfs / 20)


def tones(seconds: float, *hertz: float) -> Line:
    t = np.arange(int(seconds * RATE)) / RATE
    return np.asarray(sum(np.sin(2 * np.pi * h * t) for h in hertz)) * 0.1


def encoded(line: Line) -> bytes:
    return mulaw.encode((np.clip(line, -1, 1) * 32767).astype(np.int16))


def windows(vad: SileroVad, audio: bytes) -> list[tuple[float, float]]:
    return [window for start in range(0, len(audio), 160) for window in vad.push(audio[start : start + 160])]


def plain(model: SileroModel, audio: bytes) -> list[float]:
    """The network run without any of our economies: every window, with arrays made anew."""
    session = model._session
    upsampler = Resampler(8000, 16000, fast=True)
    h = c = np.zeros((1, 1, 128), np.float32)
    context = np.zeros(64, np.float32)
    found = []
    for start in range(0, len(audio) - 255, 256):
        upsampled = upsampler.push(mulaw.decode(audio[start : start + 256])).astype(np.float32) / 32768
        block = np.concatenate([np.zeros(512 - len(upsampled), np.float32), upsampled])
        p, h, c = session.run(None, {"input": np.concatenate([context, block])[None], "h": h, "c": c})
        context = block[-64:]
        found.append(float(p[0]))
    return found


def clips(count: int) -> list[Line]:
    """Sentences of a human voice, each at -22 dBFS over its voiced part."""
    found: list[Line] = []
    for path in sorted(CLIPS.glob("*.wav"))[::7]:
        samples, _ = decode_wav(path.read_bytes())
        line = samples.astype(np.float64) / 32768
        loud = line[np.abs(line) > 0.02 * np.abs(line).max()]
        if 0.8 < len(line) / RATE < 4 and len(loud):
            found.append(line * 10 ** (-22 / 20) / np.sqrt(np.mean(loud**2)))
    return found[:count]


def edges_ms(line: Line) -> tuple[float, float]:
    """Where a clean clip first and last comes within 30 dB of its loudest 10 ms."""
    blocks = line[: len(line) // 80 * 80].reshape(-1, 80)
    power = 10 * np.log10(np.mean(blocks**2, axis=1) + 1e-12)
    loud = np.flatnonzero(power > power.max() - 30)
    return loud[0] * 10.0, loud[-1] * 10.0 + 10


def conversation(background: Line | float, count: int = 12) -> tuple[bytes, list[tuple[float, float]]]:
    """Clips with 1.2 s between them, over a background; and where each begins and ends, in ms."""
    parts, truth, at = [np.zeros(2 * RATE)], [], 2 * RATE
    for clip in clips(count):
        start, end = edges_ms(clip)
        truth.append((at / 8 + start, at / 8 + end))
        parts += [clip, np.zeros(int(1.2 * RATE))]
        at += len(clip) + int(1.2 * RATE)
    line = np.concatenate(parts)
    return encoded(line + (np.resize(background, len(line)) if isinstance(background, np.ndarray) else 0)), truth


def spans(heard: list[tuple[float, float]]) -> list[tuple[int, int]]:
    """When each stretch of speech was reported to begin (its first window complete), and where it ended."""
    gate, begun, found = SpeechGate(32), 0, []
    for probability, level in [*heard, *[(0.0, -90.0)] * 4]:
        event = gate.push(probability, level)
        if isinstance(event, Onset):
            begun = event.at_ms + 32
        elif isinstance(event, Offset):
            found.append((begun, event.at_ms))
    return found


def test_what_is_shown_to_the_network_is_judged_as_without_any_economy(model: SileroModel) -> None:
    # Shorter than the two seconds in which such noise becomes the background, so nothing is spared.
    audio = encoded(noise(1.8, -20, pink=True))
    vad = model.vad()
    seen = [probability for probability, _ in windows(vad, audio)]
    assert vad.shown == len(seen)
    assert seen == pytest.approx(plain(model, audio), abs=1e-5)


def test_calls_share_the_network_and_nothing_else(model: SileroModel) -> None:
    one, other = encoded(noise(1, -25, pink=True)), encoded(tones(1, 440, 480))
    alone = windows(model.vad(), one)
    a, b = model.vad(), model.vad()
    together = []
    for start in range(0, len(one), 160):
        together += a.push(one[start : start + 160])
        b.push(other[start : start + 160])
    assert together == alone


def test_the_cutting_of_the_audio_does_not_matter(model: SileroModel) -> None:
    audio = encoded(noise(1, -25, pink=True))
    assert model.vad().push(audio) == windows(model.vad(), audio)


@pytest.mark.parametrize(
    "line",
    [
        np.zeros(8 * RATE),
        noise(8, -60),
        noise(8, -35),
        noise(8, -30, pink=True),
        np.tile(np.concatenate([tones(0.1, 770, 1336), np.zeros(800)]), 40),
        np.tile(np.concatenate([tones(2.0, 440, 480), np.zeros(16000)]), 2),
        tones(8, 50, 150, 250),
    ],
    ids=["digital silence", "faint noise", "white noise", "pink noise", "keys", "ringing", "mains hum"],
)
def test_sounds_that_are_no_speech_are_none(model: SileroModel, line: Line) -> None:
    assert spans(windows(model.vad(), encoded(line))) == []


@pytest.mark.parametrize("dbfs", [-62.0, -45.0])
def test_a_silent_line_is_hardly_shown_to_the_network(model: SileroModel, dbfs: float) -> None:
    vad = model.vad()
    heard = windows(vad, encoded(noise(20, dbfs)))
    assert vad.shown < len(heard) / 5


@needs_clips
@pytest.mark.parametrize(
    "background",
    [0.0, noise(60, -62), noise(60, -38, pink=True), noise(60, -32, pink=True)],
    ids=["silent line", "quiet line", "pink noise at 16 dB", "pink noise at 10 dB"],
)
def test_every_sentence_is_heard_soon_and_nothing_else(model: SileroModel, background: Line | float) -> None:
    audio, truth = conversation(background)
    found = spans(windows(model.vad(), audio))
    delays = []
    for start, end in truth:
        hits = [span for span in found if span[1] > start - 50 and span[0] < end + 200]
        assert hits, f"nothing heard of the sentence at {start} ms"
        delays.append(hits[0][0] - start)
    assert all(any(b > start - 50 and a < end + 200 for start, end in truth) for a, b in found)
    assert np.median(delays) <= 70
    assert np.percentile(delays, 90) <= 130


@needs_clips
def test_sparing_the_network_delays_no_onset(model: SileroModel) -> None:
    audio, _ = conversation(noise(60, -40, pink=True))
    vad = model.vad()
    spared = windows(vad, audio)
    full = [(probability, -20.0) for probability in plain(model, audio)]
    late = [a[0] - b[0] for a, b in zip(spans(spared), spans(full), strict=False)]
    assert vad.shown < 0.9 * len(spared)
    assert np.median(late) <= 0
    assert max(late) <= 64
