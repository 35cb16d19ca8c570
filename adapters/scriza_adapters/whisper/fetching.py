"""The worker process that downloads a model from the hub, file by file."""

import contextlib
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import msgspec

from scriza.kernel.errors import BadInput, Unavailable
from scriza.worker_child import Cancelled, Emit, Handler

_ANSWER_S = 10.0
_TELL_EVERY_S = 0.25


class Fetch(msgspec.Struct, frozen=True):
    """Download some of a repository's files, by their names or patterns, into an empty directory."""

    repository: str
    directory: str
    files: list[str]


class Progress(msgspec.Struct, tag="progress", frozen=True):
    """Bytes that have come, and that there are in all. Told all the time, also while nothing comes."""

    done: int
    total: int


class Done(msgspec.Struct, tag="done", frozen=True):
    """All files are there."""


def entry(settings: bytes) -> Handler:
    """There are no settings."""

    def handle(request: bytes, emit: Emit, cancelled: Cancelled) -> None:
        fetch = msgspec.msgpack.decode(request, type=Fetch)
        try:
            _snapshot(fetch, emit, cancelled)
        except OSError as error:
            # Also what the hub's client raises when nobody answers.
            if error.errno is not None and error.filename:
                raise BadInput(f"{fetch.directory} cannot be written: {error.strerror}") from error
            raise Unavailable(_advice(error)) from error
        except Exception as error:  # the hub client's errors come from several libraries
            raise Unavailable(_advice(error)) from error
        emit(Done())

    return handle


def _advice(error: Exception) -> str:
    reason = type(error.__cause__ or error).__name__
    return (
        f"the hub cannot be reached or does not have it ({reason}); with a network, try again, "
        "or copy the model's directory from another machine"
    )


def _snapshot(fetch: Fetch, emit: Emit, cancelled: Cancelled) -> None:
    import huggingface_hub

    directory = Path(fetch.directory)
    listed = huggingface_hub.snapshot_download(
        fetch.repository, allow_patterns=fetch.files, etag_timeout=_ANSWER_S, local_dir=directory, dry_run=True
    )
    total = sum(file.file_size or 0 for file in listed)
    with ThreadPoolExecutor(1) as threads:
        downloading = threads.submit(
            huggingface_hub.snapshot_download,
            fetch.repository,
            allow_patterns=fetch.files,
            etag_timeout=_ANSWER_S,
            local_dir=directory,
            max_workers=2,
        )
        while not downloading.done() and not cancelled():
            emit(Progress(min(_size(directory), total), total))
            wait([downloading], timeout=_TELL_EVERY_S)
        downloading.result()


def _size(directory: Path) -> int:
    size = 0
    for file in directory.rglob("*"):
        with contextlib.suppress(OSError):  # moved to its place meanwhile
            size += file.stat().st_size if file.is_file() else 0
    return size
