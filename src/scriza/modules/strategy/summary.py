"""What changed between two playbooks, as a person would tell it: by section, in half sentences."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from msgspec import UNSET, inspect

from scriza.modules.strategy import shape
from scriza.modules.strategy.changes import Difference
from scriza.modules.strategy.items import keyed
from scriza.modules.strategy.pointers import keys_of
from scriza.modules.strategy.renames import renames
from scriza.ports.playbook import Playbook, in_language
from scriza.ports.playbook_changes import SectionSummary

_TITLES = {
    "faqs": "Questions and answers",
    "sms_fallback": "Text message",
    "goal": "Goal",
    "model_policy": "Models",
    "analysis": "Scorecard",
    "ext": "Extensions",
}
"""Of sections whose field's name is not one."""
_LABELS = ("title", "name", "plan", "q", "question", "text", "rule", "id")
"""What a record is called by: the first of these fields that it has."""
_NOUNS: Mapping[tuple[str, str], str] = {
    ("faqs", "a"): "the answer to {label}",
    ("faqs", "q"): "the wordings of {label}",
    ("objections", "response"): "the answer to {label}",
    ("stages", "answers"): "the answer to {entry} at {label}",
    ("stages", "ask"): "the question {entry} at {label}",
    ("stages", "exits"): "the way from {label} to {entry}",
    ("stages", "must_say"): "what has to be said at {label}",
    ("intents", "answer"): "the answer to {label}",
    ("opening", "inbound"): "the line to callers",
    ("opening", "outbound"): "the line to people whom we call",
    ("opening", "returning"): "the line to people whom we know",
    ("opening", "fallback"): "the line to silence",
    ("persona", "pronunciations"): "the pronunciation of {entry}",
    ("guardrails", "instead"): "what is said in the place of {label}",
    ("pricing", "amount_minor"): "the price of {label} in minor units",
    ("pricing", "per"): "what {label} is paid for",
    ("stages", "keeps"): "keeping to {label}",
    ("stages", "final"): "ending in {label}",
    ("objections", "max_uses"): "the number of answers to {label}",
    ("objections", "next"): "the stage after {label}",
    ("faqs", "to"): "the stage after {label}",
    ("title", ""): "the title of the playbook",
    ("sms_fallback", "enabled"): "sending it",
}
"""What a field is called, by its section; ``{entry}`` is the key below it."""
_ENTRIES = frozenset({"answers", "ask", "exits", "pronunciations", "scorecard"})
"""Fields whose entries are spoken of one by one."""
_PLURAL = frozenset(
    "triggers phrases q values patterns keys prompts parameters hot_words style_rules call_hours critical_stages "
    "fillers jurisdictions locales max_tokens".split()
)
"""Fields whose noun is in the plural."""
_DOES = {"to": "leads to", "next": "leads to", "outcome": "sets the outcome", "sms": "sends", "act": "does"}
"""How a change of what an answer does is told, by the field."""
_WAYS = frozenset("say response a question must_say instead success no_interest busy unknown more fillers".split())
"""Fields that hold several ways to say the same."""
_NAMED = 3
"""Texts that are quoted, at most; more are counted."""
_ENDS = (".", "!", "?")
"""What a sentence ends with, and a name does not."""
_SHORT = 40
"""Characters of a text that is quoted; a longer one is only said to be another."""


class _Part(NamedTuple):
    """The smallest thing that is spoken of: a record, one of its fields, or one entry of a field of entries."""

    record: str
    field: str
    entry: str

    @property
    def depth(self) -> int:
        return sum(key != "" for key in self)


def summary(before: Playbook, after: Playbook, differences: Iterable[Difference]) -> list[SectionSummary]:
    """The sections that changed, in the order of the document."""
    by_section = groupby(differences, key=lambda found: _keys(found)[0])
    return [_section(name, before, after, list(found)) for name, found in by_section]


def _section(name: str, before: Playbook, after: Playbook, differences: list[Difference]) -> SectionSummary:
    was, now = _records(name, before), _records(name, after)
    renamed = {old: new for old, new, _ in renames(was, now)}
    labels = {key: _label(record, after.locale) for key, record in (was | now).items()}
    clauses = [f'"{old}" is called "{new}" from here on' for old, new in renamed.items()]
    for part, found in groupby(differences, key=lambda each: _part(_keys(each)[1:], labels)):
        if part.field or part.record not in {*renamed, *renamed.values()}:
            noun = _noun(name, part, labels.get(part.record, ""))
            clauses.append(f"{noun} {_verbs(part, list(found))}")
    text = "; ".join(clauses)
    return SectionSummary(_TITLES.get(name, name.replace("_", " ").capitalize()), f"{text[:1].upper()}{text[1:]}.")


def _records(name: str, playbook: Playbook) -> dict[str, object]:
    """By their keys; none where the section is no list of records."""
    type_ = next(field.type for field in shape.document().fields if field.name == name)
    if isinstance(type_, inspect.ListType) and shape.record_of(type_) is not None:
        return keyed(type_, getattr(playbook, name))[0]
    return {}


def _label(record: object, locale: str) -> str:
    for field in _LABELS:
        value = getattr(record, field, "")
        first = value[0] if isinstance(value, list) and value else value
        if isinstance(first, str | dict) and first:
            said = in_language(first, locale)
            return said if len(said) <= _SHORT else f"{said[:_SHORT].rpartition(' ')[0]}\u2026"
    return ""


def _keys(found: Difference) -> list[str]:
    return keys_of(found.pointer)


def _part(keys: list[str], labels: Mapping[str, str]) -> _Part:
    record, keys = (keys[0], keys[1:]) if labels else ("", keys)
    field = keys[0] if keys else ""
    return _Part(record, field, keys[1] if field in _ENTRIES and len(keys) > 1 else "")


def _noun(section: str, part: _Part, label: str) -> str:
    known = _NOUNS.get((section, part.field))
    if known is not None:
        return known.format(label=f'"{label}"', entry=f'"{part.entry}"' if part.entry else "anything")
    name = (part.field or section).replace("_", " ")
    if not part.record:
        return f"the {name}"
    return f'the {name} of "{label}"' if part.field else f'"{label}"'


def _verbs(part: _Part, found: Sequence[Difference]) -> str:
    """What happened to it, in one or more verbs."""
    be, were, have = ("are", "were", "have") if part.field in _PLURAL else ("is", "was", "has")
    whole = [each for each in found if len(_keys(each)) == 1 + part.depth]
    verbs = [_whole(each, be, were) for each in whole]
    inside = [each for each in found if each not in whole]
    texts = {kind: [each for each in inside if each.kind == kind and _in_list(each)] for kind in ("added", "removed")}
    reworded = any(each.kind == "changed" and _is_prose(each) for each in inside)
    verbs += [f"{were} reworded"] if reworded else []
    verbs += _gained_and_lost(texts["added"], texts["removed"], have, were)
    verbs += [f"{be} in another order"] if any(each.kind == "moved" for each in inside) else []
    rest = [each for each in inside if not _in_list(each) and each.kind != "moved" and not _is_prose(each)]
    verbs += [_does(each, were) for each in rest]
    return " and ".join(dict.fromkeys(verbs))


def _whole(found: Difference, be: str, were: str) -> str:
    if found.kind == "added":
        return f"{be} new"
    if found.kind == "changed":
        return f"{were} reworded" if _is_prose(found) else f"{be} {_instead(found)}"
    return f"{were} {found.kind}"


def _does(found: Difference, were: str) -> str:
    verb = _DOES.get(_keys(found)[-1])
    return f"{verb} {_instead(found)}" if verb else f"{were} changed"


def _gained_and_lost(more: Sequence[Difference], fewer: Sequence[Difference], have: str, were: str) -> Iterator[str]:
    gained, lost = _named(more), _named(fewer)
    if more and fewer and not (gained and lost):
        yield f"{were} rewritten"
        return
    if more:
        yield f"also {have} {gained}" if gained else f"{have} {_counted(more, 'more')}"
    if fewer:
        yield f"no longer {have} {lost}" if lost else f"{have} {_counted(fewer, 'fewer')}"


def _counted(found: Sequence[Difference], compared: str) -> str:
    count = "one" if len(found) == 1 else str(len(found))
    if _keys(found[0])[-2] not in _WAYS:
        return f"{count} {compared}"
    return f"{count} {compared} {'way' if len(found) == 1 else 'ways'} to say it"


def _named(found: Sequence[Difference]) -> str:
    """Their texts, where they are few and names rather than sentences."""
    texts = [each.after if each.before is UNSET else each.before for each in found]
    names = [text for text in texts if isinstance(text, str) and len(text) <= _SHORT and not text.endswith(_ENDS)]
    return " and ".join(map(_quoted, names)) if len(names) == len(texts) <= _NAMED else ""


def _instead(found: Difference) -> str:
    if found.after is UNSET or found.after == "":
        return f"no longer {_quoted(found.before)}"
    new = _quoted(found.after)
    return new if found.before is UNSET or found.before == "" else f"{new} instead of {_quoted(found.before)}"


def _quoted(value: object) -> str:
    match value:
        case bool():
            return "on" if value else "off"
        case str() if len(value) <= _SHORT:
            return f'"{value}"'
        case int() | float():
            return str(value)
    return "another one"


def _is_prose(found: Difference) -> bool:
    """Whether it is a text of several words in other words."""
    texts = (found.before, found.after)
    return _in_list(found) or any(isinstance(text, dict) or (isinstance(text, str) and " " in text) for text in texts)


def _in_list(found: Difference) -> bool:
    return _keys(found)[-1].isdigit()
