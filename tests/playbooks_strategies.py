"""Playbooks for Hypothesis: small canonical ones of few words, so that two edits of one often meet, and their edits."""

from collections.abc import Callable
from typing import Any, cast

import msgspec
from hypothesis import strategies as st

from scriza.modules.strategy.normalise import normalise
from scriza.ports.playbook import Playbook

Document = dict[str, Any]
"""A playbook as JSON has it."""

SENTENCES = [
    "I hear you.",
    "Fair point.",
    "It is nineteen dollars a month.",
    "Most teams earn it back soon.",
    "You can try it free for a month.",
    "Shall I show you how?",
]
WORDS = ["price", "cost", "too much", "budget", "later", "my boss"]
NAMES = ["price", "budget", "timing", "trust"]
STAGES = ["greeting", "pitch", "doubts", "booking", "goodbye"]

texts = st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=3, unique=True).map(" ".join)
spoken = texts | texts | st.fixed_dictionaries({"en-US": texts}, optional={"hi-IN": texts})
"""A text, now and then one for each language."""
variants = st.lists(spoken, min_size=1, max_size=3, unique_by=str)
phrases = st.lists(st.sampled_from(WORDS), max_size=4, unique=True)


def _records(names: list[str], fields: dict[str, st.SearchStrategy[Any]], least: int = 0) -> st.SearchStrategy[Any]:
    """Some records with these ids, in any order."""
    some = st.lists(st.sampled_from(names), min_size=least, max_size=len(names), unique=True)
    record = st.fixed_dictionaries(fields)
    return some.flatmap(
        lambda ids: st.tuples(*(record.map(lambda one, id_=id_: {"id": id_} | one) for id_ in ids))
    ).map(list)


answers = st.fixed_dictionaries({"say": variants, "to": st.sampled_from(["", *STAGES]), "ask": st.booleans()})
exits = st.fixed_dictionaries({"to": st.sampled_from(STAGES), "on": st.sampled_from(["", *NAMES])})
_OBJECTION = {
    "title": st.sampled_from(["", "Price", "Too dear"]),
    "triggers": phrases,
    "response": variants,
    "max_uses": st.integers(1, 3),
}
_FAQ = {"q": st.lists(texts, min_size=1, max_size=2, unique=True), "a": variants, "triggers": phrases}
_STAGE = {
    "goal": texts,
    "ask": _records(["first", "second"], {"question": variants}),
    "answers": st.dictionaries(st.sampled_from(["yes", "no", "wait"]), answers, max_size=3),
    "exits": st.lists(exits, max_size=3, unique_by=lambda one: (one["to"], one["on"])),
    "keeps": st.booleans(),
}
_SECTIONS: dict[str, st.SearchStrategy[Any]] = {
    "title": texts,
    "goal": st.fixed_dictionaries({"primary": texts, "success": st.just(["won"])}),
    "persona": st.fixed_dictionaries(
        {
            "name": st.sampled_from(["Ada", "Ben"]),
            "tone": st.lists(st.sampled_from(["warm", "calm", "brisk"]), max_size=3, unique=True),
            "pronunciations": st.dictionaries(st.sampled_from(["SQL", "IBM"]), st.sampled_from(["a", "b", "c"])),
        }
    ),
    "opening": st.fixed_dictionaries({"inbound": spoken, "fallback": texts}, optional={"outbound": spoken}),
    "stages": _records(STAGES, _STAGE, least=1),
    "objections": _records(NAMES, _OBJECTION),
    "faqs": _records(NAMES, _FAQ),
    "facts": _records(NAMES, {"text": texts, "confidential": st.booleans()}),
    "silence": st.fixed_dictionaries({"prompts": variants}),
    "ext": st.dictionaries(st.just("x-crm"), st.dictionaries(st.sampled_from("ab"), st.integers(0, 2))),
}
_FIXED: Document = {
    "schema": "scriza.playbook/1",
    "slug": "generated",
    "locale": "en-US",
    "title": "Generated",
    "goal": {"primary": "Book a demo.", "success": ["won"]},
    "persona": {"name": "Ada", "tone": ["warm"], "pronunciations": {"SQL": "a"}},
    "opening": {"inbound": "Hello.", "fallback": "Goodbye."},
    "silence": {"prompts": ["Are you there?"]},
    "transfer": {"unavailable": {"say": ["Nobody is here."]}},
    "closing": {"goodbye": "Goodbye!"},
    "lines": {"repair": "Pardon?", "trouble": "Sorry?", "resumed": "I am back.", "unknown": ["What was that?"]},
}


def canonical(document: Document) -> Playbook:
    """The playbook that it is, in the form that is kept."""
    normal = normalise(document)
    assert normal.playbook is not None, normal.findings
    return normal.playbook


def document(playbook: Playbook) -> Document:
    """The playbook as JSON has it, to be changed."""
    return cast("Document", msgspec.to_builtins(playbook))


def playbooks() -> st.SearchStrategy[Playbook]:
    """Any playbook: always with stages and objections of its own, now and then with other sections."""
    own = {name: _SECTIONS[name] for name in ("stages", "objections")}
    others = {name: section for name, section in _SECTIONS.items() if name not in own}
    return st.fixed_dictionaries(own, optional=others).map(lambda sections: canonical(_FIXED | sections))


@st.composite
def edits_of(draw: st.DrawFn, playbook: Playbook, most: int = 3) -> Playbook:
    """The playbook after some edits, as a person makes them: a text here, a record there; perhaps none."""
    edited = document(playbook)
    for edit in draw(st.lists(st.sampled_from(_EDITS), max_size=most)):
        edit(draw, edited)
    return canonical(edited)


@st.composite
def histories(draw: st.DrawFn) -> tuple[Playbook, Playbook, Playbook]:
    """A base, and what two people have made of it; now and then two that have nothing to do with each other."""
    base = draw(playbooks())
    side = st.one_of(edits_of(base), edits_of(base), playbooks())
    return base, draw(side), draw(side)


def _redo_a_section(draw: st.DrawFn, edited: Document) -> None:
    name = draw(st.sampled_from(sorted(_SECTIONS)))
    edited[name] = draw(_SECTIONS[name])


def _redo_a_field(draw: st.DrawFn, edited: Document) -> None:
    name, fields = draw(st.sampled_from([("stages", _STAGE), ("objections", _OBJECTION), ("faqs", _FAQ)]))
    if edited.get(name):
        field = draw(st.sampled_from(sorted(fields)))
        draw(st.sampled_from(edited[name]))[field] = draw(fields[field])


def _reword_a_sentence(draw: st.DrawFn, edited: Document) -> None:
    lines = [line for name, line in (("objections", "response"), ("faqs", "a")) for line in _lists(edited, name, line)]
    if lines:
        line = draw(st.sampled_from(lines))
        index = draw(st.integers(0, len(line) - 1))
        old, new = draw(st.sampled_from(SENTENCES)), draw(st.sampled_from(SENTENCES))
        if isinstance(line[index], str):
            line[index] = line[index].replace(old, new)
        else:
            line[index]["en-US"] = line[index]["en-US"].replace(old, new)


def _remove_a_record(draw: st.DrawFn, edited: Document) -> None:
    name = draw(st.sampled_from(["objections", "faqs", "facts", "stages"]))
    if len(edited.get(name, [])) > 1:
        edited[name].remove(draw(st.sampled_from(edited[name])))


def _reorder(draw: st.DrawFn, edited: Document) -> None:
    edited["stages"] = draw(st.permutations(edited["stages"]))


def _lists(edited: Document, name: str, field: str) -> list[list[Any]]:
    return [record[field] for record in edited.get(name, [])]


_EDITS: list[Callable[[st.DrawFn, Document], None]] = [
    _redo_a_section,
    _redo_a_field,
    _redo_a_field,
    _reword_a_sentence,
    _reword_a_sentence,
    _remove_a_record,
    _reorder,
]
