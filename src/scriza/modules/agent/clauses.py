"""Cutting text into clauses while it is being written, so that speaking can begin before the thinking ends."""

import re

import msgspec

_ABBREVIATIONS = frozenset(
    "mr. mrs. ms. dr. prof. sr. jr. st. mt. vs. e.g. i.e. etc. approx. inc. ltd. corp. co. dept. est. min. max. "
    "a.m. p.m. jan. feb. mar. apr. jun. jul. aug. sep. sept. oct. nov. dec. mon. tue. wed. thu. fri. sat. sun.".split()
)
_SENTENCE_END = re.compile(r"[.!?\u2026\u0964\u0965]+[\"'\u201d\u2019)\]*_]*$")
_PAUSE = re.compile(r"([,;:][\"'\u201d\u2019)\]*_]*|(^|\s)[-\u2013\u2014]+|\u2014)$")
_INITIAL = re.compile(r"(^|[\s(\"'])[^\W\d_]\.$")
_CONJUNCTION = re.compile(r"\s(?=(?:and|but|or|so|because|which|that|when|while|if)\s)")
_SPACE = re.compile(r"\s")
_LETTER_OR_DIGIT = re.compile(r"[^\W_]")
_LETTER = re.compile(r"[^\W\d_]")


class ClauseLimits(msgspec.Struct, frozen=True):
    """How long clauses are, in characters. A caller hears about 15 characters in a second."""

    shortest_sentence: int = 10
    """A shorter sentence stays with the next one: one word alone sounds cut off."""
    first_pause: int = 25
    """The first clause may end at a comma from here on, because the caller is waiting for it."""
    later_pause: int = 90
    """Later clauses may end at a comma from here on; longer ones sound better."""
    first_longest: int = 90
    """The first clause ends here at the latest: before a conjunction, or else between two words."""
    later_longest: int = 180


class ClauseCutter:
    """Cuts where a sentence ends; where it gets long, at a comma, before a conjunction or between words.

    The clauses joined are the text, and they are the same in whatever pieces the text came. Abbreviations, initials,
    numbers such as 3.5 and list marks such as "1." end no sentence. The danda of Hindi and its neighbours does.
    """

    def __init__(self, limits: ClauseLimits | None = None) -> None:
        self._limits = limits or ClauseLimits()
        self._text = ""
        self._seen = 0
        self._first = True

    def push(self, text: str) -> list[str]:
        """The clauses that are complete with this next piece of text."""
        self._text += text
        clauses = []
        while end := self._cut():
            clauses.append(self._text[:end])
            self._text = self._text[end:]
            self._seen = 0  # what is left begins again, as it would have in another split
            self._first = False
        return clauses

    def flush(self) -> list[str]:
        """The rest: the text has ended."""
        rest, self._text, self._seen = self._text, "", 0
        return [rest] if rest else []

    def _cut(self) -> int:
        """Where the clause ends, as far as its text is there; 0 for nowhere yet."""
        limits, text = self._limits, self._text
        longest = limits.first_longest if self._first else limits.later_longest
        pause = limits.first_pause if self._first else limits.later_pause
        while self._seen < len(text):
            space = _SPACE.search(text, self._seen)
            seen = self._seen = min(space.end() if space else len(text), longest)
            if space and seen == space.end():
                before = text[: seen - 1]
                if text[seen - 1] == "\n" and _LETTER_OR_DIGIT.search(before):
                    return seen
                if seen > limits.shortest_sentence and _ends_sentence(before):
                    return seen
                if seen > pause and _PAUSE.search(before):
                    return seen
            if seen == longest:
                return _best_break(text[:seen])
        return 0


def _ends_sentence(text: str) -> bool:
    if not _SENTENCE_END.search(text) or _INITIAL.search(text):
        return False
    last = text.rsplit(None, 1)[-1].lstrip("\"'(\u201c\u2018[").casefold()
    return last not in _ABBREVIATIONS and _LETTER.search(text) is not None


def _best_break(text: str) -> int:
    """Where to break a text that has grown too long: the last conjunction of its later half, else its last space."""
    half = len(text) // 2
    conjunctions = [found.end() for found in _CONJUNCTION.finditer(text) if found.end() > half]
    if conjunctions:
        return conjunctions[-1]
    space = max(text.rfind(" "), text.rfind("\t"))
    return space + 1 if space > 0 else len(text)
