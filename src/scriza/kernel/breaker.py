"""A breaker: a provider that keeps failing is left alone for a while, then tried by one request.

Pure: time is an argument, in seconds of any clock that never goes back. The three states are those of Nygard's
"Release It!": closed (used), open (left alone), half open (one trial is under way).
"""

from typing import Literal

import msgspec

State = Literal["closed", "open", "half-open"]


class Tolerance(msgspec.Struct, frozen=True):
    """When a breaker opens, and for how many seconds."""

    failures: int = 3
    """So many in a row."""
    rest_s: float = 10.0
    longest_rest_s: float = 60.0
    """Each trial that fails doubles the rest, up to this."""
    trial_s: float = 10.0
    """A trial of which nothing was heard for so long does not keep others from trying."""


class Breaker:
    """Says whether a provider may be asked. Whoever was allowed tells how it went; a trial untold of lapses."""

    def __init__(self, tolerance: Tolerance | None = None) -> None:
        self._tolerance = tolerance or Tolerance()
        self._failures = 0
        self._rest_s = 0.0
        self._open_until: float | None = None
        self._trial_until: float | None = None

    def state(self, now: float) -> State:
        """What it is in at that moment; open also means that a trial would be allowed if the rest is over."""
        if self._open_until is None:
            return "closed"
        return "half-open" if self._trial_until is not None and now < self._trial_until else "open"

    def allows(self, now: float) -> bool:
        """Whether to ask now. True of an open breaker whose rest is over begins the one trial."""
        if self._open_until is None:
            return True
        if now < self._open_until or (self._trial_until is not None and now < self._trial_until):
            return False
        self._trial_until = now + self._tolerance.trial_s
        return True

    def rests_for(self, now: float) -> float:
        """Seconds until it makes sense to ask again; 0 when it does now."""
        return max(0.0, (self._open_until or 0.0) - now)

    def succeeded(self) -> None:
        """An answer came: the breaker closes."""
        self._failures, self._rest_s = 0, 0.0
        self._open_until = self._trial_until = None

    def failed(self, now: float, *, at_once: bool = False, retry_after: float = 0.0) -> None:
        """It failed. `at_once` opens the breaker whatever came before.

        `retry_after` is for how long the provider itself wants to be left alone, in place of a rest of our choice.
        """
        self._failures += 1
        if not at_once and self._open_until is None and self._failures < self._tolerance.failures:
            return
        if not retry_after and (self._open_until is None or self._trial_until is not None):
            self._rest_s = min(2 * self._rest_s or self._tolerance.rest_s, self._tolerance.longest_rest_s)
        self._open_until = max(self._open_until or 0.0, now + (retry_after or self._rest_s))
        self._trial_until = None

    def gave_up(self) -> None:
        """Whoever asked went away before it was known how it goes: another may try."""
        self._trial_until = None
