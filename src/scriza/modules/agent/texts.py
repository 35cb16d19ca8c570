"""Lines with variables in them: ``{name}`` stands for what is known of the caller."""

import re
from collections.abc import Iterator, Mapping

import msgspec

from scriza.ports.playbook import Section

_VARIABLE = re.compile(r"\{([a-z][a-z0-9_-]{0,63})\}")
_ADDRESS = re.compile(r",?\s*\{[a-z][a-z0-9_-]{0,63}\}(?=\s*[,.!?])")
"""A variable that ends a phrase, as a name does with which somebody is addressed."""
_ADDRESSED_WITHIN = 4
"""Words from the beginning of a line within which it is an address."""
_SENTENCE = re.compile(r"(?<=[.!?\u2026\u0964])\s+")
_WORD = re.compile(r"\w+")
_SPACE = re.compile(r"\s+")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_LONGEST_DATUM = 600


def variables_in(line: str) -> set[str]:
    """Names of the variables that a line holds."""
    return set(_VARIABLE.findall(line))


def has_stray_braces(line: str) -> bool:
    """Whether a line has braces that stand for no variable, which a voice would stumble over."""
    return bool(set("{}").intersection(_VARIABLE.sub("", line)))


def filled(line: str, known: Mapping[str, str]) -> str:
    """The line with what is known in the place of its variables; an unknown one stays as it is."""
    return _VARIABLE.sub(lambda found: known.get(found[1], found[0]), line)


def as_far_as_known(line: str, known: Mapping[str, str]) -> str:
    """A line that has to be said whatever is known: without the address or the sentences that lack their variable.

    >>> as_far_as_known("Hi {first_name}, this is Ada. I call about {plan} again.", {})
    'Hi, this is Ada.'
    """
    ready = filled(line, known)
    if not variables_in(ready):
        return ready
    found = _ADDRESS.search(ready)
    if found and len(ready[: found.start()].split()) < _ADDRESSED_WITHIN:
        ready = (ready[: found.start()] + ready[found.end() :]).lstrip(" ,")
    whole = [sentence for sentence in sentences(ready) if not variables_in(sentence)]
    return " ".join(whole) or " ".join(_VARIABLE.sub("", ready).split())


def sentences(text: str) -> list[str]:
    """The sentences of a text, with their marks."""
    return [sentence for sentence in _SENTENCE.split(text.strip()) if sentence]


def plain(text: str) -> str:
    """The words alone, in lower case and with spaces around, so that it does not matter how a text was cut."""
    return f" {' '.join(_WORD.findall(text.casefold()))} "


def as_data(text: str) -> str:
    """A text of others on one line, in which nothing can end a prompt's ``<data>`` or begin something else."""
    line = _SPACE.sub(" ", _UNPRINTABLE.sub(" ", text)).strip()[:_LONGEST_DATUM]
    return line.replace("<", "(").replace(">", ")")


def texts_of(part: object) -> Iterator[str]:
    """Every string within a part of a playbook, in all languages; not what others keep in its extensions."""
    match part:
        case str():
            yield part
        case dict():
            for value in part.values():
                yield from texts_of(value)
        case list():
            for value in part:
                yield from texts_of(value)
        case Section():
            for field in msgspec.structs.fields(part):
                if field.name != "ext":
                    yield from texts_of(getattr(part, field.name))
