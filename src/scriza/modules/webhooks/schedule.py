"""When a delivery that failed is tried again, when it is given up, and when its webhook is. Pure.

Eight attempts over about eighteen hours: whoever deploys badly in the evening has the events in the morning. Pauses are
longer by up to a tenth, so that what failed together does not come back together.
"""

from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from scriza.ports.poster import Posted
from scriza.ports.webhooks import DeliveryState

PAUSES = (
    timedelta(seconds=5),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
)
"""After the first attempt, the second, and so on; after the last there is none."""
GONE = 410
PATIENCE = timedelta(days=3)
"""A URL that has taken nothing for so long, and has let a delivery be given up, is switched off."""
_JITTER = 0.1


class Next(NamedTuple):
    """What becomes of a delivery: due again `at`, or at its end."""

    state: DeliveryState
    at: datetime | None


def after(posted: Posted, attempts: int, now: datetime, chance: float) -> Next:
    """After the attempt of this number, the first being 1; `chance` is between 0 and 1."""
    if posted.taken:
        return Next("delivered", None)
    if posted.status == GONE or attempts > len(PAUSES):
        return Next("dead", None)
    return Next("waiting", now + PAUSES[attempts - 1] * (1 + _JITTER * chance))


def off_because(
    posted: Posted, state: DeliveryState, failing_since: datetime | None, now: datetime
) -> Literal["", "gone", "failing"]:
    """Why the webhook is switched off after this; empty when it is not."""
    if posted.status == GONE:
        return "gone"
    failing = failing_since is not None and now - failing_since >= PATIENCE
    return "failing" if state == "dead" and failing else ""
