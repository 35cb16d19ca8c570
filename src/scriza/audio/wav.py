"""WAV files in memory: 16-bit PCM, mono or stereo."""

import io
import struct
import wave

import numpy as np

from scriza.audio.mulaw import Samples
from scriza.kernel.errors import BadInput


def encode_wav(samples: Samples, sample_rate: int) -> bytes:
    """A WAV file of int16 samples: shape ``(n,)`` is mono, ``(n, 2)`` stereo."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(np.ascontiguousarray(samples, dtype="<i2").tobytes())
    return buffer.getvalue()


def wav_header(frames: int, channels: int, sample_rate: int) -> bytes:
    """What comes before so many frames of 16-bit PCM, little-endian, to make them a WAV file (RIFF, 44 bytes)."""
    size = frames * channels * 2
    layout = struct.pack("<HHIIHH", 1, channels, sample_rate, sample_rate * channels * 2, channels * 2, 16)
    head = b"RIFF" + struct.pack("<I", 36 + size) + b"WAVEfmt " + struct.pack("<I", len(layout)) + layout
    return head + b"data" + struct.pack("<I", size)


def measure_wav(data: bytes) -> tuple[int, int]:
    """Milliseconds and channels of a WAV file of PCM. Raises BadInput for anything else."""
    try:
        with wave.open(io.BytesIO(data), "rb") as file:
            return file.getnframes() * 1000 // file.getframerate(), file.getnchannels()
    except (wave.Error, EOFError, ZeroDivisionError, RuntimeError) as error:
        raise BadInput(f"not a readable WAV file: {error}") from error


def decode_wav(data: bytes) -> tuple[Samples, int]:
    """Mono int16 samples and the sample rate (Hz); channels are averaged. Raises BadInput for anything else."""
    try:
        with wave.open(io.BytesIO(data), "rb") as file:
            if file.getsampwidth() != 2:
                raise BadInput("a WAV file must be 16-bit PCM")
            samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
            channels, rate = file.getnchannels(), file.getframerate()
        frames = samples.reshape(-1, channels)  # raises where the last one is cut off
    except (wave.Error, EOFError, ValueError, RuntimeError) as error:  # the last for chunks that are cut off
        raise BadInput(f"not a readable WAV file: {error}") from error
    return (frames.mean(axis=1) if channels > 1 else samples).astype(np.int16), rate
