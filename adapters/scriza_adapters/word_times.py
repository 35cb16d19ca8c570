"""Words of a text and when they are said: from the times of characters, or guessed from the text's length."""

import re
from collections.abc import Sequence

from scriza.ports.tts import SpokenWord

_UNSPACED = r"\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\s{_UNSPACED}]+")

_MS_A_CHARACTER = 65
"""English at a usual pace."""
_ASTRAY = 12
"""How many characters of a text may be left out between two that are aligned."""


def written_words(text: str) -> list[tuple[int, int]]:
    """Start and end of each word: a run without spaces, or a character in scripts that write none (Thai, Chinese)."""
    return [match.span() for match in _WORD.finditer(text)]


class AlignedWords:
    """Takes the times of a text's characters in any pieces; gives each word once its last character is there."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._words = written_words(text)
        self._next = 0
        """The first character that is not aligned yet."""
        self._word = 0
        self._start: float | None = None
        self._end = 0.0

    def push(self, characters: Sequence[str], starts: Sequence[float], ends: Sequence[float]) -> list[SpokenWord]:
        """Times in seconds since the clip's start. Characters that the text does not have are passed over."""
        told: list[SpokenWord] = []
        for character, start, end in zip(characters, starts, ends, strict=True):
            place = self._text.find(character, self._next, self._next + _ASTRAY) if character.strip() else -1
            if place < 0:
                continue
            self._next = place + len(character)
            while self._word < len(self._words) - 1 and place >= self._words[self._word + 1][0]:
                if self._start is None:
                    self._word += 1  # nothing of it is aligned: it is said with the next
                else:
                    told.append(self._finished())
            self._start = start if self._start is None else self._start
            self._end = max(self._end, end)
            if self._next >= self._words[self._word][1]:
                told.append(self._finished())
        return told

    @property
    def begun(self) -> bool:
        """Whether any character has been aligned."""
        return self._next > 0

    @property
    def end_ms(self) -> int:
        """When the last aligned character ends."""
        return round(self._end * 1000)

    def complete(self) -> bool:
        """Whether all that could be heard of the text has been aligned."""
        return not any(character.isalnum() for character in self._text[self._next :])

    def rest(self, end_ms: int) -> list[SpokenWord]:
        """What remains when the clip is over."""
        if self._word >= len(self._words):
            return []
        start_ms = round((self._end if self._start is None else self._start) * 1000)
        return [SpokenWord(min(start_ms, end_ms), end_ms, len(self._text))]

    def _finished(self) -> SpokenWord:
        assert self._start is not None
        last = self._word == len(self._words) - 1
        chars = len(self._text) if last else self._words[self._word][1]
        word = SpokenWord(round(self._start * 1000), round(self._end * 1000), chars)
        self._word, self._start = self._word + 1, None
        return word


class GuessedWords:
    """Spreads a text's words over its audio at a usual pace, where nobody tells when they are said."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._words = written_words(text)
        self._told = 0

    def until(self, end_ms: int) -> list[SpokenWord]:
        """The words that have ended by then, as far as can be guessed. The last one is kept for `rest`."""
        pace, first = _MS_A_CHARACTER, self._told
        while self._told < len(self._words) - 1 and self._words[self._told][1] * pace <= end_ms:
            self._told += 1
        return [SpokenWord(start * pace, end * pace, end) for start, end in self._words[first : self._told]]

    def rest(self, end_ms: int) -> list[SpokenWord]:
        """What remains when the clip is over: said by its end."""
        left = self._words[self._told :]
        self._told = len(self._words)
        if not left:
            return []
        return [SpokenWord(min(left[0][0] * _MS_A_CHARACTER, end_ms), end_ms, len(self._text))]
