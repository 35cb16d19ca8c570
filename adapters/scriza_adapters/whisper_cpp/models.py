"""Models of whisper.cpp on disk: single ggml files, where they lie, and how one gets there."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from scriza.kernel.errors import NotFound, Unavailable
from scriza_adapters.whisper.models import downloaded

GGML_PREFIX = "ggml-"
REPOSITORY = "ggerganov/whisper.cpp"
"""Where whisper.cpp itself gets its models from."""

_NAMES = (
    "tiny.en", "tiny", "base.en", "base", "small.en", "small", "medium.en", "medium", "large-v3", "large-v3-turbo",
    "base.en-q5_1", "base-q5_1", "small.en-q5_1", "small-q5_1", "large-v3-turbo-q5_0",
)  # fmt: skip
_MAGIC = b"lmgg"
"""`ggml` as a little-endian number."""


def ggml_names() -> list[str]:
    """Models that can be fetched, by the names of their files."""
    return [GGML_PREFIX + name for name in _NAMES]


def find_ggml_model(name: str, models: Path) -> Path | None:
    """The file of a model on this machine: ``ggml-NAME.bin`` in the directory `models`, or a path."""
    named = Path(name).expanduser()
    places = [_file(name, models), named if named.is_absolute() else models / name, named]
    return next((place for place in places if place.is_file() and _is_model(place)), None)


def installed_ggml_models(models: Path) -> list[str]:
    """Names of the models in the directory `models`, as `ggml_names` gives them."""
    return sorted(file.stem for file in models.glob(f"{GGML_PREFIX}*.bin") if _is_model(file))


async def fetch_ggml_model(name: str, models: Path, progress: Callable[[int, int], None]) -> Path:
    """Download a model into ``models/ggml-NAME.bin`` and return that; `name` may have the prefix already.

    A model that is there already is left as it is. Raises as `whisper.models.fetch_model`.
    """
    if _file(name, models).stem not in ggml_names():
        raise NotFound(f"there is no model {name!r}; there are {', '.join(ggml_names())}")
    target = _file(name, models)
    if target.is_file() and _is_model(target):
        return target
    async with downloaded(REPOSITORY, [target.name], models, progress) as folder:
        if not await asyncio.to_thread(_put, folder / target.name, target):
            raise Unavailable(f"the hub's file {target.name} is no model of whisper.cpp")
    return target


def _put(file: Path, target: Path) -> bool:
    if not (file.is_file() and _is_model(file)):
        return False
    file.replace(target)
    return True


def _file(name: str, models: Path) -> Path:
    return models / f"{GGML_PREFIX}{name.removeprefix(GGML_PREFIX)}.bin"


def _is_model(file: Path) -> bool:
    with file.open("rb") as beginning:
        return beginning.read(len(_MAGIC)) == _MAGIC
