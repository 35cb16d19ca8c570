"""Which words of a growing utterance are worth telling: those that two recognitions in a row agree on.

This is local agreement with n = 2: Liu, Spanakis and Niehues, "Low-Latency Sequence-to-Sequence Speech Recognition and
Translation by Partial Hypothesis Selection", Interspeech 2020; applied to Whisper by Macháček, Dabre and Bojar,
"Turning Whisper into Real-Time Transcription System", IJCNLP-AACL 2023 (whisper_streaming).
"""

import unicodedata
from collections.abc import Sequence

from scriza.ports.asr import HeardWord


class StablePrefix:
    """Takes recognitions of one utterance, each of more audio than the one before.

    What was told stays told: a later recognition that disagrees with it changes nothing. Words are the same when they
    differ in case and punctuation only.
    """

    def __init__(self) -> None:
        self.words: list[HeardWord] = []
        """What is stable by now."""
        self._before: Sequence[HeardWord] = ()

    def push(self, words: Sequence[HeardWord]) -> list[HeardWord]:
        """The stable words, with this recognition's times where it has them too."""
        agreed = 0
        for word, earlier in zip(words, self._before, strict=False):
            if _plain(word) != _plain(earlier):
                break
            agreed += 1
        self._before = words
        kept = len(self.words)
        if agreed >= kept and all(_plain(word) == _plain(told) for word, told in zip(words, self.words, strict=False)):
            self.words = list(words[:agreed])
        return self.words


def _plain(word: HeardWord) -> str:
    letters = (character for character in word.word.casefold() if unicodedata.category(character)[0] in "LMN")
    return "".join(letters) or word.word
