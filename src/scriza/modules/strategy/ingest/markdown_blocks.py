"""Markdown as headings with what stands under them: paragraphs, bullets, tables. Each knows its line."""

import re
from dataclasses import dataclass, field

from scriza.modules.strategy.ingest.tree import MOST_CHARACTERS

_HEADING = re.compile(r"(#{1,6})\s+(\S.*)")
_BULLET = re.compile(r"(\s*)(?:[-*+\u2022]|\d{1,3}[.)])\s+(.*)")
_FENCE = re.compile(r"\s*(```|~~~)")
_RULE = re.compile(r"\s*([-*_])(\s*\1){2,}\s*")
_ROW = re.compile(r"\s*\|.*\|\s*$")
_TABLE_LINE = re.compile(r"[\s|:-]+")
_NAMED = re.compile(r"\s*(?:\*\*|__)?[A-Z][A-Za-z' ]{0,24}:")
"""``Triggers: …`` begins a text of its own, even without an empty line before it."""
_EMPHASIS = re.compile(r"(\*\*|__|\*|`|~~)(?=\S)(.{1,500}?)(?<=\S)\1")
_LINK = re.compile(r"!?\[([^\[\]]*)\]\([^()]*\)")
_ESCAPED = re.compile(r"\\([\\`*_{}\[\]()#+.!|>-])")
_QUOTED = re.compile(r"[\"\u201c](.*)[\"\u201d]", re.DOTALL)


@dataclass(slots=True)
class Text:
    """A paragraph or a bullet, plain; what is indented under a bullet is in `under`."""

    text: str
    line: int
    bullet: bool = False
    under: list["Text"] = field(default_factory=list)


@dataclass(slots=True)
class Table:
    """Rows of cells; the first one holds the names of the columns."""

    rows: list[list[str]]
    line: int
    """Of the first row."""


@dataclass(slots=True)
class Part:
    """A heading and what stands under it; level 0 is what stands before all headings."""

    level: int
    title: str
    line: int
    texts: list[Text] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    code: list[int] = field(default_factory=list)
    """Lines in which blocks of code begin."""
    parts: list["Part"] = field(default_factory=list)


def outline(text: str, first_line: int = 1) -> Part:
    """The parts of a text, each within the one whose heading is above its own."""
    text = _without_comments(text)
    root = Part(0, "", first_line)
    open_parts = [root]
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        heading = _HEADING.fullmatch(lines[at])
        if heading is not None:
            part = Part(len(heading[1]), plain(heading[2].rstrip().rstrip("#")), first_line + at)
            while open_parts[-1].level >= part.level:
                open_parts.pop()
            open_parts[-1].parts.append(part)
            open_parts.append(part)
            at += 1
            continue
        at = _block(lines, at, open_parts[-1], first_line)
    return root


def plain(text: str) -> str:
    """A text without emphasis, links and escapes."""
    text = _LINK.sub(r"\1", " ".join(text.split())[: MOST_CHARACTERS + 1])  # a longer one is refused anyway
    for _ in range(3):  # emphasis within emphasis
        text = _EMPHASIS.sub(r"\2", text)
    return _ESCAPED.sub(r"\1", text).strip()


def _without_comments(text: str) -> str:
    """The text with its lines where they were; a comment that does not end is none."""
    kept, at = list[str](), 0
    while (begin := text.find("<!--", at)) >= 0 and (end := text.find("-->", begin)) >= 0:
        kept += [text[at:begin], "\n" * text.count("\n", begin, end)]
        at = end + 3
    return "".join(kept) + text[at:]


def unquoted(text: str) -> str:
    """What is said, without the quotation marks around it."""
    found = _QUOTED.fullmatch(text)
    return found[1].strip() if found is not None and '"' not in found[1] else text


def _block(lines: list[str], at: int, part: Part, first_line: int) -> int:
    """Read what begins in a line into the part; returns the line behind it."""
    line = lines[at]
    if not line.strip() or _RULE.fullmatch(line):
        return at + 1
    if _FENCE.match(line):
        part.code.append(first_line + at)
        end = at + 1
        while end < len(lines) and not _FENCE.match(lines[end]):
            end += 1
        return end + 1
    if _ROW.fullmatch(line):
        end = at
        while end < len(lines) and _ROW.fullmatch(lines[end]):
            end += 1
        rows = [[plain(cell) for cell in row.strip().strip("|").split("|")] for row in lines[at:end]]
        kept = [cells for cells, row in zip(rows, lines[at:end], strict=True) if not _TABLE_LINE.fullmatch(row)]
        part.tables.append(Table(kept, first_line + at))
        return end
    if _BULLET.fullmatch(line):
        return _bullets(lines, at, part, first_line)
    end = at
    while end < len(lines) and lines[end].strip() and (end == at or not _begins_block(lines[end], line)):
        end += 1
    words = " ".join(one.strip().lstrip(">").strip() for one in lines[at:end])
    part.texts.append(Text(plain(words), first_line + at))
    return end


def _bullets(lines: list[str], at: int, part: Part, first_line: int) -> int:
    """A list with its lists; a line that is indented goes on with the bullet before it."""
    open_items: list[tuple[int, Text]] = []
    while at < len(lines):
        found = _BULLET.fullmatch(lines[at])
        if found is not None:
            indent = len(found[1].expandtabs(4))
            item = Text(found[2], first_line + at, bullet=True)
            while open_items and open_items[-1][0] >= indent:
                _close(open_items.pop()[1])
            (open_items[-1][1].under if open_items else part.texts).append(item)
            open_items.append((indent, item))
        elif lines[at].strip() and lines[at][0].isspace() and open_items:
            open_items[-1][1].text += " " + lines[at].strip()
        elif lines[at].strip() or not _goes_on(lines, at):
            break
        at += 1
    for _, item in open_items:
        _close(item)
    return at


def _close(item: Text) -> None:
    item.text = plain(item.text)


def _goes_on(lines: list[str], at: int) -> bool:
    """Whether behind an empty line the list goes on."""
    return at + 1 < len(lines) and bool(_BULLET.fullmatch(lines[at + 1]) or lines[at + 1][:1].isspace())


def _begins_block(line: str, first: str) -> bool:
    """Whether a line begins a block of its own, in a paragraph that begins with `first`."""
    if line.lstrip().startswith(">") != first.lstrip().startswith(">"):
        return True
    return any(begins.match(line) for begins in (_HEADING, _FENCE, _ROW, _BULLET, _NAMED))
