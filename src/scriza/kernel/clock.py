"""Wall time as a dependency. Monotonic time is the event loop's own, so that tests can run on a virtual loop."""

from collections.abc import Callable
from datetime import UTC, datetime

WallClock = Callable[[], datetime]
"""Returns the current time, aware, in UTC. Tests pass one that stands still or jumps."""


def utc_now() -> datetime:
    """The system's wall clock."""
    return datetime.now(UTC)
