"""How lines will sound: what a voice cannot say, or would say otherwise than it is meant."""

import re
import unicodedata
from collections.abc import Iterator

from scriza.modules.strategy.said import Line, spoken_lines
from scriza.ports.playbook import Playbook
from scriza.ports.playbook_findings import Finding

MOST_WORDS = 35
"""In a sentence: about thirteen seconds of speech."""

_URL = re.compile(
    r"https?://\S+|\bwww\.\S+|\b[\w-]{2,}\.(?:com|org|net|in|io|co|ai|app|dev|uk|de)\b(?:/\S*)?", re.IGNORECASE
)
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_MARKUP = re.compile(r"\*\*|__|`|~~|!?\[[^\]]*\]\([^)]*\)|<[^>]*>|^\s*(?:#{1,6}|[-*\u2022]|\d+\.)\s|\*\w[^*]*\w?\*|\|")
_SENTENCE = re.compile(r"(?<=[.!?\u0964\u3002])\s+")
_NUMBERS: list[tuple[re.Pattern[str], str]] = [
    (re.compile(r"(?<!\d)24/7(?!\d)"), "write it in words, as `around the clock`"),
    (re.compile(r"(?<!\d)\d{4}-\d{2}-\d{2}(?!\d)"), "write the day in words, as `the third of December`"),
    (
        re.compile(r"(?<!\d)\d{1,2}[/.]\d{1,2}(?:[/.]\d{2,4})(?!\d)"),
        "write the day in words, as `the third of December`",
    ),
    (re.compile(r"(?<!\d)\d{1,2}/\d{1,2}(?![\d/])"), "write a day or a fraction in words"),
    (re.compile(r"(?<!\d)\d{1,3}(?:,\d{2,3})+(?:\.\d+)?(?!\d)"), "write it in words, as `one thousand three hundred`"),
    (
        re.compile(r"(?:[$\u20ac\u00a3\u20b9\u00a5]|(?:USD|EUR|GBP|INR|Rs\.?)\s?)\d[\d.,]*"),
        "write it in words, as `nineteen dollars`",
    ),
    (
        re.compile(r"(?<!\d)\+?\d(?:[ -]?\d){6,}(?!\d)"),
        "say it in groups of words, or offer to send it by text message",
    ),
    (re.compile(r"(?<!\d)\d{5,}(?!\d)"), "write it in words, or digit by digit with spaces"),
    (re.compile(r"(?<!\d)\d+\.\d+(?!\d)"), "write it in words, as `nineteen and a half`"),
    (re.compile(r"(?<!\d)\d+\s?[-\u2013]\s?\d+(?!\d)"), "write the span in words, as `ten to fifteen`"),
]
"""Numbers that voices read each in their own way; the first that fits is told."""
_PICTURES = frozenset({"So", "Sk", "Cn", "Co"})


def speech(playbook: Playbook) -> Iterator[Finding]:
    """What is wrong with the sound of each line."""
    for line in spoken_lines(playbook):
        yield from _of_line(line)


def _of_line(line: Line) -> Iterator[Finding]:
    text = line.text
    if not any(char.isalnum() for char in text):
        yield _error("nothing-to-say", "there is no word in it", line, "write words, or leave the line out")
        return
    rest = text
    for email in _EMAIL.finditer(text):
        fix = "write it as it is said, `sales at example dot com`, or offer to send it"
        yield _warning("email", f"an e-mail address is not spoken well: {email[0]!r}", line, fix)
        rest = rest.replace(email[0], " ")
    for url in _URL.finditer(rest):
        fix = "write it as it is said, `example dot com`, or offer to send it by text message"
        yield _warning("url", f"an address of the web is not spoken well: {url[0]!r}", line, fix)
    rest = _URL.sub(" ", rest)
    pictures = sorted({char for char in text if _is_picture(char)})
    if pictures:
        yield _warning("emoji", f"no voice can say {' '.join(pictures)}", line, "delete it")
    if markup := _MARKUP.search(rest):
        fix = "delete the marks: what is stressed is up to the voice"
        yield _warning("markup", f"there is markup in it: {markup[0].strip()!r}", line, fix)
    for sentence in _SENTENCE.split(text):
        if (count := len(sentence.split())) > MOST_WORDS:
            message = f"a sentence has {count} words, which nobody can follow by ear: {sentence[:40]!r}…"
            yield _warning("long-sentence", message, line, f"make sentences of at most {MOST_WORDS} words of it")
    for pattern, fix in _NUMBERS:
        if number := pattern.search(rest):
            yield _warning("number", f"a number can be read in several ways: {number[0].strip()!r}", line, fix)
            break


def _is_picture(char: str) -> bool:
    return not char.isascii() and (unicodedata.category(char) in _PICTURES or "\ufe00" <= char <= "\ufe0f")


def _warning(code: str, message: str, line: Line, fix: str) -> Finding:
    return Finding("warning", code, message, line.pointer, fix)


def _error(code: str, message: str, line: Line, fix: str) -> Finding:
    return Finding("error", code, message, line.pointer, fix)
