"""The store's promise: a change and the events that tell of it are kept together, or neither is."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar

from scriza.kernel.events import Event

Session_co = TypeVar("Session_co", covariant=True)


class UnitOfWork(Protocol[Session_co]):
    """One open transaction."""

    @property
    def session(self) -> Session_co:
        """The driver's session; every write that belongs to this unit passes it on."""
        ...

    async def publish(self, *events: Event) -> None:
        """Write events to the outbox; they are delivered after the commit, at least once, in order per subject."""
        ...


class Store(Protocol[Session_co]):
    """Begins units of work."""

    def transaction(self) -> AbstractAsyncContextManager[UnitOfWork[Session_co]]:
        """Commits on a clean exit, rolls back on an exception. A transient conflict is raised as Conflict."""
        ...
