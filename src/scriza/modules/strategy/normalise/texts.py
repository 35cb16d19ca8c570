"""Texts, ids, languages and placeholders in the form that is kept. Each function leaves its own result as it is."""

import re
import unicodedata
from hashlib import sha256

_LONGEST_ID = 64
_LONGEST_DERIVED = 48
"""An id that is made of a title stays readable."""
_PLACEHOLDER = re.compile(r"(?<!\{)\{++[ \t]*+([A-Za-z][A-Za-z0-9_ .-]{0,99})\}++")
_LOCALE = re.compile(r"([A-Za-z]{2,3})(?:[-_]([A-Za-z]{4}))?(?:[-_]([A-Za-z]{2}|\d{3}))?")
_NOT_IN_IDS = re.compile(r"[^a-z0-9_-]+")
_APOSTROPHES = re.compile("['\u2018\u2019\u02bc]")
_NOISE = frozenset({"Cc", "Cs"})


def clean(text: str) -> str:
    """In NFC, with line feeds at ends of lines, without control characters and byte order marks."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.isascii() or not text.isprintable():
        text = "".join(char for char in text if char in "\n\t" or not _is_noise(char))
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def block(text: str) -> str:
    """A text of several lines, without spaces at their ends and empty lines around it."""
    return "\n".join(line.rstrip() for line in clean(text).split("\n")).strip()


def line(text: str) -> str:
    """A text of one line: all white space is one space."""
    return " ".join(clean(text).split())


def with_placeholders(text: str) -> str:
    """``{{ First Name }}`` as ``{first_name}``."""
    return _PLACEHOLDER.sub(lambda found: "{" + variable_id(found[1].strip()) + "}", text) if "{" in text else text


def slug(text: str) -> str:
    """An id of letters, digits and hyphens: ``Too expensive!`` as ``too-expensive``; empty when none of it can be one.

    What is an id already stays as it is.
    """
    plain = unicodedata.normalize("NFKD", _APOSTROPHES.sub("", text)).encode("ascii", "ignore").decode().lower()
    found = _NOT_IN_IDS.sub("-", plain.replace("&", " and ")).strip("-_") if not _is_id(text) else text
    if found and not found[0].isalpha():
        found = f"n-{found}"
    return found[:_LONGEST_ID]


def variable_id(text: str) -> str:
    """A name with underscores: ``First Name`` as ``first_name``."""
    return text if _is_id(text) else slug(text).replace("-", "_")


def same_letters(one: str, other: str) -> bool:
    """Whether two texts are the same but for case, spaces and marks."""
    return _letters(one) == _letters(other)


def derived_id(title: str) -> str:
    """The id of a record that has a title and no id; empty when none can be made of it."""
    found = slug(title)
    if len(found) <= _LONGEST_DERIVED:
        return found
    return found[: _LONGEST_DERIVED + 1].rpartition("-")[0] or found[:_LONGEST_DERIVED]


def id_of_content(prefix: str, content: bytes) -> str:
    """The id of a record that has nothing else to be known by."""
    return f"{prefix}-{sha256(content).hexdigest()[:8]}"


def locale(text: str) -> str:
    """A BCP 47 tag in its canonical case: ``en_in`` as ``en-IN``; what is none is left as it is."""
    found = _LOCALE.fullmatch(text.strip())
    if found is None:
        return text.strip()
    language, script, region = found.groups()
    parts = (language.lower(), script.title() if script else "", region.upper() if region else "")
    return "-".join(part for part in parts if part)


def _letters(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())


def _is_id(text: str) -> bool:
    return re.fullmatch(r"[a-z][a-z0-9_-]{0,63}", text) is not None


def _is_noise(char: str) -> bool:
    return char == "\ufeff" or unicodedata.category(char) in _NOISE
