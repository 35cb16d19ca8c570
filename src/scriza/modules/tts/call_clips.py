"""Which clips were made in which calls, so that they can be erased with a caller: the door behind which it is kept.

A clip's name says nothing of the call that it was made in. One that is found in the cache is not noted: it was made of
the same words elsewhere, and is erased with whoever they were first said to.
"""

from collections.abc import Sequence
from typing import Protocol


class CallClips(Protocol):
    """Keeps that, for as long as clips may be kept."""

    async def note(self, workspace: str, call_id: str, key: str) -> None:
        """A clip is going to be kept that is made in this call. Doing it again is fine."""
        ...

    async def of(self, workspace: str, call_ids: Sequence[str]) -> list[str]:
        """The keys of the clips that were made in these calls."""
        ...

    async def forget(self, workspace: str, call_ids: Sequence[str]) -> None:
        """Their clips are erased."""
        ...
