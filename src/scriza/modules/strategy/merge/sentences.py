"""Texts merged by their sentences, as diff3 merges files by their lines (Khanna, Kunal, Pierce 2007)."""

import re
from difflib import SequenceMatcher
from itertools import pairwise, takewhile

_PART = re.compile(r"\n\s*|[^\n]+?(?:[.!?\u2026\u0964]++[\"')\]\u2019\u201d]*+(?=\s|$)|(?=\n)|$)[^\S\n]*")
_LONGEST = 10_000
"""Characters of a text that is taken apart; a longer one, which only an extension can hold, is merged as a whole."""

_Edit = tuple[int, int, tuple[str, ...]]
"""Sentences of the base, from and up to, and what stands in their place."""


def merged_text(base: str, ours: str, theirs: str) -> str | None:
    """The text with the edits of both; None where they touch the same sentences, and not in the same way."""
    if max(map(len, (base, ours, theirs))) > _LONGEST:
        return None
    parts = [split(text) for text in (base, ours, theirs)]
    if any(joined(part) != text for part, text in zip(parts, (base, ours, theirs), strict=True)):
        return None
    edits = sorted({*_edits(parts[0], parts[1]), *_edits(parts[0], parts[2])})
    if any(_touch(one, other) for one, other in pairwise(edits)):
        return None
    merged, done = [], 0
    for begin, end, instead in edits:
        merged += [*parts[0][done:begin], *instead]
        done = end
    return joined([*merged, *parts[0][done:]])


def split(text: str) -> list[str]:
    """Sentences, and the breaks between lines."""
    return [part if part.startswith("\n") else part.strip() for part in _PART.findall(text)]


def joined(parts: list[str]) -> str:
    """The text again, with one space between sentences."""
    text = ""
    for part in parts:
        close = not text or part.startswith("\n") or text[-1].isspace()
        text += part if close else f" {part}"
    return text


def _edits(base: list[str], side: list[str]) -> list[_Edit]:
    head = _same_at_the_start(base, side)
    tail = _same_at_the_start(base[head:][::-1], side[head:][::-1])
    old, new = base[head : len(base) - tail], side[head : len(side) - tail]
    if not old or not new or len(old) == len(new) == 1:  # as in most edits: there is nothing to be found in between
        return [(head, head + len(old), tuple(new))] if old or new else []
    found = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    return [(head + i, head + j, tuple(new[left:right])) for tag, i, j, left, right in found if tag != "equal"]


def _same_at_the_start(one: list[str], other: list[str]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _touch(one: _Edit, other: _Edit) -> bool:
    """Whether two edits, in their order, are about the same sentences, or one adds where the other edits."""
    adds = one[0] == one[1] or other[0] == other[1]
    return other[0] <= one[1] if adds else other[0] < one[1]
