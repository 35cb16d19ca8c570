"""``scriza models``: the recognisers' models on this machine, how one gets there, and how well one hears."""

import argparse
import asyncio
import sys
import time
from pathlib import Path

from scriza import data_dir, logs
from scriza.audio.mulaw import SAMPLE_RATE
from scriza.factories import listening
from scriza.kernel.errors import BadInput
from scriza.settings import load
from scriza_adapters.whisper.models import REPOSITORIES, fetch_model, installed_models
from scriza_adapters.whisper_cpp.models import GGML_PREFIX, fetch_ggml_model, ggml_names, installed_ggml_models

_SAY_EVERY_SECONDS = 2.0
"""Where nobody sees a line being rewritten."""


def run(told: argparse.Namespace) -> int:
    """Name the models on disk, bring one, or have recordings understood."""
    settings = load()
    logs.configure(settings.log, "warning")
    data = data_dir.prepare(settings.data_dir)
    folder = listening.model_dir(settings, data)
    if told.act == "fetch":
        return _fetch(told.name, folder)
    if told.act == "check":
        return _check(told, data)
    installed = {name: folder / name for name in installed_models(folder)}
    installed |= {name: folder / f"{name}.bin" for name in installed_ggml_models(folder)}
    for name, place in installed.items():
        print(f"{name:<24} {place}")
    for name in [*REPOSITORIES, *ggml_names()]:
        if name not in installed:
            print(f"{name:<24} not here: scriza models fetch {name}")
    return 0


def _fetch(name: str, folder: Path) -> int:
    print(f"Fetching {name} into {folder}", flush=True)
    if name.startswith(GGML_PREFIX):
        place = asyncio.run(fetch_ggml_model(name, folder, Progress()))
        setting = f"SCRIZA_ASR_ENGINE=whisper-cpp, SCRIZA_ASR_MODEL={name.removeprefix(GGML_PREFIX)}"
    else:
        place = asyncio.run(fetch_model(name, folder, Progress()))
        setting = f"SCRIZA_ASR_MODEL={name}"
    print(f"\n{place} is ready: a Scriza that is started now listens with it ({setting}).")
    return 0


def _check(told: argparse.Namespace, data: Path) -> int:
    from scriza.cli.listening_check import check, recordings, report, variants

    settings = variants(told.setting)
    recorded = recordings(Path(told.recordings).expanduser())
    seconds = sum(len(recording.samples) for recording in recorded) / SAMPLE_RATE
    print(f"{len(recorded)} recordings, {seconds:.0f} s of audio, as it comes over the phone", flush=True)
    phrases = _lines(Path(told.phrases)) if told.phrases else []
    print(report(asyncio.run(check(recorded, settings, data, told.language, phrases))))
    return 0


def _lines(file: Path) -> list[str]:
    try:
        return [line.strip() for line in file.read_text("utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{file} cannot be read: {error}") from error


class Progress:
    """Shows how far a download is: on a terminal in one line, elsewhere in a line every two seconds."""

    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty()
        self._next = 0.0

    def __call__(self, done: int, total: int) -> None:
        """`done` of `total` bytes are here."""
        now = time.monotonic()
        if now < self._next and done < total:
            return
        self._next = now + (0.1 if self._terminal else _SAY_EVERY_SECONDS)
        share = f" ({done * 100 // total} %)" if total else ""
        text = f"{done / 1e6:.0f} of {total / 1e6:.0f} MB{share}"
        print(f"\r{text}" if self._terminal else text, end="" if self._terminal else "\n", flush=True)
