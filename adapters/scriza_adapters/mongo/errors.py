"""The driver's errors as the errors of our doors."""

from collections.abc import Iterator
from contextlib import contextmanager

from pymongo.errors import ConnectionFailure, DuplicateKeyError, NetworkTimeout, PyMongoError

from scriza.kernel.errors import Conflict, DeadlineExceeded, Unavailable

TRANSIENT = "TransientTransactionError"
UNKNOWN_COMMIT = "UnknownTransactionCommitResult"
DUPLICATE_KEY = 11000


@contextmanager
def translated() -> Iterator[None]:
    """Raise Conflict, DeadlineExceeded or Unavailable for what goes wrong between us and the store.

    Duplicate keys, and what only a mistake in the program brings about, keep the driver's own class.
    """
    try:
        yield
    except DuplicateKeyError:
        raise
    except PyMongoError as error:
        if isinstance(error, ConnectionFailure) and not isinstance(error, NetworkTimeout):
            raise Unavailable("the store does not answer", retry_after=2) from error
        if error.timeout:
            raise DeadlineExceeded("the store took too long to answer") from error
        if error.has_error_label(TRANSIENT) or error.has_error_label(UNKNOWN_COMMIT):
            raise Conflict("another change came first; try again") from error
        raise
