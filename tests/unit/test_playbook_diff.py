"""What changed between two playbooks: by place, and as a person would tell it."""

from typing import Any

import msgspec
import pytest
from hypothesis import event, given, settings
from msgspec import UNSET

from scriza.modules.strategy.diff import diff
from scriza.ports.playbook import Exit, Playbook, Section
from scriza.ports.playbook_changes import Change
from tests.playbooks_strategies import histories
from tests.unit.test_playbook_merge import BASE_PLAYBOOK, Edited

History = tuple[Playbook, Playbook, Playbook]


@pytest.fixture
def edited() -> Edited:
    return Edited()


def told(edited: Edited) -> list[str]:
    return [f"{part.section}: {part.text}" for part in diff(BASE_PLAYBOOK, edited.playbook).summary]


def changes(edited: Edited) -> list[Change]:
    return diff(BASE_PLAYBOOK, edited.playbook).changes


# ---- laws --------------------------------------------------------------------------------------------------------


def follow(value: Any, pointer: str) -> Any:
    """What a pointer leads to."""
    for key in (part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]):
        match value:
            case Section():
                value = getattr(value, key)
            case dict():
                value = value[key]
            case _ if key.isdigit():
                value = value[int(key)]
            case _:
                value = next(item for item in value if name(item) == key)
    return UNSET if value is None else msgspec.to_builtins(value)


def name(record: Any) -> str:
    if isinstance(record, Exit):
        return f"{record.to}:{record.on}" if record.on else record.to
    return str(record.id if hasattr(record, "id") else record.name)


@given(histories())
@settings(max_examples=40)
def test_a_diff_is_empty_exactly_when_nothing_changed(history: History) -> None:
    base, ours, theirs = history
    for before, after in ((base, ours), (ours, theirs)):
        found = diff(before, after)
        event("different" if found.changes else "equal")
        assert bool(found.changes) == bool(found.summary) == (before != after)


@given(histories())
@settings(max_examples=40)
def test_every_pointer_leads_to_what_it_tells_of(history: History) -> None:
    base, ours, _ = history
    for change in diff(base, ours).changes:
        if change.kind == "removed":
            assert follow(base, change.pointer) == change.before
        elif change.kind != "moved":
            assert follow(ours, change.pointer) == change.after


# ---- by place ----------------------------------------------------------------------------------------------------


def test_a_record_that_is_new_or_gone_is_one_change(edited: Edited) -> None:
    edited.document["objections"] = [edited.record("objections", "price")]
    edited.document["facts"].append({"id": "trial", "text": "The trial is free."})
    assert [(change.kind, change.pointer) for change in changes(edited)] == [
        ("removed", "/objections/timing"),
        ("added", "/facts/trial"),
    ]


def test_a_reworded_line_is_a_change_with_before_and_after(edited: Edited) -> None:
    edited.record("objections", "price")["response"][1] = "Fair point, so try it free."
    was = "Fair point, and you can try it free."
    assert changes(edited) == [Change("/objections/price/response/1", "changed", was, "Fair point, so try it free.")]


def test_a_language_that_is_gone_from_a_line_is_told_of_where_it_was(edited: Edited) -> None:
    base = Edited()
    base.record("objections", "timing")["response"] = [{"en-US": "When would be better?", "hi-IN": "Kab theek rahega?"}]
    edited.record("objections", "timing")["response"] = ["No hurry.", {"en-US": "When would be better?"}]
    assert diff(base.playbook, edited.playbook).changes == [
        Change("/objections/timing/response/0", "added", UNSET, "No hurry."),
        Change("/objections/timing/response/0/hi-IN", "removed", "Kab theek rahega?"),
    ]


def test_a_moved_stage_is_one_change_however_many_it_passes(edited: Edited) -> None:
    edited.document["stages"].insert(0, edited.document["stages"].pop(3))
    assert changes(edited) == [Change("/stages/goodbye", "moved", 3, 0)]


def test_keys_with_slashes_are_escaped(edited: Edited) -> None:
    edited.document["persona"]["pronunciations"] |= {"24/7": "round the clock", "~": "about"}
    assert {change.pointer for change in changes(edited)} == {
        "/persona/pronunciations/24~17",
        "/persona/pronunciations/~0",
    }


# ---- in words ----------------------------------------------------------------------------------------------------

YES = {"say": ["Great."], "to": "booking"}


@pytest.mark.parametrize(
    ("section", "record", "field", "value", "words"),
    [
        (
            "objections",
            "price",
            "response",
            ["I hear you. It pays for itself.", "Fair point, so try it free."],
            'Objections: The answer to "Too expensive" was reworded.',
        ),
        (
            "objections",
            "price",
            "response",
            ["I hear you. It pays for itself.", "Fair point, and you can try it free.", "It is worth it.", "I know."],
            'Objections: The answer to "Too expensive" has 2 more ways to say it.',
        ),
        (
            "objections",
            "price",
            "triggers",
            ["budget", "cost", "expensive"],
            'Objections: The triggers of "Too expensive" also have "cost".',
        ),
        (
            "objections",
            "price",
            "triggers",
            ["expensive"],
            'Objections: The triggers of "Too expensive" no longer have "budget".',
        ),
        (
            "objections",
            "price",
            "max_uses",
            3,
            'Objections: The number of answers to "Too expensive" is 3 instead of 1.',
        ),
        ("objections", "price", "next", "booking", 'Objections: The stage after "Too expensive" is "booking".'),
        (
            "stages",
            "pitch",
            "answers",
            {"yes": YES | {"to": "goodbye"}},
            'Stages: The answer to "yes" at "pitch" leads to "goodbye" instead of "booking".',
        ),
        ("stages", "pitch", "answers", {}, 'Stages: The answer to "yes" at "pitch" was removed.'),
        ("stages", "greeting", "exits", [], 'Stages: The way from "greeting" to "pitch:price" was removed.'),
        ("stages", "booking", "goal", "Agree on a day.", 'Stages: The goal of "booking" was reworded.'),
    ],
)
def test_an_edit_is_told_in_words(
    section: str, record: str, field: str, value: object, words: str, edited: Edited
) -> None:
    edited.record(section, record)[field] = value
    assert told(edited) == [words]


def test_several_edits_are_told_by_section_in_the_order_of_the_document(edited: Edited) -> None:
    edited.document["persona"]["name"] = "Eve"
    edited.document["persona"]["pronunciations"]["IBM"] = "I B M"
    edited.document["stages"].insert(0, edited.document["stages"].pop(3))
    edited.record("objections", "price")["response"][0] = "I understand. It pays for itself."
    edited.document["objections"][1] = {"id": "no_budget", "title": "No budget", "response": ["Then next year."]}
    edited.document["facts"] = []
    assert told(edited) == [
        'Persona: The name is "Eve" instead of "Ada"; the pronunciation of "IBM" is new.',
        'Stages: "goodbye" was moved.',
        'Objections: "timing" was removed; "No budget" is new; the answer to "Too expensive" was reworded.',
        'Facts: "It is nineteen dollars a month. There…" was removed.',
    ]


def test_a_record_under_another_id_is_told_as_such_and_not_as_one_that_went(edited: Edited) -> None:
    edited.record("objections", "price")["id"] = "pricing"
    assert told(edited) == ['Objections: "price" is called "pricing" from here on.']
