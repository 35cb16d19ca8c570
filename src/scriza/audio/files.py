"""Audio files of any format that FFmpeg reads, by PyAV. Slow to import and to run: not for the event loop's thread."""

import io

import av
import numpy as np

from scriza.audio.mulaw import Samples
from scriza.kernel.errors import BadInput


def decode_file(data: bytes, sample_rate: int) -> Samples:
    """Mono int16 samples at `sample_rate` (Hz) of an audio file. Raises BadInput for what is none."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=sample_rate)
    pieces: list[Samples] = []
    try:
        with av.open(io.BytesIO(data), "r") as container:
            if not container.streams.audio:
                raise BadInput("there is no audio in the file")
            for frame in container.decode(audio=0):
                pieces += [piece.to_ndarray()[0] for piece in resampler.resample(frame)]
        pieces += [piece.to_ndarray()[0] for piece in resampler.resample(None)]
    except av.FFmpegError as error:
        raise BadInput(f"not a readable audio file: {error.strerror}") from error
    return np.concatenate(pieces).astype(np.int16) if pieces else np.zeros(0, np.int16)
