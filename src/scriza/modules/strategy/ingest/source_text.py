"""The text of a source: its encoding found out, and refused where it is none that can be told for certain."""

import codecs
import re

from scriza.kernel.errors import TooLarge
from scriza.modules.strategy.ingest.tree import MOST_BYTES, Unreadable
from scriza.ports.playbook_findings import Place

_MARKS = [
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before the mark that it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
]
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def source_text(source: bytes) -> str:
    """A source as text with line feeds: UTF-8, or UTF-16 or UTF-32 that begins with its mark.

    Raises TooLarge, and Unreadable for other encodings and for control characters.
    """
    if len(source) > MOST_BYTES:
        raise TooLarge(f"a source has at most {MOST_BYTES} bytes, this one has {len(source)}")
    encoding = "utf-8"
    for mark, named in _MARKS:
        if source.startswith(mark):
            source, encoding = source[len(mark) :], named
            break
    try:
        text = source.decode(encoding)
    except UnicodeDecodeError as error:
        before = source[: error.start].decode(encoding, "replace")
        message = f"byte {error.start} ({source[error.start]:#04x}) is no {encoding.upper()}"
        raise Unreadable("encoding", message, "save the file as UTF-8", place_at(before, len(before))) from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    control = _CONTROL.search(text)
    if control is not None:
        message = f"there is a control character here, U+{ord(control[0]):04X}"
        raise Unreadable("control-character", message, "delete it", place_at(text, control.start()))
    return text


def place_at(text: str, offset: int) -> Place:
    """Line and column of an offset."""
    begin = text.rfind("\n", 0, offset) + 1
    return Place(text.count("\n", 0, offset) + 1, offset - begin + 1)
