"""Models of faster-whisper on disk: which there are, where they lie, and how one gets there."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path

from scriza.kernel.errors import BadInput, DeadlineExceeded, NotFound, Unavailable
from scriza.worker import Worker
from scriza_adapters.whisper.fetching import Done, Fetch, Progress

REPOSITORIES = {
    "tiny.en": "Systran/faster-whisper-tiny.en",
    "tiny": "Systran/faster-whisper-tiny",
    "base.en": "Systran/faster-whisper-base.en",
    "base": "Systran/faster-whisper-base",
    "small.en": "Systran/faster-whisper-small.en",
    "small": "Systran/faster-whisper-small",
    "medium.en": "Systran/faster-whisper-medium.en",
    "medium": "Systran/faster-whisper-medium",
    "large-v3": "Systran/faster-whisper-large-v3",
    "large-v3-turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
    "distil-small.en": "Systran/faster-distil-whisper-small.en",
    "distil-large-v3": "Systran/faster-distil-whisper-large-v3",
}
"""Models by their name, where faster-whisper itself gets them from."""

_NEEDED = ("model.bin", "config.json", "tokenizer.json")
_FILES = ("config.json", "preprocessor_config.json", "model.bin", "tokenizer.json", "vocabulary.*")
_STALL_S = 60.0
"""Without a byte for so long the hub is taken for gone."""
_WHOLE_S = 4 * 3600.0
_UNFINISHED = ".unfinished-"


def missing_files(directory: Path) -> list[str]:
    """What a directory lacks to be a model; without its tokenizer a model would be completed from the hub."""
    return [name for name in _NEEDED if not (directory / name).is_file()]


def find_model(name: str, models: Path) -> Path | None:
    """The directory of a model on this machine, by its name or path; `models` is where `fetch_model` puts them."""
    named = Path(name).expanduser()
    places = [models / name] if name in REPOSITORIES else [named if named.is_absolute() else models / name, named]
    return next((place for place in places if not missing_files(place)), None)


def installed_models(models: Path) -> list[str]:
    """Names of the models in the directory `models`."""
    if not models.is_dir():
        return []
    found = (place for place in models.iterdir() if place.is_dir() and not place.name.startswith("."))
    return sorted(place.name for place in found if not missing_files(place))


async def fetch_model(
    name: str, models: Path, progress: Callable[[int, int], None], *, stall_s: float = _STALL_S
) -> Path:
    """Download a model into ``models/name`` and return that; `progress` gets bytes done and bytes in all.

    A model that is there already is left as it is. A failed or cancelled download leaves nothing behind. Raises
    NotFound for a name that there is not, Unavailable when the hub cannot be reached or does not have it,
    DeadlineExceeded when it falls silent, BadInput when the directory cannot be written.
    """
    if name not in REPOSITORIES:
        raise NotFound(f"there is no model {name!r}; there are {', '.join(REPOSITORIES)}")
    target = models / name
    if not missing_files(target):
        return target
    async with downloaded(REPOSITORIES[name], _FILES, models, progress, stall_s=stall_s) as unfinished:
        if missing := missing_files(unfinished):
            raise Unavailable(f"the hub's model {name} is not complete: it has no {missing[0]}")
        await asyncio.to_thread(_put, unfinished, target)
    return target


@asynccontextmanager
async def downloaded(
    repository: str,
    files: Sequence[str],
    models: Path,
    progress: Callable[[int, int], None],
    *,
    stall_s: float = _STALL_S,
) -> AsyncIterator[Path]:
    """A directory in `models` with those files of a repository; it is gone afterwards, unless it was moved.

    Raises as `fetch_model`.
    """
    unfinished = await asyncio.to_thread(_place, models)
    try:
        await _download(Fetch(repository, str(unfinished), list(files)), progress, stall_s)
        yield unfinished
    finally:
        await asyncio.to_thread(shutil.rmtree, unfinished, ignore_errors=True)


async def _download(request: Fetch, progress: Callable[[int, int], None], stall_s: float) -> None:
    # In a process of its own: the hub's client cannot be interrupted, a process can.
    worker = Worker("scriza_adapters.whisper.fetching:entry", name="model fetch")
    try:
        async with aclosing(worker.stream(request, Progress | Done, deadline=_WHOLE_S)) as replies:
            async with asyncio.timeout(stall_s) as patience:
                done = 0
                async for reply in replies:
                    if isinstance(reply, Progress):
                        progress(reply.done, reply.total)
                        if reply.done > done:
                            done = reply.done
                            patience.reschedule(asyncio.get_running_loop().time() + stall_s)
    except TimeoutError:
        raise DeadlineExceeded(f"the hub has sent nothing for {stall_s:g} s; try again later") from None
    finally:
        await worker.close()


def _place(models: Path) -> Path:
    try:
        models.mkdir(parents=True, exist_ok=True)
        for left in models.glob(f"{_UNFINISHED}*"):
            with suppress(FileNotFoundError):  # it has been finished meanwhile
                if time.time() - left.stat().st_mtime > _WHOLE_S:  # whoever fetched it was killed
                    shutil.rmtree(left, ignore_errors=True)
        return Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=models))
    except OSError as error:
        raise BadInput(f"{models} cannot be written: {error.strerror}") from error


def _put(unfinished: Path, target: Path) -> None:
    shutil.rmtree(unfinished / ".cache", ignore_errors=True)  # the hub client's own notes
    shutil.rmtree(target, ignore_errors=True)  # what is there is no model
    unfinished.chmod(0o755)
    unfinished.rename(target)
