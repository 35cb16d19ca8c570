"""What callers of the module send, as samples; what is not audio is refused."""

import codecs
import re

import numpy as np

from scriza.audio import mulaw
from scriza.audio.levels import dbfs
from scriza.audio.mulaw import Samples
from scriza.audio.wav import decode_wav
from scriza.kernel.errors import BadInput, TooLarge
from scriza.ports.asr import Encoding, Transcribe

LONGEST_RECORDING_S = 600
SLOWEST, FASTEST = 8000, 48000
"""Hz."""

_QUIET_DBFS = -60.0
_FRAME_S = 0.1
_SHORTEST_S = 0.06
"""No word is shorter."""
_STEP_S = 0.02
_MARGIN_S = 0.25
"""The faint beginning and end of a word."""
_RANGE_DB, _OVER_NOISE_DB = 40.0, 6.0

_SIGNATURES: dict[bytes, str] = {
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF8": "a GIF image",
    b"PK\x03\x04": "a ZIP archive",
    b"\x1f\x8b": "gzipped data",
    b"%PDF": "a PDF document",
    b"ID3": "an MP3 file",
    b"\xff\xfb\x90": "an MP3 file",
    b"OggS": "an Ogg file",
    b"fLaC": "a FLAC file",
    b"\x1aE\xdf\xa3": "a WebM file",
    b"#!AMR": "an AMR file",
    b"FORM": "an AIFF file",
    b".snd": "an AU file",
    b"\x7fELF": "a program",
}
_WAVE = (b"RIFF", b"WAVE")
_NEVER_IN_TEXT = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]")
_LOOKED_AT = 4096


def recording(request: Transcribe) -> tuple[Samples, int]:
    """Samples and sample rate (Hz) of a recording. Raises BadInput for what is not audio, TooLarge past ten minutes."""
    audio, rate = request.audio, request.sample_rate
    if audio[:4] == _WAVE[0] and audio[8:12] == _WAVE[1]:
        samples, rate = decode_wav(audio)
    else:
        refuse_other_files(audio)
        check_length(len(audio) / sample_size(request.encoding) / rate, LONGEST_RECORDING_S)
        samples = decoded(audio, request.encoding)
    check_rate(rate)
    check_length(len(samples) / rate, LONGEST_RECORDING_S)
    return samples, rate


def decoded(audio: bytes, encoding: Encoding) -> Samples:
    """Samples of headerless audio. Raises BadInput when the last sample is cut in half."""
    if len(audio) % sample_size(encoding):
        raise BadInput("16-bit audio has an even number of bytes")
    return mulaw.decode(audio) if encoding == "mulaw" else np.frombuffer(audio, np.dtype("<i2")).astype(np.int16)


def sample_size(encoding: Encoding) -> int:
    """Bytes of one sample. Raises BadInput for an encoding that there is not."""
    if encoding not in ("mulaw", "pcm16"):
        raise BadInput("encoding is mulaw or pcm16")
    return 1 if encoding == "mulaw" else 2


def check_rate(sample_rate: int) -> None:
    """Raises BadInput for a sample rate that is not taken."""
    if not SLOWEST <= sample_rate <= FASTEST:
        raise BadInput(f"sample_rate is {SLOWEST} to {FASTEST} Hz")


def check_length(seconds: float, longest: float) -> None:
    """Raises TooLarge for more than `longest` seconds."""
    if seconds > longest:
        raise TooLarge(f"{seconds:.0f} s of audio; at most {longest:.0f} s are taken at a time")


def refuse_other_files(audio: bytes) -> None:
    """Raises BadInput for the beginnings of well-known files, and for text; any other bytes can be audio."""
    name = next((name for signature, name in _SIGNATURES.items() if audio.startswith(signature)), "")
    if audio[4:8] == b"ftyp":
        name = "an MP4 file"
    elif not name and len(audio) > 1 and _is_text(audio):
        name = "text"
    if name:
        raise BadInput(f"this is {name}; send mu-law, 16-bit PCM or a WAV file")


def _is_text(audio: bytes) -> bool:
    try:
        beginning, _ = codecs.utf_8_decode(audio[:_LOOKED_AT], "strict", len(audio) <= _LOOKED_AT)
    except UnicodeDecodeError:
        return False
    return not _NEVER_IN_TEXT.search(beginning)


def is_silent(samples: Samples, sample_rate: int) -> bool:
    """Whether nobody can have said anything: too short, or 100 ms of it are never louder than -60 dBFS."""
    if len(samples) < _SHORTEST_S * sample_rate:
        return True
    size = int(_FRAME_S * sample_rate)
    return all(dbfs(samples[start : start + size]) < _QUIET_DBFS for start in range(0, len(samples), size))


def spoken_part(samples: Samples, sample_rate: int) -> tuple[int, int]:
    """Where somebody may be speaking: from the first to the last sound, in samples, with a quarter of a second around.

    Sound is what is less than 40 dB under the loudest frames of 20 ms, and clearly over the quietest of them; nothing
    under -60 dBFS is. ``(0, 0)`` where `is_silent`.
    """
    if is_silent(samples, sample_rate):
        return 0, 0
    size = int(_STEP_S * sample_rate)
    frames = samples[: len(samples) // size * size].reshape(-1, size).astype(np.float32) / 32768
    levels = 20 * np.log10(np.sqrt((frames**2).mean(axis=1)) + 1e-9)
    quiet, loud = np.percentile(levels, (10, 95))
    threshold = max(_QUIET_DBFS, loud - _RANGE_DB, min(quiet + _OVER_NOISE_DB, loud - _RANGE_DB / 2))
    sounding = np.flatnonzero(levels >= threshold)
    margin = int(_MARGIN_S * sample_rate)
    return max(0, int(sounding[0]) * size - margin), min(len(samples), (int(sounding[-1]) + 1) * size + margin)
