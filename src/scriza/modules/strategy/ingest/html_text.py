"""The readable text of a web page as Markdown: what a reader would not see is left out."""

import re
from html.parser import HTMLParser

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
_SPACES = re.compile(r"[ \t\u00a0]+")
_EMPTY_LINES = re.compile(r"\n\s*\n+")


def looks_like_html(text: str) -> bool:
    """Whether a text begins as a page or a piece of one."""
    return _LOOKS_LIKE_IT.match(text) is not None


def readable(html: str) -> str:
    """The text of a page. Whatever it is, it is read to its end."""
    page = _Page()
    page.feed(html)
    page.close()
    lines = (_SPACES.sub(" ", line).strip() for line in "".join(page.pieces).split("\n"))
    return _EMPTY_LINES.sub("\n\n", "\n".join(lines)).strip()


class _Page(HTMLParser):
    """Collects text; `_unseen` are the open elements within, and including, one that readers do not see."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._unseen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _EMPTY:
            self.pieces.append("\n" if tag in {"br", "hr"} and not self._unseen else "")
        elif self._unseen or tag in _UNSEEN or _is_hidden(dict(attrs)):
            self._unseen.append(tag)
        elif tag == "li":
            self.pieces.append("\n- ")
        elif len(tag) == 2 and tag in _BLOCKS and tag[0] == "h":
            self.pieces.append(f"\n\n{'#' * int(tag[1])} ")
        elif tag in _BLOCKS:
            self.pieces.append("\n\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._unseen:
            while self._unseen.pop() != tag:  # what was left open within it is closed with it
                pass
        elif tag in _BLOCKS and not self._unseen:
            self.pieces.append("\n" if tag == "li" else "\n\n")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.pieces.append(data.replace("\n", " "))


def _is_hidden(attributes: dict[str, str | None]) -> bool:
    style = (attributes.get("style") or "").lower()
    return "hidden" in attributes or attributes.get("aria-hidden") == "true" or _HIDDEN.search(style) is not None
