"""The driver's errors as the errors of our doors."""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
from pymongo.errors import (
    BulkWriteError,
    ConnectionFailure,
    DuplicateKeyError,
    NetworkTimeout,
    OperationFailure,
    PyMongoError,
)

from scriza.kernel.cancellation import cancellation_heeded
from scriza.kernel.errors import Conflict, DeadlineExceeded, Unavailable

TRANSIENT = "TransientTransactionError"
UNKNOWN_COMMIT = "UnknownTransactionCommitResult"
_DUPLICATE_KEY = 11000


@contextmanager
def translated() -> Iterator[None]:
    """Raise Conflict, DeadlineExceeded or Unavailable for what goes wrong between us and the store.

    Duplicate keys, and what only a mistake in the program brings about, keep the driver's own class.
    """
    try:
        with cancellation_heeded():
            yield
    except DuplicateKeyError:
        raise
    except BulkWriteError as error:
        raise _without_documents(error) from None
    except PyMongoError as error:
        if isinstance(error, ConnectionFailure) and not isinstance(error, NetworkTimeout):
            raise Unavailable("the store does not answer", retry_after=2) from error
        if error.timeout:
            raise DeadlineExceeded("the store took too long to answer") from error
        if error.has_error_label(TRANSIENT) or error.has_error_label(UNKNOWN_COMMIT):
            raise Conflict("another change came first; try again") from error
        raise


def only_duplicates(error: BulkWriteError) -> bool:
    """Whether nothing is wrong but that some of the documents were there already."""
    details = msgspec.convert(error.details, _Details)
    return not details.writeConcernErrors and all(problem.code == _DUPLICATE_KEY for problem in details.writeErrors)


def _without_documents(error: BulkWriteError) -> OperationFailure:
    """The same as a single write's error: a bulk's carries the refused documents, with what was spoken, into logs."""
    if only_duplicates(error):
        return DuplicateKeyError("some of the documents are there already", _DUPLICATE_KEY)
    codes = sorted({problem.code for problem in msgspec.convert(error.details, _Details).writeErrors})
    return OperationFailure(f"a bulk write failed: {codes}", codes[0] if codes else None)


class _Problem(msgspec.Struct):
    code: int


class _Details(msgspec.Struct):
    writeErrors: list[_Problem] = []  # noqa: N815 - the driver's own names
    writeConcernErrors: list[dict[str, object]] = []  # noqa: N815
