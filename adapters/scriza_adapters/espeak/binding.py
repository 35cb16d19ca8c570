"""espeak-ng by ctypes: text in, samples and events out. Only ever imported in the worker process.

The declarations follow espeak-ng's ``speak_lib.h``, version 1.52.
"""

import ctypes
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import espeakng_loader
import numpy as np

from scriza.audio.mulaw import Samples
from scriza.kernel.errors import UpstreamFailed

_SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS: espeak_Synth calls back and returns when all has been said
_CHUNK_MS = 60
_POS_CHARACTER = 1
_CHARS_UTF8 = 1
_EVENT_END_OF_LIST = 0
_EVENT_WORD = 1
_RATE, _PITCH, _RANGE = 1, 3, 4  # espeak_PARAMETER


class _EventId(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class WordBegins(NamedTuple):
    """A word sounds from `sample` on; `position` is the index of its first character in the text."""

    position: int
    sample: int


Heard = Callable[[Samples, list[WordBegins]], bool]
"""Gets the next samples and the words that begin in them; False stops the speaking."""


class Espeak:
    """The library. Its state is global: one to a process, one text at a time."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        data = espeakng_loader.get_data_path().encode()
        self.sample_rate: int = self._library.espeak_Initialize(_SYNCHRONOUS, _CHUNK_MS, data, 0)
        if self.sample_rate <= 0:
            raise UpstreamFailed("espeak-ng cannot read its data")
        self._heard: Heard = lambda samples, words: False
        self._failure: BaseException | None = None
        self._callback = _Callback(self._called_back)  # kept, for the library only borrows it
        self._library.espeak_SetSynthCallback(self._callback)

    def speak(self, text: str, voice: str, rate: int, pitch: int, intonation: int, heard: Heard) -> None:
        """Speak a text; `heard` is called while that happens. Raises UpstreamFailed, and what `heard` raises."""
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise UpstreamFailed(f"espeak-ng has no voice {voice!r}")
        for parameter, value in ((_RATE, rate), (_PITCH, pitch), (_RANGE, intonation)):
            self._library.espeak_SetParameter(parameter, value, 0)
        self._heard, self._failure = heard, None
        encoded = text.encode()
        status = self._library.espeak_Synth(
            encoded, ctypes.c_size_t(len(encoded) + 1), 0, _POS_CHARACTER, 0, _CHARS_UTF8, None, None
        )
        if self._failure:
            raise self._failure
        if status != 0:
            raise UpstreamFailed(f"espeak-ng failed with status {status}")

    def _called_back(self, wave: Any, count: int, events: Any) -> int:
        # An exception cannot pass through the library: it is kept, the speaking stopped, and raised afterwards.
        try:
            samples = np.ctypeslib.as_array(wave, (count,)).copy() if wave and count else np.zeros(0, np.int16)
            return 0 if self._heard(samples, list(_words(events))) else 1
        except BaseException as failure:
            self._failure = failure
            return 1


def _words(events: Any) -> Iterator[WordBegins]:
    index = 0
    while events[index].type != _EVENT_END_OF_LIST:
        if events[index].type == _EVENT_WORD:
            yield WordBegins(events[index].text_position - 1, events[index].sample)
        index += 1
