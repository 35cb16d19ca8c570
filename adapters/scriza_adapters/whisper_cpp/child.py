"""The worker process's side: one model, one utterance after the other."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from scriza.worker_child import Cancelled, Emit, Handler
from scriza_adapters.whisper_cpp.context import Context
from scriza_adapters.whisper_cpp.messages import Describe, Detect, Detected, Known, Recognise, Settings


def entry(settings: bytes) -> Handler:
    """Load the model. Raises Unavailable when it cannot be loaded."""
    context = Context(msgspec.msgpack.decode(settings, type=Settings))

    def handle(request: bytes, emit: Emit, cancelled: Cancelled) -> None:
        match msgspec.msgpack.decode(request, type=Describe | Detect | Recognise):
            case Describe():
                emit(Known(context.languages))
            case Detect(pcm):
                emit(Detected(context.language_of(_sound(pcm))))
            case Recognise() as asked:
                emit(context.recognise(_sound(asked.pcm), asked, cancelled))

    return handle


def _sound(pcm: bytes) -> NDArray[np.float32]:
    return np.frombuffer(pcm, np.dtype("<i2")).astype(np.float32) / np.float32(32768)
