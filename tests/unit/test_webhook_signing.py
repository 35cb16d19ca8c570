"""Signatures as Standard Webhooks' own libraries make them, and when a delivery is tried again."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriza.modules.webhooks.schedule import PATIENCE, PAUSES, after, off_because
from scriza.modules.webhooks.signing import new_secret, signed
from scriza.ports.poster import Posted

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


def test_a_signature_is_the_one_of_the_specification() -> None:
    """The vector that the reference libraries are tested with."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    headers = signed([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_two_secrets_are_two_signatures() -> None:
    secrets = [new_secret(), new_secret()]
    both = signed(secrets, "dlv_1", 1, b"{}")["webhook-signature"].split(" ")
    assert both == [signed([secret], "dlv_1", 1, b"{}")["webhook-signature"] for secret in secrets]
    assert both[0] != both[1]


@given(
    statuses=st.lists(st.sampled_from([0, 200, 204, 301, 404, 500, 503]), min_size=10, max_size=10),
    chance=st.floats(0, 1),
)
def test_a_delivery_ends_after_eight_attempts_at_most_and_each_pause_is_longer(
    statuses: list[int], chance: float
) -> None:
    now, pauses = NOON, []
    for attempt, status in enumerate(statuses, 1):
        following = after(Posted(status), attempt, now, chance)
        if following.at is None:
            assert following.state == ("delivered" if 200 <= status < 300 else "dead")
            assert attempt <= len(PAUSES) + 1
            break
        assert following.state == "waiting"
        pauses.append(following.at - now)
        now = following.at
    assert pauses == sorted(pauses)
    assert now - NOON <= timedelta(hours=20)


@pytest.mark.parametrize(
    ("status", "state", "since", "because"),
    [
        (410, "dead", None, "gone"),
        (500, "dead", NOON - PATIENCE, "failing"),
        (500, "waiting", NOON - PATIENCE, ""),
        (500, "dead", NOON - timedelta(hours=20), ""),
        (200, "delivered", None, ""),
    ],
)
def test_a_webhook_is_switched_off_when_it_is_gone_or_has_failed_for_days(
    status: int, state: str, since: datetime | None, because: str
) -> None:
    assert off_because(Posted(status), state, since, NOON) == because  # type: ignore[arg-type]  # one of its words
