"""The breaker: how often a provider that fails is asked, at any sequence of times and outcomes."""

from hypothesis import given
from hypothesis import strategies as st

from scriza.kernel.breaker import Breaker, Tolerance

TOLERANCE = Tolerance(failures=3, rest_s=10, longest_rest_s=60, trial_s=5)


def opened() -> Breaker:
    breaker = Breaker(TOLERANCE)
    for _ in range(3):
        breaker.failed(0)
    return breaker


def test_it_opens_after_so_many_failures_in_a_row() -> None:
    breaker = Breaker(TOLERANCE)
    for _ in range(2):
        breaker.failed(0)
    breaker.succeeded()
    for _ in range(2):
        breaker.failed(0)
    assert breaker.allows(0)
    breaker.failed(0)
    assert not breaker.allows(0)
    assert breaker.state(0) == "open"


def test_a_grave_failure_opens_it_at_once() -> None:
    breaker = Breaker(TOLERANCE)
    breaker.failed(0, at_once=True)
    assert not breaker.allows(9.9)


def test_after_the_rest_one_may_try_and_the_others_wait_for_the_outcome() -> None:
    breaker = opened()
    assert [breaker.allows(10), breaker.allows(10), breaker.allows(12)] == [True, False, False]
    assert breaker.state(12) == "half-open"
    breaker.succeeded()
    assert breaker.allows(12)
    assert breaker.state(12) == "closed"


def test_a_trial_that_fails_doubles_the_rest_up_to_the_longest() -> None:
    breaker, now, rests = opened(), 0.0, []
    for _ in range(5):
        began = now
        while not breaker.allows(now):
            now += 1
        rests.append(now - began)
        breaker.failed(now)
    assert rests == [10, 20, 40, 60, 60]


def test_a_trial_of_which_nothing_is_heard_lapses() -> None:
    breaker = opened()
    assert breaker.allows(10)
    assert not breaker.allows(14.9)
    assert breaker.allows(15)


def test_who_gives_up_a_trial_leaves_it_to_another() -> None:
    breaker = opened()
    assert breaker.allows(10)
    breaker.gave_up()
    assert breaker.allows(10)


def test_a_provider_is_left_alone_for_as_long_as_it_asks() -> None:
    breaker = Breaker(TOLERANCE)
    breaker.failed(0, at_once=True, retry_after=33)
    assert not breaker.allows(32.9)
    assert breaker.allows(33)


def test_a_provider_that_asks_for_little_patience_is_not_left_alone_for_longer() -> None:
    breaker = Breaker(TOLERANCE)
    for now in (0, 1, 2):
        assert breaker.allows(now)
        breaker.failed(now, at_once=True, retry_after=1)
        assert breaker.rests_for(now) == 1
    assert breaker.rests_for(9) == 0


@given(st.lists(st.tuples(st.floats(0, 30), st.sampled_from(["failed", "succeeded", "gave_up"])), max_size=60))
def test_it_never_shuts_for_good_and_never_lets_two_try_at_once(steps: list[tuple[float, str]]) -> None:
    breaker, now = Breaker(TOLERANCE), 0.0
    for wait, outcome in steps:
        now += wait
        if not breaker.allows(now):
            assert breaker.allows(now + 1000) or breaker.state(now) == "closed"
            breaker.gave_up()
            continue
        if breaker.state(now) == "half-open":
            assert not breaker.allows(now)
        match outcome:
            case "failed":
                breaker.failed(now)
            case "succeeded":
                breaker.succeeded()
                assert breaker.allows(now)
            case _:
                breaker.gave_up()
    assert breaker.allows(now + 1000)
