"""Words that engines say wrong, and how to write them so that they are said right."""

import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import NamedTuple

_LONGEST = 200
_MOST = 2000
_KEPT = 32
"""Tables of requests: each playbook has one."""


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
        self._table = {written.strip().casefold(): said.strip() for written, said in (table or {}).items()}
        self._with: OrderedDict[tuple[tuple[str, str], ...], Pronunciation] = OrderedDict()
        if len(self._table) > _MOST:
            raise ValueError(f"a table of pronunciation has at most {_MOST} entries")
        for entry in (*self._table, *self._table.values()):
            if not 0 < len(entry) <= _LONGEST:
                raise ValueError(f"an entry of pronunciation has 1 to {_LONGEST} characters")
        # The longest phrase first, since the first alternative that fits is taken.
        phrases = "|".join(re.escape(phrase) for phrase in sorted(self._table, key=len, reverse=True))
        self._found = re.compile(rf"(?<!\w)(?:{phrases})(?!\w)", re.IGNORECASE) if phrases else None

    def with_table(self, table: Mapping[str, str]) -> "Pronunciation":
        """This table, with entries of another that go before its own. Raises ValueError as the making does."""
        if not table:
            return self
        key = tuple(sorted(table.items()))
        if key in self._with:
            self._with.move_to_end(key)
        else:
            folded = {written.strip().casefold(): said for written, said in table.items()}
            self._with[key] = Pronunciation(self._table | folded)
            if len(self._with) > _KEPT:
                self._with.popitem(last=False)
        return self._with[key]

    def written(self, text: str) -> Written:
        """The text with all its words as they are said."""
        if self._found is None or not self._found.search(text):
            return Written(text, None)
        said: list[str] = []
        told = [0]
        end = 0
        for match in self._found.finditer(text):
            replacement = self._table.get(match.group().casefold())
            if replacement is None:
                continue
            said += text[end : match.start()], replacement
            told += range(end + 1, match.start() + 1)
            # Nothing of the word has been said before all of it has.
            told += [match.start()] * (len(replacement) - 1) + [match.end()]
            end = match.end()
        said.append(text[end:])
        told += range(end + 1, len(text) + 1)
        return Written("".join(said), told)
