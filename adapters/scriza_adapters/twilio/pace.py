"""How fast something may be begun: a token bucket, written as the virtual scheduling of ITU-T I.371 (GCRA)."""


class Pace:
    """Allows `per_second` beginnings a second, and `burst` of them at once after a rest. Times are in seconds."""

    def __init__(self, per_second: float, *, burst: int = 1) -> None:
        self._interval = 1 / per_second
        self._slack = self._interval * (burst - 1)
        self._due = float("-inf")

    def take(self, now: float, *, patience: float) -> float | None:
        """Seconds until it is one's turn, which is taken; None and nothing taken when that is past `patience`."""
        due = max(self._due, now)
        wait = max(0.0, due - self._slack - now)
        if wait > patience:
            return None
        self._due = due + self._interval
        return wait

    def wait(self, now: float) -> float:
        """Seconds until the next turn."""
        return max(0.0, self._due - self._slack - now)
