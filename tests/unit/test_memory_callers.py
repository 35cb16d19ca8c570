"""What is known of a caller does not depend on the order in which calls are worked over."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriza.kernel.errors import NotFound
from scriza.modules.memory.callers import KnownCaller, Lesson, corrected, known_id, taught, without
from scriza.ports.memory import Remembered

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
NAMES = ("name", "city", "rooms")

facts = st.builds(
    lambda name, text, minutes, turn: Remembered(
        known_id("fact", name), "fact", name, text, f"CA{minutes}", turn, NOON + timedelta(minutes=minutes)
    ),
    st.sampled_from(NAMES),
    st.sampled_from(["a", "b", "c"]),
    st.integers(0, 4),
    st.integers(0, 3),
)


def lesson(number: int, known: Sequence[Remembered]) -> Lesson:
    at = NOON + timedelta(minutes=number)
    return Lesson(f"CA{number}", at, f"summary {number}", f"outcome {number}", list(known))


lessons = st.lists(st.lists(facts, max_size=4), min_size=1, max_size=5).map(
    lambda calls: [lesson(number, known) for number, known in enumerate(calls)]
)


def after(known: KnownCaller, order: Sequence[Lesson]) -> KnownCaller:
    seen: set[str] = set()
    for each in order:
        known = taught(known, each, first=each.call_id not in seen)
        seen.add(each.call_id)
    return known


@given(lessons, st.data())
def test_calls_teach_the_same_in_any_order_and_however_often(calls: list[Lesson], data: st.DataObject) -> None:
    again = data.draw(st.lists(st.sampled_from(calls), max_size=4))
    order = data.draw(st.permutations([*calls, *again]))
    known = after(KnownCaller(), order)
    assert known == after(KnownCaller(), calls)
    assert (known.calls, known.last_summary) == (len(calls), calls[-1].summary)


@given(lessons, st.data())
def test_a_correction_stands_whatever_calls_say(calls: list[Lesson], data: st.DataObject) -> None:
    known = after(KnownCaller(), calls)
    if not known.known:
        return
    item = data.draw(st.sampled_from(known.known))
    right = corrected(known, item.id, "right", NOON)
    for each in after(right, calls).known:
        assert (each.id != item.id) or (each.text, each.corrected) == ("right", True)


@given(lessons, st.sampled_from(NAMES))
def test_what_was_forgotten_is_not_learned_from_what_was_said_before(calls: list[Lesson], name: str) -> None:
    forgotten = without(after(KnownCaller(), calls), known_id("fact", name), NOON + timedelta(hours=1))
    assert name not in {item.name for item in after(forgotten, calls).known}
    said = Remembered(known_id("fact", name), "fact", name, "new", "CA9", 0, NOON + timedelta(hours=2))
    assert "new" in {item.text for item in after(forgotten, [lesson(9, [said])]).known}


def test_what_is_not_known_cannot_be_put_right() -> None:
    with pytest.raises(NotFound):
        corrected(KnownCaller(), "mem_1", "right", NOON)


def test_no_more_is_known_than_there_is_room_for_and_corrections_stay() -> None:
    many = [
        Remembered(known_id("fact", f"n{number}"), "fact", f"n{number}", "x" * 2000, "CA1", number, NOON)
        for number in range(300)
    ]
    known = after(KnownCaller(), [lesson(1, many[:1])])
    known = corrected(known, many[0].id, "right", NOON - timedelta(days=1))
    known = after(known, [lesson(2, many)])
    assert len(known.known) == 200
    assert "right" in {item.text for item in known.known}
    assert max(len(item.text) for item in known.known) == 500
