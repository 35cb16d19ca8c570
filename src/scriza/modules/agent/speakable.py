"""Text as it can be spoken: without markup, addresses of the web and pictures."""

import re
import unicodedata

_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_URL = re.compile(r"(?:https?://|www\.)(?:www\.)?([^\s/?#)\]>\"']+)[^\s)\]>\"']*", re.IGNORECASE)
_EMAIL = re.compile(r"([\w.+-]+)@([\w-]+(?:\.[\w-]+)+)")
_LIST_MARK = re.compile(r"^\s*(?:[-*\u2022]|\d{1,2}[.)])\s+(?=\S)", re.MULTILINE)
_HEADING = re.compile(r"^\s*(?:#{1,6}|>+)\s*", re.MULTILINE)
_MARKUP = re.compile(r"[*`~|<>\[\]{}#\\]|(?<!\w)_+|_+(?!\w)")
_DASH = re.compile(r"\s+[-\u2013\u2014]+(?=\s|$)|(?<=\w)\u2014(?=\w)")
_SPACE = re.compile(r"\s+")
_SPACE_BEFORE_STOP = re.compile(r"\s+([,.!?;:])")

_SILENT = frozenset({"So", "Sk", "Cc", "Cf", "Cs", "Co", "Cn", "Me"})
"""Unicode categories that no voice can say: pictures, modifiers, controls."""


def speakable(text: str) -> str:
    """The text as a voice can say it, on one line; empty when nothing of it can be said.

    Of an address of the web only the host is left, in words: ``example dot com``.
    """
    text = _LINK.sub(r"\1", text)
    text = _URL.sub(lambda found: _in_words(found[1]), text)
    text = _EMAIL.sub(lambda found: f"{_in_words(found[1])} at {_in_words(found[2])}", text)
    text = _LIST_MARK.sub("", _HEADING.sub("", text))
    text = _SPACE.sub(" ", text)
    if not (text.isascii() and text.isprintable()):
        text = "".join(char for char in text if not _is_silent(char))
    text = _DASH.sub(", ", _MARKUP.sub("", text))
    text = _SPACE_BEFORE_STOP.sub(r"\1", _SPACE.sub(" ", text)).strip()
    return text if any(char.isalnum() for char in text) else ""


def _is_silent(char: str) -> bool:
    return unicodedata.category(char) in _SILENT or "\ufe00" <= char <= "\ufe0f"


def _in_words(address: str) -> str:
    ended = address.rstrip(".,!?;:")
    return ended.replace(".", " dot ") + address[len(ended) :]
