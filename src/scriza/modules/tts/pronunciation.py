"""Words that engines say wrong, and how to write them so that they are said right."""

import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

_LONGEST = 200
_MOST = 2000
_KEPT = 32
"""Tables of requests: each playbook has one."""

_WORD = re.compile(r"\w")
_TOKEN = re.compile(r"\w+|[^\w\s]")


class Written(NamedTuple):
    """A text as it is to be said. ``told[n]`` characters of the original are said when `n` of this are."""

    text: str
    told: list[int] | None
    """None where both are the same."""


class Pronunciation:
    """A table of whole words or phrases, found whatever their case, and what is said in their place.

    Raises ValueError for an entry that is empty or longer than 200 characters, and for more than 2,000 of them.
    """

    def __init__(self, table: Mapping[str, str] | None = None) -> None:
        self._table = {_folded(written): said.strip() for written, said in (table or {}).items()}
        self._with: OrderedDict[tuple[tuple[str, str], ...], Pronunciation] = OrderedDict()
        if len(self._table) > _MOST:
            raise ValueError(f"a table of pronunciation has at most {_MOST} entries")
        for entry in (*self._table, *self._table.values()):
            if not 0 < len(entry) <= _LONGEST:
                raise ValueError(f"an entry of pronunciation has 1 to {_LONGEST} characters")
        # One expression of all phrases would take the event loop tens of milliseconds to build.
        lengths: dict[str, set[int]] = {}
        for phrase in self._table:
            lengths.setdefault(_TOKEN.findall(phrase)[0], set()).add(len(phrase))
        self._lengths = {first: sorted(those, reverse=True) for first, those in lengths.items()}
        """How long the phrases are that begin with a word, the longest first."""

    def with_table(self, table: Mapping[str, str]) -> "Pronunciation":
        """This table, with entries of another that go before its own. Raises ValueError as the making does."""
        if not table:
            return self
        key = tuple(sorted(table.items()))
        if key in self._with:
            self._with.move_to_end(key)
        else:
            self._with[key] = Pronunciation(self._table | {_folded(written): said for written, said in table.items()})
            if len(self._with) > _KEPT:
                self._with.popitem(last=False)
        return self._with[key]

    def written(self, text: str) -> Written:
        """The text with all its words as they are said."""
        said: list[str] = []
        told = [0]
        end = 0
        for start, stop in self._found(text):
            replacement = self._table[text[start:stop].lower()]
            said += text[end:start], replacement
            told += range(end + 1, start + 1)
            # Nothing of the word has been said before all of it has.
            told += [start] * (len(replacement) - 1) + [stop]
            end = stop
        if not said:
            return Written(text, None)
        said.append(text[end:])
        told += range(end + 1, len(text) + 1)
        return Written("".join(said), told)

    def _found(self, text: str) -> Iterator[tuple[int, int]]:
        """Where phrases of the table stand in the text; of those that begin at a place the longest."""
        end = 0
        for token in _TOKEN.finditer(text):
            start = token.start()
            if start < end or (start and _WORD.match(text, start - 1)):
                continue
            for length in self._lengths.get(token.group().lower(), ()):
                stop = start + length
                if stop > len(text):
                    continue
                if text[start:stop].lower() in self._table and not _WORD.match(text, stop):
                    yield start, stop
                    end = stop
                    break


def _folded(written: str) -> str:
    # Not `casefold`, by which a word may get longer than it is in the text.
    return written.strip().lower()
