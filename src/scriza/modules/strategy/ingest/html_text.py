"""The readable text of a web page as Markdown: what a reader would not see is left out."""

import re
from collections import Counter
from html.parser import HTMLParser

from scriza.modules.strategy.ingest.tree import Unreadable
from scriza.ports.playbook_findings import Place

_LOOKS_LIKE_IT = re.compile(
    r"\s*(?:<!doctype html|<html[\s>]|<head[\s>]|<body[\s>]|<(?:div|p|h[1-6]|ul|table|section)[\s>])", re.IGNORECASE
)
_UNSEEN = frozenset(
    {"script", "style", "noscript", "template", "svg", "head", "iframe", "object", "select", "textarea"}
)
_BLOCKS = frozenset(
    "address article aside blockquote dd div dl dt fieldset figcaption figure footer form header li main nav ol p pre "
    "section table tbody td tfoot th thead tr ul h1 h2 h3 h4 h5 h6".split()
)
_EMPTY = frozenset("area base br col embed hr img input link meta source track wbr".split())
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?![.\d])|opacity\s*:\s*0(?![.\d])")
_LEFT_OUT = [
    (re.compile(begin, re.IGNORECASE), re.compile(end, re.IGNORECASE))
    for begin, end in (("<!--", "-->"), (r"<script\b", "</script>"), (r"<style\b", "</style>"))
]
"""Taken out before the page is parsed, since they may hold what looks like tags."""
_BROKEN = re.compile(r"<(?=[^<>]*(?:<|\Z))")
_MOST_BROKEN = 200
"""Tags that are not ended: the parser of the standard library reads on from each to the end of the page."""
_SPACES = re.compile(r"[ \t\u00a0]+")
_EMPTY_LINES = re.compile(r"\n\s*\n+")


def looks_like_html(text: str) -> bool:
    """Whether a text begins as a page or a piece of one."""
    return _LOOKS_LIKE_IT.match(text) is not None


def readable(html: str) -> str:
    """The text of a page. Raises Unreadable for one with more broken tags than a page has."""
    for begin, end in _LEFT_OUT:
        html = _without(html, begin, end)
    if sum(1 for _ in _BROKEN.finditer(html)) > _MOST_BROKEN:
        fix = "hand in the text of the page, without its tags"
        raise Unreadable("broken-page", "most of its tags do not end", fix, Place(1))
    page = _Page()
    page.feed(html)
    page.close()
    lines = (_SPACES.sub(" ", line).strip() for line in "".join(page.pieces).split("\n"))
    return _EMPTY_LINES.sub("\n\n", "\n".join(lines)).strip()


def _without(html: str, begin: re.Pattern[str], end: re.Pattern[str]) -> str:
    """The page without what stands from each `begin` to the next `end`, or to its own end."""
    kept, at = list[str](), 0
    while first := begin.search(html, at):
        kept.append(html[at : first.start()])
        last = end.search(html, first.end())
        if last is None:
            return "".join(kept)
        at = last.end()
    return "".join(kept) + html[at:]


class _Page(HTMLParser):
    """Collects text; `_unseen` are the open elements within, and including, one that readers do not see."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._unseen: list[str] = []
        self._open: Counter[str] = Counter()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _EMPTY:
            self.pieces.append("\n" if tag in {"br", "hr"} and not self._unseen else "")
        elif self._unseen or tag in _UNSEEN or _is_hidden(dict(attrs)):
            self._unseen.append(tag)
            self._open[tag] += 1
        elif tag == "li":
            self.pieces.append("\n- ")
        elif len(tag) == 2 and tag in _BLOCKS and tag[0] == "h":
            self.pieces.append(f"\n\n{'#' * int(tag[1])} ")
        elif tag in _BLOCKS:
            self.pieces.append("\n\n")

    def handle_endtag(self, tag: str) -> None:
        if self._open[tag]:
            closed = ""
            while closed != tag:  # what was left open within it is closed with it
                closed = self._unseen.pop()
                self._open[closed] -= 1
        elif tag in _BLOCKS and not self._unseen:
            self.pieces.append("\n" if tag == "li" else "\n\n")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.pieces.append(data.replace("\n", " "))


def _is_hidden(attributes: dict[str, str | None]) -> bool:
    style = (attributes.get("style") or "").lower()
    return "hidden" in attributes or attributes.get("aria-hidden") == "true" or _HIDDEN.search(style) is not None
