"""Models of whisper.cpp on disk: single ggml files."""

from pathlib import Path

_MAGIC = b"lmgg"
"""`ggml` as a little-endian number."""


def find_ggml_model(name: str, models: Path) -> Path | None:
    """The file of a model on this machine: ``ggml-NAME.bin`` in the directory `models`, or a path."""
    named = Path(name).expanduser()
    places = [models / f"ggml-{name}.bin", named if named.is_absolute() else models / name, named]
    return next((place for place in places if place.is_file() and _is_model(place)), None)


def _is_model(file: Path) -> bool:
    with file.open("rb") as beginning:
        return beginning.read(len(_MAGIC)) == _MAGIC
