"""What of a text can be said, and where it stands in the text."""

import re
import unicodedata
from typing import NamedTuple

from scriza.kernel.errors import BadInput, TooLarge
from scriza.modules.tts.pronunciation import Pronunciation
from scriza.ports.tts import SpokenWord

LONGEST_TEXT = 5000
"""Characters."""

_LONGEST_RUN = 80
"""Characters without a space. Engines do badly on longer ones, up to dying of them; no word is that long."""

_LONG_RUN = re.compile(rf"\S{{{_LONGEST_RUN + 1}}}")
_JOINERS = "\u200c\u200d"  # they shape words of Persian and of Indian scripts
_UNSAID = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


class Speakable(NamedTuple):
    """A text as an engine gets it. ``told[n]`` characters of the original are said when `n` of this are."""

    text: str
    told: list[int] | None
    """None where both are the same."""

    def place(self, word: SpokenWord) -> SpokenWord:
        """The word with `chars` counted in the original text."""
        if self.told is None:
            return word
        return SpokenWord(word.start_ms, word.end_ms, self.told[min(word.chars, len(self.text))])


_AS_WRITTEN = Pronunciation()


def speakable(text: str, pronunciation: Pronunciation = _AS_WRITTEN) -> Speakable:
    """Leave out what cannot be said: control, zero-width and direction characters, halves of surrogate pairs.

    Words of the table are put as they are said. Raises TooLarge past `LONGEST_TEXT` characters, as written or as said,
    BadInput for a text without a letter or digit.
    """
    _check_length(text)
    written, told = pronunciation.written(text)
    _check_length(written)
    said = _without_unsaid(written)
    if told is None:
        return said
    return Speakable(said.text, told if said.told is None else [told[place] for place in said.told])


def _check_length(text: str) -> None:
    if len(text) > LONGEST_TEXT:
        raise TooLarge(f"a text to speak has at most {LONGEST_TEXT} characters, this one {len(text)}")


def _without_unsaid(text: str) -> Speakable:
    if not any(map(str.isalnum, text)):
        raise BadInput("there is nothing to say in this text: no letter and no digit")
    if text.isprintable() and not _LONG_RUN.search(text):
        return Speakable(text, None)
    said: list[str] = []
    told = [0]
    run = 0
    for index, character in enumerate(text):
        if character.isspace():
            run = 0
        elif unicodedata.category(character) in _UNSAID and character not in _JOINERS:
            continue
        elif run == _LONGEST_RUN:
            said.append(" ")
            told.append(index)
            run = 1
        else:
            run += 1
        said.append(character)
        told.append(index + 1)
    told[-1] = len(text)
    return Speakable("".join(said), told)
