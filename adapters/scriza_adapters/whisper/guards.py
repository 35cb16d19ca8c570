"""What of Whisper's output is to be believed: pure functions on what it says.

Whisper fills silence and noise with text. The bounds on `no_speech_prob`, `avg_logprob` and `compression_ratio` follow
Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision", 2022, section 4.5.
"""

import unicodedata
import zlib
from collections.abc import Sequence
from typing import NamedTuple

from scriza_adapters.whisper.hints import NO_HINTS, Hints

_NO_SPEECH, _UNSURE_THEN = 0.6, -0.7
_UNSURE = -1.3
_REPETITIVE = 2.4
_PHANTOMS = frozenset(
    (
        "thank you for watching", "thanks for watching", "thank you so much for watching", "please subscribe",
        "like and subscribe", "please subscribe to my channel", "see you in the next video", "see you next time",
        "subtitles by the amara org community", "subtitles by", "subtitled by", "transcription by castingwords",
        "captions by", "music", "applause", "laughter", "silence", "blank audio",
    )
)  # fmt: skip
"""Endings of the films that Whisper learned from, and its names of sounds; nobody says them on the phone."""
_PHANTOMS_IN_SILENCE = frozenset(
    (
        "you", "thank you", "thanks", "thank you very much", "thank you so much", "bye", "bye bye", "goodbye", "okay",
        "ok", "so", "oh", "yeah", "the", "i", "hmm", "mm", "uh", "all right", "the end", "amen",
    )
)  # fmt: skip
"""What callers do say, and what Whisper hears where nobody speaks: believed only where somebody seems to speak."""
_SILENCE, _UNSURE_IN_SILENCE = 0.35, -0.9
_PROMPT_WORDS = 3
"""A run of so many words of the prompt may well have been said."""
_LONGEST_UNIT = 8
_REPEATS, _REPEATS_OF_A_WORD = 3, 7
"""People say "no" four times, and there are phone numbers of few digits."""


class Said(NamedTuple):
    """What Whisper wrote for a piece of audio."""

    text: str
    avg_logprob: float
    """Of its tokens; natural, at most 0."""
    no_speech_prob: float
    """That nobody speaks."""

    @property
    def compression_ratio(self) -> float:
        """Of its text by zlib: high when it repeats itself."""
        text = self.text.strip().encode()
        return len(text) / len(zlib.compress(text))


def believable(said: Said, hinted: Hints = NO_HINTS) -> bool:
    """Whether somebody said this; Whisper likes to repeat what it was told before when nobody speaks."""
    text = _plain(said.text)
    return not (
        not text
        or text in _PHANTOMS
        or (text in _PHANTOMS_IN_SILENCE and _in_silence(said))
        or _repeats_the_hints(text, hinted, said)
        or said.compression_ratio > _REPETITIVE
        or said.avg_logprob < _UNSURE
        or (said.no_speech_prob > _NO_SPEECH and said.avg_logprob < _UNSURE_THEN)
    )


def loop_starts(words: Sequence[str]) -> int | None:
    """Where a loop has gone round once; none without one.

    A loop is some words that follow each other more than three times, or one word or numbers more than seven times.
    """
    plain = [_plain(word) for word in words]
    for start in range(len(plain)):
        for size in range(1, min(_LONGEST_UNIT, (len(plain) - start) // (_REPEATS + 1)) + 1):
            unit = plain[start : start + size]
            may_be_said = size == 1 or all(word.isnumeric() for word in unit)
            repeats = _REPEATS_OF_A_WORD if may_be_said else _REPEATS
            if plain[start + size : start + size * (repeats + 1)] == unit * repeats:
                return start + size
    return None


def _in_silence(said: Said) -> bool:
    return said.no_speech_prob > _SILENCE or said.avg_logprob < _UNSURE_IN_SILENCE


def _repeats_the_hints(text: str, hinted: Hints, said: Said) -> bool:
    if len(text.split()) <= _PROMPT_WORDS:
        return False
    if text in (_plain(echo) for echo in hinted.echoes):
        return True
    return _in_silence(said) and f" {text} " in f" {_plain(hinted.text)} "


def _plain(text: str) -> str:
    kept = "".join(character if unicodedata.category(character)[0] in "LMN" else " " for character in text.casefold())
    return " ".join(kept.split())
