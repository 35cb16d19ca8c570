"""MP3 files in memory, by PyAV's libmp3lame. Slow to import and to run: not for the event loop's thread."""

import io

import av
import numpy as np

from scriza.audio.mulaw import Samples
from scriza.kernel.errors import BadInput

_GRANULE = 576
"""Samples of half a frame. The file's gapless tag is exact for whole granules only."""

_BIT_RATE = 48_000


def encode_mp3(samples: Samples, sample_rate: int) -> bytes:
    """A mono MP3 file of int16 samples at 22,050 Hz or another rate of MPEG audio.

    The file plays for exactly `mp3_samples(len(samples))` samples: the end is filled with silence, 26 ms at most.
    """
    padded = np.pad(samples, (0, mp3_samples(len(samples)) - len(samples)))
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=sample_rate, layout="mono")
        stream.bit_rate = _BIT_RATE
        frame = av.AudioFrame.from_ndarray(padded[np.newaxis, :], format="s16p", layout="mono")
        frame.sample_rate, frame.pts = sample_rate, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def mp3_samples(samples: int) -> int:
    """How many samples an MP3 file of that many samples plays."""
    return max(1, -(-samples // _GRANULE)) * _GRANULE


def decode_mp3(data: bytes) -> tuple[Samples, int]:
    """Mono int16 samples and the sample rate (Hz); channels are averaged. Raises BadInput for anything else."""
    try:
        with av.open(io.BytesIO(data), "r", format="mp3") as container:
            mono = av.AudioResampler(format="s16p", layout="mono")
            pieces = [piece.to_ndarray()[0] for frame in container.decode(audio=0) for piece in mono.resample(frame)]
            rate = container.streams.audio[0].codec_context.sample_rate
    except av.FFmpegError as error:
        raise BadInput(f"not a readable MP3 file: {error}") from error
    if not pieces:
        raise BadInput("not a readable MP3 file: no audio in it")
    return np.concatenate(pieces), rate
