"""The store's promise: a change and the events that tell of it are kept together, or neither is."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Protocol, TypeVar

from scriza.kernel.events import Event

Session_co = TypeVar("Session_co", covariant=True)
T = TypeVar("T")


class UnitOfWork(Protocol[Session_co]):
    """One open transaction."""

    @property
    def session(self) -> Session_co:
        """The driver's session; every write that belongs to this unit passes it on."""
        ...

    async def publish(self, *events: Event) -> None:
        """Write events to the outbox; they are delivered after the commit, at least once, in order per subject."""
        ...

    async def receive(self, consumer: str, event: Event) -> bool:
        """Note in this transaction that `consumer` has dealt with the event; False when it already had.

        A handler that makes its changes in a unit of work and asks this first counts each event exactly once, also
        when the process dies between its commit and the bus's own note.
        """
        ...


class Store(Protocol[Session_co]):
    """Begins units of work."""

    def transaction(self) -> AbstractAsyncContextManager[UnitOfWork[Session_co]]:
        """Commits on a clean exit, rolls back on an exception.

        A transient conflict is raised as Conflict; Unavailable and DeadlineExceeded say that the store did not answer,
        in which case the transaction may have been committed all the same.
        """
        ...

    async def run(self, work: Callable[[UnitOfWork[Session_co]], Awaitable[T]]) -> T:
        """Do `work` in a transaction, again after transient conflicts and lost connections, within a deadline.

        `work` may have been committed when it is done again, so it must be able to find that out (by a unique id, or a
        mark of its own). Raises what `transaction` raises when the deadline is reached, and what `work` raises.
        """
        ...

    def errors(self) -> AbstractContextManager[None]:
        """For reads and single writes outside a transaction: the driver's errors come out as this port's."""
        ...
