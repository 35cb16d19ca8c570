"""Single changes of a playbook by pointers, as a diff tells them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from scriza.kernel.errors import BadInput
from scriza.modules.strategy.diff import diff
from scriza.modules.strategy.edits import edited
from scriza.modules.strategy.sources import Checked, checked
from scriza.ports.playbook import Playbook
from scriza.ports.strategy import Edit
from tests.strategy_rig import NOW, playbook


def after(book: Playbook, *edits: Edit) -> Checked:
    return checked(edited(book, edits), NOW.date())


def canonical(**changes: object) -> Playbook:
    found = checked(playbook(**changes), NOW.date()).playbook
    assert found is not None
    return found


def test_what_was_edited_is_what_a_diff_tells() -> None:
    before = canonical()
    changed = after(before, Edit("/persona/name", "Tim"), Edit("/faqs/hours/source", "the door")).playbook
    assert changed is not None
    assert [(change.pointer, change.after) for change in diff(before, changed).changes] == [
        ("/persona/name", "Tim"),
        ("/faqs/hours/source", "the door"),
    ]


@given(st.sampled_from(["title", "description"]), st.text("abc ~/{}'\"\n", min_size=1, max_size=40))
def test_an_edit_back_is_what_was_there_before(field: str, text: str) -> None:
    before = canonical()
    changed = after(before, Edit(f"/{field}", f"x{text}x")).playbook
    if changed is None:
        return  # what may not stand there is refused, and leads nowhere
    assert after(changed, Edit(f"/{field}", getattr(before, field))).playbook == before


def test_keys_with_slashes_and_tildes_are_escaped() -> None:
    book = canonical(persona={"name": "Tess", "pronunciations": {"a/b": "c", "d~e": "f"}})
    changed = after(book, Edit("/persona/pronunciations/a~1b", "x"), Edit("/persona/pronunciations/d~0e")).playbook
    assert changed is not None
    assert changed.persona.pronunciations == {"a/b": "x"}


def test_an_exit_goes_by_where_it_leads_and_on_what() -> None:
    stages = [
        {"id": "start", "goal": "g", "exits": [{"to": "end", "on": "price"}, {"to": "end"}]},
        {"id": "end", "goal": "g", "final": True},
    ]
    changed = after(canonical(stages=stages), Edit("/stages/start/exits/end:price/after_turns", 3)).playbook
    assert changed is not None
    assert [(way.on, way.after_turns) for way in changed.stages[0].exits] == [("price", 3), ("", 0)]


def test_a_new_record_may_be_named_by_its_pointer() -> None:
    changed = after(canonical(), Edit("/facts/leaves", {"text": "Our leaves are whole."})).playbook
    assert changed is not None
    assert [(fact.id, fact.text) for fact in changed.facts] == [("leaves", "Our leaves are whole.")]


@pytest.mark.parametrize(
    "pointer",
    ["", "/", "title", "/faqs/nothing", "/faqs/\u00b2", "/faqs/hours/nothing/0", "/opening/inbound/0"],
)
def test_what_is_not_there_cannot_be_removed(pointer: str) -> None:
    with pytest.raises(BadInput, match="edits: "):
        edited(canonical(), [Edit(pointer, UNSET)])


@pytest.mark.parametrize("pointer", ["/faqs/nothing/a/0", "/title/0", "/faqs/hours/a/x"])
def test_nothing_is_put_where_nothing_can_stand(pointer: str) -> None:
    with pytest.raises(BadInput, match="edits: there is nothing at /"):
        edited(canonical(), [Edit(pointer, "a text")])
