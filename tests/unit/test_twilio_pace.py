"""How fast calls are begun, on a clock of the test's own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriza_adapters.twilio.pace import Pace


def test_beginnings_are_a_second_apart() -> None:
    pace = Pace(1)
    assert [pace.take(10.0, patience=9) for _ in range(3)] == [0.0, 1.0, 2.0]
    assert pace.take(12.5, patience=9) == 0.5
    assert pace.take(60.0, patience=9) == 0.0


def test_a_burst_is_allowed_after_a_rest() -> None:
    pace = Pace(5, burst=5)
    assert [pace.take(0.0, patience=9) for _ in range(5)] == [0.0] * 5
    assert pace.take(0.0, patience=9) == pytest.approx(0.2)


def test_whoever_would_wait_too_long_takes_no_turn() -> None:
    pace = Pace(1)
    for _ in range(3):
        pace.take(0.0, patience=2)
    assert pace.take(0.0, patience=2) is None
    assert pace.wait(0.0) == 3.0
    assert pace.take(1.0, patience=2) == 2.0


@given(
    st.lists(st.floats(0, 3), max_size=60),
    st.floats(0.1, 20),
    st.integers(1, 5),
)
def test_no_stretch_of_time_sees_more_than_its_share(gaps: list[float], per_second: float, burst: int) -> None:
    pace = Pace(per_second, burst=burst)
    now, begun = 0.0, []
    for gap in gaps:
        now += gap
        wait = pace.take(now, patience=5)
        if wait is not None:
            begun.append(now + wait)
    for first in range(len(begun)):
        for last in range(first, len(begun)):
            most = burst + (begun[last] - begun[first]) * per_second
            assert last - first + 1 <= most + 1e-6
