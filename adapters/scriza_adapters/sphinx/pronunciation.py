"""How words sound, in the phones of the acoustic model: from CMUdict, and by the letters for names that it lacks."""

from collections import defaultdict
from pathlib import Path

_LETTERS = {
    "a": "EY", "b": "B IY", "c": "S IY", "d": "D IY", "e": "IY", "f": "EH F", "g": "JH IY", "h": "EY CH", "i": "AY",
    "j": "JH EY", "k": "K EY", "l": "EH L", "m": "EH M", "n": "EH N", "o": "OW", "p": "P IY", "q": "K Y UW",
    "r": "AA R", "s": "EH S", "t": "T IY", "u": "Y UW", "v": "V IY", "w": "D AH B AH L Y UW", "x": "EH K S",
    "y": "W AY", "z": "Z IY",
}  # fmt: skip

_SOUNDS = {
    "tion": "SH AH N", "sion": "ZH AH N", "ough": "OW", "igh": "AY", "tch": "CH", "dge": "JH", "sch": "SH", "eau": "OW",
    "ch": "CH", "sh": "SH", "th": "TH", "ph": "F", "wh": "W", "gh": "G", "ck": "K", "ng": "NG", "qu": "K W", "kn": "N",
    "wr": "R", "ee": "IY", "ea": "IY", "ie": "IY", "ei": "EY", "ai": "EY", "ay": "EY", "oo": "UW", "ou": "AW",
    "ow": "OW", "oa": "OW", "oi": "OY", "oy": "OY", "au": "AO", "aw": "AO", "ue": "UW", "ew": "UW", "ey": "IY",
    "ar": "AA R", "er": "ER", "ir": "ER", "or": "AO R", "ur": "ER", "ce": "S", "ci": "S IH", "cy": "S IY", "ge": "JH",
    "a": "AE", "b": "B", "c": "K", "d": "D", "e": "EH", "f": "F", "g": "G", "h": "HH", "i": "IH", "j": "JH", "k": "K",
    "l": "L", "m": "M", "n": "N", "o": "AA", "p": "P", "q": "K", "r": "R", "s": "S", "t": "T", "u": "AH", "v": "V",
    "w": "W", "x": "K S", "y": "IY", "z": "Z",
}  # fmt: skip
"""English letter groups and their most common sound; the longest that fits is taken."""

_OPEN = {"a": "AH", "e": "IY", "i": "IY", "o": "OW", "u": "UW"}
"""A vowel that ends the word."""

_LONG = {"a": "EY", "e": "IY", "i": "AY", "o": "OW", "u": "UW"}
"""A vowel before one consonant and a silent e."""

_VOWELS = frozenset("aeiouy")


class Lexicon:
    """CMUdict, as pocketsphinx's wheel brings it. Takes a fifth of a second to load and about 40 MB."""

    def __init__(self, path: Path) -> None:
        self._known: defaultdict[str, list[str]] = defaultdict(list)
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                word, _, phones = line.rstrip().partition(" ")
                self._known[word.partition("(")[0]].append(phones)

    def __contains__(self, word: str) -> bool:
        return word in self._known

    def pronunciations(self, word: str) -> list[str]:
        """Each as phones with spaces between; one that is made up when the word is not known."""
        return self._known.get(word) or [by_letters(word)]


def by_letters(word: str) -> str:
    """A word of ``[a-z']`` as an English speaker might read it who sees it for the first time."""
    letters = word.replace("'", "")
    if not _VOWELS & set(letters) or len(letters) == 1:
        return " ".join(_LETTERS[letter] for letter in letters)
    phones: list[str] = []
    at = 0
    while at < len(letters):
        rest = letters[at:]
        if at and rest in _OPEN and not (rest == "e" and _VOWELS & set(letters[:at])):
            phones.append(_OPEN[rest])
            break
        if at and rest == "e":
            break  # silent
        if len(rest) == 3 and rest[0] in _LONG and rest[1] not in _VOWELS and rest[2] == "e":
            phones.append(_LONG[rest[0]])
            at += 1
            continue
        if len(rest) > 1 and rest[0] == rest[1] and rest[0] not in _VOWELS:
            rest, at = rest[1:], at + 1  # a double consonant sounds once
        size = next(size for size in (4, 3, 2, 1) if rest[:size] in _SOUNDS)
        phones.append(_SOUNDS[rest[:size]])
        at += size
    return " ".join(phones)
