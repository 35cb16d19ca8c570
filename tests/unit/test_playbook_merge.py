"""Two people edit the same playbook: what merges by itself, and what they have to decide."""

from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from scriza.modules.strategy.merge import Own, merge
from scriza.modules.strategy.merge.sentences import merged_text
from scriza.modules.strategy.order import merged_order, moved, with_added
from scriza.ports.playbook import Playbook
from scriza.ports.playbook_changes import AutoMerge, Conflict, MergeStrategy
from tests.playbooks_strategies import Document, canonical, document

BASE: Document = {
    "schema": "scriza.playbook/1",
    "slug": "kites",
    "title": "Kites",
    "locale": "en-US",
    "goal": {"primary": "Book a demo."},
    "persona": {"name": "Ada", "tone": ["warm"], "pronunciations": {"SQL": "sequel"}},
    "opening": {"inbound": "Hello, this is Ada. How can I help?", "fallback": "Goodbye."},
    "stages": [
        {"id": "greeting", "goal": "Greet.", "exits": [{"to": "pitch", "on": "price"}]},
        {"id": "pitch", "goal": "Offer a demo.", "answers": {"yes": {"say": ["Great."], "to": "booking"}}},
        {"id": "booking", "goal": "Find a time."},
        {"id": "goodbye", "goal": "End well."},
    ],
    "objections": [
        {
            "id": "price",
            "title": "Too expensive",
            "triggers": ["budget", "expensive"],
            "response": ["I hear you. It pays for itself.", "Fair point, and you can try it free."],
        },
        {"id": "timing", "triggers": ["later"], "response": ["When would be better?"]},
    ],
    "facts": [{"id": "price", "text": "It is nineteen dollars a month. There is no setup fee."}],
    "transfer": {"unavailable": {"say": ["Nobody is here."]}},
    "silence": {"prompts": ["Are you there?", "I can't hear you."]},
    "closing": {"goodbye": "Goodbye!"},
    "lines": {"repair": "Pardon?", "trouble": "Sorry?", "resumed": "I am back.", "unknown": ["What was that?"]},
}
BASE_PLAYBOOK = canonical(BASE)


class Edited:
    """A copy of the base, to be changed."""

    def __init__(self) -> None:
        self.document = document(BASE_PLAYBOOK)

    def record(self, section: str, id_: str) -> Any:
        return next(record for record in self.document[section] if record["id"] == id_)

    @property
    def playbook(self) -> Playbook:
        return canonical(self.document)


@pytest.fixture
def ours() -> Edited:
    return Edited()


@pytest.fixture
def theirs() -> Edited:
    return Edited()


def merged(ours: Edited, theirs: Edited, strategy: MergeStrategy = "manual") -> Edited:
    """Their merge, which must be free of open conflicts."""
    found = merge(BASE_PLAYBOOK, ours.playbook, theirs.playbook, strategy)
    assert not found.conflicts
    assert found.playbook is not None
    result = Edited()
    result.document = document(found.playbook)
    return result


def conflict(ours: Edited, theirs: Edited) -> Conflict:
    """The only one of their merge."""
    (only,) = merge(BASE_PLAYBOOK, ours.playbook, theirs.playbook).conflicts
    return only


# ---- what merges by itself --------------------------------------------------------------------------------------


def test_different_fields_of_one_record_merge(ours: Edited, theirs: Edited) -> None:
    ours.record("objections", "price")["title"] = "It costs too much"
    theirs.record("objections", "price")["max_uses"] = 3
    both = merged(ours, theirs).record("objections", "price")
    assert (both["title"], both["max_uses"]) == ("It costs too much", 3)


def test_sets_merge_by_what_was_added_and_what_was_removed(ours: Edited, theirs: Edited) -> None:
    ours.record("objections", "price")["triggers"] = ["budget", "cost", "expensive"]
    theirs.record("objections", "price")["triggers"] = ["budget", "dear"]
    assert merged(ours, theirs).record("objections", "price")["triggers"] == ["budget", "cost", "dear"]


def test_different_sentences_of_one_line_merge(ours: Edited, theirs: Edited) -> None:
    ours.record("objections", "price")["response"][0] = "I understand you. It pays for itself."
    theirs.record("objections", "price")["response"][0] = "I hear you. Most earn it back in a month."
    both = merged(ours, theirs).record("objections", "price")["response"]
    assert both[0] == "I understand you. Most earn it back in a month."


def test_new_variants_of_both_stand_beside_each_other_once(ours: Edited, theirs: Edited) -> None:
    ours.record("objections", "timing")["response"] += ["No hurry at all.", "Shall I call in May?"]
    theirs.record("objections", "timing")["response"] += ["Shall I call in May?"]
    both = merged(ours, theirs).record("objections", "timing")["response"]
    assert sorted(both) == ["No hurry at all.", "Shall I call in May?", "When would be better?"]


def test_a_stage_that_one_moves_and_the_other_edits_is_moved_and_edited(ours: Edited, theirs: Edited) -> None:
    ours.document["stages"].insert(1, ours.document["stages"].pop(2))
    theirs.record("stages", "booking")["goal"] = "Find a day and a time."
    both = merged(ours, theirs)
    assert [stage["id"] for stage in both.document["stages"]] == ["greeting", "booking", "pitch", "goodbye"]
    assert both.record("stages", "booking")["goal"] == "Find a day and a time."


def test_both_move_other_stages_and_each_new_one_stands_where_it_was_put(ours: Edited, theirs: Edited) -> None:
    ours.document["stages"] += [ours.document["stages"].pop(0)]
    theirs.document["stages"].insert(3, {"id": "details", "goal": "Take down the details."})
    stages = [stage["id"] for stage in merged(ours, theirs).document["stages"]]
    assert stages == ["pitch", "booking", "details", "goodbye", "greeting"]


def test_what_a_mapping_holds_merges_by_its_keys(ours: Edited, theirs: Edited) -> None:
    ours.document["persona"]["pronunciations"]["IBM"] = "I B M"
    theirs.document["persona"]["pronunciations"]["SQL"] = "S Q L"
    assert merged(ours, theirs).document["persona"]["pronunciations"] == {"IBM": "I B M", "SQL": "S Q L"}


def test_the_same_new_record_of_both_merges_by_its_fields(ours: Edited, theirs: Edited) -> None:
    new = {"id": "trust", "response": ["Ask our customers."]}
    ours.document["objections"].append(new | {"triggers": ["trust"]})
    theirs.document["objections"].append(new | {"triggers": ["proof"], "severity": 5})
    both = merged(ours, theirs).record("objections", "trust")
    assert (both["triggers"], both["severity"]) == (["proof", "trust"], 5)


def test_a_reference_to_what_the_other_removed_is_left_to_the_linter(ours: Edited, theirs: Edited) -> None:
    ours.document["stages"] = [stage for stage in ours.document["stages"] if stage["id"] != "goodbye"]
    theirs.record("objections", "timing")["next"] = "goodbye"
    assert merged(ours, theirs).record("objections", "timing")["next"] == "goodbye"


def test_it_tells_what_was_taken_from_whom(ours: Edited, theirs: Edited) -> None:
    ours.record("objections", "price")["title"] = "It costs too much"
    ours.record("objections", "price")["triggers"].append("pricey")
    theirs.record("objections", "price")["severity"] = 5
    theirs.document["title"] = ours.document["title"] = "Paper kites"
    found = merge(BASE_PLAYBOOK, ours.playbook, theirs.playbook)
    assert found.auto == [
        AutoMerge("/title", "both", "changed"),
        AutoMerge("/objections/price/title", "ours", "changed"),
        AutoMerge("/objections/price/triggers/-", "ours", "added"),
        AutoMerge("/objections/price/severity", "theirs", "changed"),
    ]
    assert (found.stats.ours, found.stats.theirs, found.stats.both, found.stats.conflicts) == (2, 1, 1, 0)


# ---- what has to be decided -------------------------------------------------------------------------------------


def test_the_same_number_changed_twice_is_a_conflict(ours: Edited, theirs: Edited) -> None:
    ours.record("objections", "price")["max_uses"] = 2
    theirs.record("objections", "price")["max_uses"] = 3
    found = conflict(ours, theirs)
    assert (found.pointer, found.kind) == ("/objections/price/max_uses", "value")
    assert (found.base, found.ours, found.theirs, found.take) == (1, 2, 3, "")


def test_the_same_line_reworded_twice_is_a_conflict_in_which_both_may_stand(ours: Edited, theirs: Edited) -> None:
    ours.record("objections", "price")["response"][1] = "Fair point, and you can try it for a month."
    theirs.record("objections", "price")["response"][1] = "Fair point, so try it free first."
    found = conflict(ours, theirs)
    assert (found.pointer, found.kind, found.take) == ("/objections/price/response/1", "text", "union")
    assert merged(ours, theirs, "union").record("objections", "price")["response"] == [
        "I hear you. It pays for itself.",
        "Fair point, and you can try it for a month.",
        "Fair point, so try it free first.",
    ]
    assert merged(ours, theirs, "theirs").record("objections", "price")["response"][1] == found.theirs


def test_a_text_that_one_made_longer_is_suggested_over_the_one_that_it_holds(ours: Edited, theirs: Edited) -> None:
    ours.document["goal"]["primary"] = "Book a short demo."
    theirs.document["goal"]["primary"] = "Book a short demo. Today, if they can."
    found = conflict(ours, theirs)
    assert (found.kind, found.take) == ("text", "theirs")


def test_a_record_that_one_deletes_and_the_other_edits_is_a_conflict(ours: Edited, theirs: Edited) -> None:
    ours.document["objections"] = [ours.record("objections", "price")]
    theirs.record("objections", "timing")["severity"] = 5
    found = conflict(ours, theirs)
    assert (found.pointer, found.kind, found.ours, found.take) == ("/objections/timing", "delete_edit", UNSET, "theirs")
    assert len(merged(ours, theirs, "ours").document["objections"]) == 1
    assert merged(ours, theirs, "union").record("objections", "timing")["severity"] == 5


def test_an_edited_record_that_the_other_renamed_is_pointed_out(ours: Edited, theirs: Edited) -> None:
    ours.record("objections", "price")["id"] = "pricing"
    theirs.record("objections", "price")["max_uses"] = 3
    found = merge(BASE_PLAYBOOK, ours.playbook, theirs.playbook)
    assert [(rename.pointer, rename.to, rename.side) for rename in found.renames] == [
        ("/objections/price", "/objections/pricing", "ours")
    ]
    assert "'pricing'" in found.conflicts[0].suggestion


def test_a_line_that_one_deletes_and_the_other_rewords_is_a_conflict(ours: Edited, theirs: Edited) -> None:
    del ours.record("objections", "price")["response"][1]
    theirs.record("objections", "price")["response"][1] = "Fair point, and you can try it free for a month."
    found = conflict(ours, theirs)
    assert (found.pointer, found.kind) == ("/objections/price/response/1", "delete_edit")


def test_two_moves_of_the_same_stage_to_other_places_are_a_conflict(ours: Edited, theirs: Edited) -> None:
    ours.document["stages"].insert(0, ours.document["stages"].pop(3))
    theirs.document["stages"].insert(1, theirs.document["stages"].pop(3))
    found = conflict(ours, theirs)
    assert (found.pointer, found.kind) == ("/stages", "order")
    assert found.ours == ["goodbye", "greeting", "pitch", "booking"]
    stages = merged(ours, theirs, "theirs").document["stages"]
    assert [stage["id"] for stage in stages] == found.theirs == ["greeting", "goodbye", "pitch", "booking"]


def test_an_exit_is_known_by_where_it_leads_and_on_what(ours: Edited, theirs: Edited) -> None:
    ours.record("stages", "greeting")["exits"][0]["when"] = "They ask for the price."
    theirs.record("stages", "greeting")["exits"][0]["when"] = "They want to know what it costs."
    assert conflict(ours, theirs).pointer == "/stages/greeting/exits/pitch:price/when"


def test_manual_leaves_ours_in_the_place_of_a_conflict_and_says_so(ours: Edited, theirs: Edited) -> None:
    ours.document["persona"]["name"], theirs.document["persona"]["name"] = "Eve", "Bob"
    found = merge(BASE_PLAYBOOK, ours.playbook, theirs.playbook)
    assert found.playbook is not None
    assert found.playbook.persona.name == "Eve"
    assert len(found.conflicts) == found.stats.conflicts == 1


def test_single_conflicts_can_be_decided_and_the_rest_by_the_strategy(ours: Edited, theirs: Edited) -> None:
    ours.document["persona"]["name"], theirs.document["persona"]["name"] = "Eve", "Bob"
    ours.document["title"], theirs.document["title"] = "Ours", "Theirs"
    found = merge(BASE_PLAYBOOK, ours.playbook, theirs.playbook, "ours", {"/title": "theirs"})
    assert found.playbook is not None
    assert (found.playbook.persona.name, found.playbook.title) == ("Eve", "Theirs")
    assert len(found.resolved) == 2


def test_a_conflict_can_be_decided_for_a_value_that_neither_side_has(ours: Edited, theirs: Edited) -> None:
    ours.record("objections", "price")["response"].insert(0, "Let me ask you something.")
    ours.record("objections", "price")["response"][2] = "Fair point, and you can try it for a month."
    theirs.record("objections", "price")["response"][1] = "Fair point, so try it free first."
    ours.document["objections"].pop(1)
    theirs.record("objections", "timing")["severity"] = 5
    own = {"/objections/price/response/1": Own("Fair point. Try it first."), "/objections/timing": Own(UNSET)}
    found = merge(BASE_PLAYBOOK, ours.playbook, theirs.playbook, choices=own)
    assert not found.conflicts
    assert found.playbook is not None
    (price,) = found.playbook.objections
    assert price.response == [
        "Let me ask you something.",
        "I hear you. It pays for itself.",
        "Fair point. Try it first.",
    ]


def test_an_order_in_conflict_can_be_decided_by_ids_in_another_one(ours: Edited, theirs: Edited) -> None:
    ours.document["stages"].insert(0, ours.document["stages"].pop(3))
    theirs.document["stages"].insert(1, theirs.document["stages"].pop(3))
    own = {"/stages": Own(["booking", "goodbye", "greeting", "nonsense"])}
    found = merge(BASE_PLAYBOOK, ours.playbook, theirs.playbook, choices=own)
    assert found.playbook is not None
    assert [stage.id for stage in found.playbook.stages] == ["booking", "goodbye", "greeting", "pitch"]


def test_two_orders_of_the_variants_of_a_line_are_a_conflict_too(ours: Edited, theirs: Edited) -> None:
    lines = ["Who is it?", "One moment.", "Hold on please."]
    base = Edited()
    base.document["lines"]["fillers"] = lines
    ours.document["lines"]["fillers"] = [lines[2], lines[0], lines[1]]
    theirs.document["lines"]["fillers"] = [lines[0], lines[2], lines[1]]
    (found,) = merge(base.playbook, ours.playbook, theirs.playbook).conflicts
    assert (found.pointer, found.kind, found.ours) == ("/lines/fillers", "order", [lines[2], lines[0], lines[1]])


def test_edits_that_together_break_a_bound_make_no_playbook_and_say_where(ours: Edited, theirs: Edited) -> None:
    ours.document["silence"]["prompts"] += ["One more.", "And another."]
    theirs.document["silence"]["prompts"] += ["Hello again.", "Are you still on the line?"]
    found = merge(BASE_PLAYBOOK, ours.playbook, theirs.playbook)
    assert found.playbook is None
    assert "silence.prompts" in found.problem


def test_what_it_tells_can_go_over_the_wire(ours: Edited, theirs: Edited) -> None:
    ours.document["objections"] = [ours.record("objections", "price")]
    theirs.record("objections", "timing")["severity"] = 5
    found = merge(BASE_PLAYBOOK, ours.playbook, theirs.playbook)
    assert msgspec.json.decode(msgspec.json.encode(found), type=type(found)) == found


# ---- its parts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "text"),
    [
        ("A. B.", "A1. B.", "A. B2.", "A1. B2."),
        ("A. B. C.", "A. C.", "A. B. C2.", "A. C2."),
        ("A. B.", "A. B. C.", "Z. B.", "Z. B. C."),
        ("A. B.", "A. B. C.", "A. B. D.", None),  # both add at the same place
        ("A. B.", "A1. B.", "A2. B.", None),
        ("A. B.", "A.", "A. B2.", None),  # deleted and edited
        ("A.\nB.", "A1.\nB.", "A.\nB2.", "A1.\nB2."),
        ("A.  B.", "A1.  B.", "A.  B2.", None),  # not canonical: taken apart it would not be the same any more
    ],
)
def test_texts_merge_by_their_sentences(base: str, ours: str, theirs: str, text: str | None) -> None:
    assert merged_text(base, ours, theirs) == merged_text(base, theirs, ours) == text


def test_the_fewest_items_count_as_moved() -> None:
    assert moved("abcde", "eabcd") == {"e"}
    assert moved("abcde", "abxcde") == set()
    assert len(moved("abc", "cba")) == 2


@pytest.mark.parametrize(
    ("ours", "theirs", "order"),
    [
        ("bacd", "abdc", "badc"),
        ("abcd", "dabc", "dabc"),
        ("dabc", "dabc", "dabc"),
        ("dabc", "adbc", None),
        ("dbac", "dabc", "dbac"),  # the same move of d, and one of ours
    ],
)
def test_an_order_is_what_two_of_three_say(ours: str, theirs: str, order: str | None) -> None:
    expected = None if order is None else list(order)
    assert merged_order(list("abcd"), list(ours), list(theirs)) == expected
    assert merged_order(list("abcd"), list(theirs), list(ours)) == expected


def test_of_a_very_long_list_only_one_side_can_change_the_order() -> None:
    base = [str(number) for number in range(1_001)]
    assert merged_order(base, base[::-1], base) == base[::-1]
    assert merged_order(base, base[::-1], [*base[1:], base[0]]) is None


def test_a_text_too_long_for_any_playbook_is_merged_as_a_whole() -> None:
    base = "." * 9_000 + " End."
    assert merged_text(base, f"Ours! {base}", f"{base} Theirs!") == f"Ours! {base} Theirs!"
    assert merged_text(base * 2, f"Ours! {base * 2}", f"{base * 2} Theirs!") is None


def test_what_was_added_stands_behind_what_it_was_added_behind() -> None:
    assert with_added(list("abc"), (list("aXbc"), list("YabZc")), set("abcXYZ")) == list("YaXbZc")
    assert with_added(list("ab"), (list("aXb"), list("aWb")), set("abWX")) == list("aWXb")
    assert with_added(list("b"), (list("XaYb"), list("b")), set("bXY")) == list("XYb")
