"""The worker process's side: speaks one text after the other."""

import msgspec
import numpy as np

from scriza.audio.mulaw import Samples
from scriza.audio.resample import Resampler
from scriza.worker_child import Cancelled, Emit, Handler
from scriza_adapters.espeak.binding import Espeak, WordBegins
from scriza_adapters.espeak.messages import Piece, Utterance
from scriza_adapters.espeak.timing import WordTimer, closing_pause_ms

_UNSPOKEN = str.maketrans(dict.fromkeys("_~|\\{}<>[]^`", " "))
"""Not read aloud, but able to lead the library astray: ``_-A`` kills its Vietnamese. Places in the text stay."""


def entry(settings: bytes) -> Handler:
    """Load espeak-ng; there are no settings."""
    espeak = Espeak()

    def handle(request: bytes, emit: Emit, cancelled: Cancelled) -> None:
        _speak(espeak, msgspec.msgpack.decode(request, type=Utterance), emit, cancelled)

    return handle


def _speak(espeak: Espeak, utterance: Utterance, emit: Emit, cancelled: Cancelled) -> None:
    timer = WordTimer(utterance.text, espeak.sample_rate)
    resampler = Resampler(espeak.sample_rate, utterance.sample_rate)

    def heard(samples: Samples, begins: list[WordBegins]) -> bool:
        for audio, words in timer.push(samples, begins):
            # The resampler holds audio back, never words: they are told no later than the audio in which they end.
            emit(Piece(resampler.push(audio).tobytes(), words))
        return not cancelled()

    text = utterance.text.translate(_UNSPOKEN)
    espeak.speak(text, utterance.voice, utterance.rate, utterance.pitch, utterance.intonation, heard)
    if cancelled():
        return
    audio, words = timer.flush()
    pause = np.zeros(closing_pause_ms(utterance.text) * utterance.sample_rate // 1000, np.int16)
    emit(Piece(np.concatenate([resampler.push(audio), resampler.flush(), pause]).tobytes(), words))
