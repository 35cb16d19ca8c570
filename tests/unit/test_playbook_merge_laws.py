"""The laws of merging, for whatever playbook and whatever two people have made of it."""

from itertools import combinations
from typing import Any

import msgspec
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st
from msgspec import structs

from scriza.modules.strategy.merge import merge
from scriza.modules.strategy.normalise import normalise
from scriza.ports.playbook import Playbook
from scriza.ports.playbook_changes import AutoMerge, Conflict, Merged, MergeStrategy
from tests.playbooks_strategies import canonical, document, edits_of, histories, playbooks

History = tuple[Playbook, Playbook, Playbook]
_OTHER = {"ours": "theirs", "theirs": "ours"}


def swapped(told: Conflict | AutoMerge) -> Conflict | AutoMerge:
    """The same as the other side tells it."""
    if isinstance(told, AutoMerge):
        return structs.replace(told, side=_OTHER.get(told.side, told.side))
    return structs.replace(told, ours=told.theirs, theirs=told.ours, take=_OTHER.get(told.take, told.take))


def sorted_json(told: list[Any]) -> list[bytes]:
    return sorted(msgspec.json.encode(one, order="deterministic") for one in told)


@given(playbooks().flatmap(lambda base: st.tuples(st.just(base), edits_of(base))))
@settings(max_examples=40)
def test_what_only_one_side_changed_is_taken_as_it_is(versions: tuple[Playbook, Playbook]) -> None:
    base, side = versions
    for merged in (merge(base, side, base), merge(base, base, side), merge(base, side, side)):
        assert merged.playbook == side
        assert not merged.conflicts


@given(histories())
@settings(max_examples=60)
def test_swapping_the_sides_swaps_the_conflicts_and_what_was_taken(history: History) -> None:
    base, ours, theirs = history
    one, other = merge(base, ours, theirs), merge(base, theirs, ours)
    assert sorted_json(one.conflicts) == sorted_json([swapped(conflict) for conflict in other.conflicts])
    assert sorted_json(one.auto) == sorted_json([swapped(taken) for taken in other.auto])
    assert (one.stats.ours, one.stats.theirs) == (other.stats.theirs, other.stats.ours)
    assert {(found.pointer, found.to) for found in one.renames} == {
        (found.pointer, found.to) for found in other.renames
    }
    event("in conflict" if one.conflicts else "without conflict")
    if not one.conflicts:
        assert one.playbook == other.playbook


@given(histories())
@settings(max_examples=40)
def test_two_stages_change_places_when_a_side_has_changed_them(history: History) -> None:
    base, ours, theirs = history
    merged = merge(base, ours, theirs)
    assume(merged.playbook is not None)
    assume("order" not in {conflict.kind for conflict in merged.conflicts})
    assert merged.playbook is not None
    places = [{stage.id: index for index, stage in enumerate(one.stages)} for one in (ours, theirs, merged.playbook)]
    common = [stage.id for stage in base.stages if all(stage.id in place for place in places)]
    for one, other in combinations(common, 2):
        mine, its, both = (place[one] < place[other] for place in places)
        assert both == (mine and its)


@given(histories())
@settings(max_examples=40)
def test_deciding_for_one_side_is_deciding_against_the_other(history: History) -> None:
    base, ours, theirs = history
    assert merge(base, ours, theirs, "ours").playbook == merge(base, theirs, ours, "theirs").playbook


@given(histories(), st.sampled_from(["ours", "theirs", "union"]))
@settings(max_examples=40)
def test_a_strategy_leaves_nothing_open_and_decides_exactly_what_was(history: History, strategy: MergeStrategy) -> None:
    decided, left = merge(*history, strategy), merge(*history)
    assert not decided.conflicts
    assert decided.resolved == left.conflicts
    assert decided.auto == left.auto


@given(histories())
@settings(max_examples=40)
def test_a_choice_for_every_conflict_is_as_good_as_a_strategy(history: History) -> None:
    choices = {conflict.pointer: "theirs" for conflict in merge(*history).conflicts}
    assert merge(*history, choices=choices) == merge(*history, "theirs")


@given(histories())
@settings(max_examples=40)
def test_a_merge_is_a_canonical_playbook_or_says_why_it_is_none(history: History) -> None:
    merged = merge(*history)
    if merged.playbook is None:
        assert merged.problem
        return
    assert not merged.problem
    normal = normalise(merged.playbook)
    merged_faqs = any(finding.code == "faqs-merged" for finding in normal.findings)  # two sides may ask the same
    assert merged_faqs or normal.playbook == merged.playbook


@given(histories())
@settings(max_examples=40)
def test_union_keeps_every_record_that_a_side_has_added_or_edited(history: History) -> None:
    base, ours, theirs = history
    merged = merge(base, ours, theirs, "union").playbook
    assume(merged is not None)
    assert merged is not None
    known = {objection.id: objection for objection in base.objections}
    kept = {
        objection.id for side in (ours, theirs) for objection in side.objections if objection != known.get(objection.id)
    }
    assert kept <= {objection.id for objection in merged.objections}


@given(playbooks(), st.data())
@settings(max_examples=40)
def test_deleting_what_the_other_side_edits_is_a_conflict(base: Playbook, data: st.DataObject) -> None:
    lists = [name for name in ("objections", "faqs", "facts", "stages") if len(getattr(base, name)) > 1]
    assume(lists)
    name = data.draw(st.sampled_from(lists))
    index = data.draw(st.integers(0, len(getattr(base, name)) - 1))
    deleted, edited = document(base), document(base)
    gone = deleted[name].pop(index)
    field = {"objections": "title", "faqs": "source", "facts": "source", "stages": "prompt"}[name]
    edited[name][index][field] = "Edited."
    for ours, theirs in ((deleted, edited), (edited, deleted)):
        merged = merge(base, canonical(ours), canonical(theirs))
        assert [(found.kind, found.pointer) for found in merged.conflicts] == [("delete_edit", f"/{name}/{gone['id']}")]
        assert has(merge(base, canonical(ours), canonical(theirs), "union"), name, gone["id"])


def has(merged: Merged, name: str, id_: str) -> bool:
    return id_ in {record.id for record in getattr(merged.playbook, name)}
