"""The worker process's side: recognises one utterance after the other."""

from collections import OrderedDict

import msgspec
import numpy as np
import pocketsphinx

from scriza.worker_child import Cancelled, Emit, Handler
from scriza_adapters.sphinx.messages import Prepare, Ready, Recognise
from scriza_adapters.sphinx.phrases import spoken
from scriza_adapters.sphinx.pronunciation import Lexicon
from scriza_adapters.sphinx.recogniser import MODEL, OpenRecogniser, PhraseRecogniser

_KEPT = 8
"""Lists of phrases whose recogniser is kept; each takes about 10 MB."""


def entry(settings: bytes) -> Handler:
    """Load the dictionary; there are no settings."""
    pocketsphinx.set_loglevel("FATAL")
    recognisers = _Recognisers(Lexicon(MODEL / "cmudict-en-us.dict"))

    def handle(request: bytes, emit: Emit, cancelled: Cancelled) -> None:
        match msgspec.msgpack.decode(request, type=Prepare | Recognise):
            case Prepare(phrases):
                recognisers.of(phrases)
                emit(Ready(sum(not spoken(phrase) for phrase in phrases)))
            case Recognise(pcm, sample_rate, phrases):
                samples = np.frombuffer(pcm, np.dtype("<i2"))
                emit(recognisers.of(phrases).recognise(samples, sample_rate, cancelled))

    return handle


class _Recognisers:
    """One for each list of phrases, the least recently used forgotten first."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon
        self._kept: OrderedDict[tuple[str, ...], PhraseRecogniser | OpenRecogniser] = OrderedDict()

    def of(self, phrases: list[str]) -> PhraseRecogniser | OpenRecogniser:
        key = tuple(phrases)
        if key not in self._kept:
            self._kept[key] = PhraseRecogniser(phrases, self._lexicon) if phrases else OpenRecogniser()
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]
