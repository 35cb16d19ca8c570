"""From what espeak-ng tells to words with times: pure, piece by piece."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator

import numpy as np

from scriza.audio.mulaw import Samples
from scriza.ports.tts import SpokenWord
from scriza_adapters.word_times import written_words

_AUDIBLE = 64
"""Samples up to this amplitude (-54 dBFS) are the pause after a word, not the word."""

_FULL_STOPS = r"\u0964\u3002\uff01\uff1f"  # danda, ideographic and full-width
_SENTENCE_END = re.compile(rf"[.!?\u2026{_FULL_STOPS}]\W*$")
_CLAUSE_END = re.compile(r"[,;:\u2013\u2014\u060c\u3001\uff0c]\W*$")

_SENTENCE_BREAK = re.compile(rf"[.!?\u2026]\s+|[{_FULL_STOPS}]")
_SPACE = re.compile(r"\s+")
_LONGEST_PART = 300


def closing_pause_ms(text: str) -> int:
    """How much silence follows a text so that it joins with the next: a breath, shorter than within a long text."""
    if _SENTENCE_END.search(text):
        return 180
    return 100 if _CLAUSE_END.search(text) else 20


def segments(text: str) -> Iterator[tuple[int, str]]:
    """The text in parts of a few seconds, each with its place in the text: so that others get their turn between.

    Cut after a sentence, or after a word where a sentence does not end.
    """
    start = 0
    while len(text) - start > _LONGEST_PART:
        part = text[start : start + _LONGEST_PART]
        ends = [match.end() for match in _SENTENCE_BREAK.finditer(part)] or [
            match.end() for match in _SPACE.finditer(part)
        ]
        size = ends[-1] if ends else len(part)
        yield start, part[:size]
        start += size
    if start < len(text):
        yield start, text[start:]


class WordTimer:
    """Cuts the audio where words begin, and tells when each has been said.

    espeak-ng tells only where a word begins, splits one into several ("$5" is two, a number many) and joins others
    ("I am" is one). So a word here is what the text writes between spaces; it ends with its last audible sample, and
    a word that was joined to the one before is said with it.
    """

    def __init__(self, text: str, sample_rate: int) -> None:
        self._text = text
        self._rate = sample_rate
        self._starts = [start for start, _ in written_words(text)]
        self._word = -1
        """Index of the word that is sounding."""
        self._word_start = 0
        self._audio: list[Samples] = [np.zeros(0, np.int16)]
        """What has come since the last cut, at sample `_cut_at`."""
        self._cut_at = 0
        self._heard = 0

    def push(self, samples: Samples, begins: Iterable[tuple[int, int]]) -> Iterator[tuple[Samples, list[SpokenWord]]]:
        """Takes samples and the ``(position, sample)`` of words that begin in them; gives what is complete by now."""
        self._audio.append(samples)
        self._heard += len(samples)
        for position, sample in begins:
            word = min(max(bisect_right(self._starts, position) - 1, 0), len(self._starts) - 1)
            if word <= self._word:
                continue
            if self._word >= 0:
                yield self._cut(sample, len(self._text[: self._starts[word]].rstrip()))
            self._word, self._word_start = word, sample

    def flush(self) -> tuple[Samples, list[SpokenWord]]:
        """The rest, with the last word; the text is over. One in which no word was told is one word."""
        return self._cut(self._heard, len(self._text))

    def _cut(self, boundary: int, said: int) -> tuple[Samples, list[SpokenWord]]:
        audio = np.concatenate(self._audio)
        size = min(max(boundary - self._cut_at, 0), len(audio))
        before, self._audio = audio[:size], [audio[size:]]
        sounding = before[max(0, self._word_start - self._cut_at) :]
        audible = np.flatnonzero(np.abs(sounding.astype(np.int32)) > _AUDIBLE)
        end = self._word_start + (int(audible[-1]) + 1 if len(audible) else 0)
        self._cut_at += size
        return before, [SpokenWord(self._word_start * 1000 // self._rate, end * 1000 // self._rate, said)]
