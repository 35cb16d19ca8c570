"""Silero VAD v6 by onnxruntime, from the model file inside the faster-whisper wheel (MIT).

The network takes 16 kHz windows of 32 ms with 4 ms of what came before, and carries its LSTM's state from one to the
next. One session serves all calls; a call's own state is a few kilobytes. Twilio's 8 kHz are upsampled by soxr's QQ,
which holds back 0.2 ms where better qualities hold back up to 90.

Most of a call's audio is a silent line, and a window costs about 0.1 ms of CPU. So when the network has heard nothing
for a while, windows that are hardly louder than the background are not shown to it and count as silence.
"""

from importlib.util import find_spec
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scriza.audio.levels import NoiseFloor, dbfs
from scriza.audio.mulaw import SAMPLE_RATE, Samples, decode
from scriza.audio.resample import Resampler
from scriza.kernel.errors import Unavailable

_NETWORK_RATE = 16_000
_WINDOW_MS = 32
_WINDOW_BYTES = _WINDOW_MS * SAMPLE_RATE // 1000
_CONTEXT = 64
_INPUT = (1, _CONTEXT + _WINDOW_MS * _NETWORK_RATE // 1000)
_STATE = (1, 1, 128)

_CALM = 0.1
"""A probability below this is no trace of speech."""
_CALM_WINDOWS = 6
"""So many windows without a trace, and quiet ones are not shown to the network any more."""
_MARGIN_DB = 6.0
"""So far above the background a window is always shown. Soft onsets in noise are above it before they are audible."""

_Floats = NDArray[np.float32]


class SileroModel:
    """The network, loaded once (about 50 ms); `vad` makes one listener per call."""

    def __init__(self) -> None:
        """Raises Unavailable when onnxruntime or the model file is not installed."""
        try:
            import onnxruntime
        except ImportError as error:
            raise Unavailable("onnxruntime is not installed") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        self._session = onnxruntime.InferenceSession(str(_model_file()), options, providers=["CPUExecutionProvider"])

    def vad(self) -> "SileroVad":
        """A listener for one call."""
        return SileroVad(self._session)


def _model_file() -> Path:
    # Looked up without importing the package, which would load all of CTranslate2.
    spec = find_spec("faster_whisper")
    if spec is None or spec.origin is None:
        raise Unavailable("faster-whisper, which carries the Silero model, is not installed")
    path = Path(spec.origin).parent / "assets" / "silero_vad_v6.onnx"
    if not path.exists():
        raise Unavailable("this faster-whisper does not carry silero_vad_v6.onnx")
    return path


class SileroVad:
    """Telephony's `Vad`: mu-law in; per 32 ms the probability of speech and the level in dBFS."""

    window_ms = _WINDOW_MS

    def __init__(self, session: Any) -> None:  # onnxruntime has no types
        self._session = session
        self._pending = b""
        self._upsampler = Resampler(SAMPLE_RATE, _NETWORK_RATE, fast=True)
        self._floor = NoiseFloor(_WINDOW_MS)
        self._calm = 0
        self._unseen: Samples | None = None
        """The last window that was not shown to the network."""
        self._input = np.zeros(_INPUT, np.float32)
        self._probability = np.zeros(1, np.float32)
        # Input, output and state are bound once; the state goes to and fro between two places.
        here, there = (tuple(np.zeros(_STATE, np.float32) for _ in "hc") for _ in range(2))
        self._states = (here, there)
        self._bindings = cycle((self._bind(here, there), self._bind(there, here)))
        self.shown = 0
        """Windows that the network has seen."""

    def push(self, audio: bytes) -> list[tuple[float, float]]:
        """Probability and level of every window that is complete with this audio."""
        pending = self._pending + audio
        whole = len(pending) - len(pending) % _WINDOW_BYTES
        self._pending = pending[whole:]
        return [self._judge(pending[start : start + _WINDOW_BYTES]) for start in range(0, whole, _WINDOW_BYTES)]

    def _judge(self, window: bytes) -> tuple[float, float]:
        samples = decode(window)
        level = dbfs(samples)
        floor = self._floor.follow(level)
        if self._calm >= _CALM_WINDOWS and level < floor + _MARGIN_DB:
            self._unseen = samples
            return 0.0, level
        if self._unseen is not None:
            self._take(self._unseen)
            self._unseen = None
        self._take(samples)
        self._session.run_with_iobinding(next(self._bindings))
        self.shown += 1
        probability = float(self._probability[0])
        self._calm = self._calm + 1 if probability < _CALM else 0
        return probability, level

    def _take(self, samples: Samples) -> None:
        window = self._input[0]
        window[:_CONTEXT] = window[-_CONTEXT:]
        upsampled = self._upsampler.push(samples)
        # The resampler holds back its first few samples; what it gives is always the newest.
        np.multiply(upsampled, np.float32(1 / 32768), out=window[-len(upsampled) :])

    def _bind(self, state: tuple[_Floats, ...], following: tuple[_Floats, ...]) -> Any:
        binding = self._session.io_binding()
        for name, values in zip(("input", "h", "c"), (self._input, *state), strict=True):
            binding.bind_input(name, "cpu", 0, np.float32, values.shape, values.ctypes.data)
        for name, values in zip(("speech_probs", "hn", "cn"), (self._probability, *following), strict=True):
            binding.bind_output(name, "cpu", 0, np.float32, values.shape, values.ctypes.data)
        return binding
