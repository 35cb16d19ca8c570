"""What posts to URLs that a team has named."""

from collections.abc import Mapping
from typing import Protocol

import msgspec


class Posted(msgspec.Struct, frozen=True):
    """What came of it: an HTTP status, or in words why there is none."""

    status: int = 0
    failure: str = ""

    @property
    def taken(self) -> bool:
        """Whether the other side has it."""
        return 200 <= self.status < 300


class Poster(Protocol):
    """Posts, and keeps away from what is not public."""

    def check(self, url: str) -> None:
        """Raises BadInput for a URL that is not posted to."""
        ...

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Posted:
        """Post within a deadline. A redirect is an answer, and not followed; bodies of answers are not read."""
        ...
