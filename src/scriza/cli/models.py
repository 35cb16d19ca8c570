"""``scriza models``: the recognisers' models on this machine, and how one gets there."""

import argparse
import asyncio
import sys
import time
from pathlib import Path

from scriza import data_dir, logs
from scriza.factories import listening
from scriza.settings import load
from scriza_adapters.whisper.models import REPOSITORIES, fetch_model, installed_models

_SAY_EVERY_SECONDS = 2.0
"""Where nobody sees a line being rewritten."""


def run(told: argparse.Namespace) -> int:
    """Name the models on disk, or bring one."""
    settings = load()
    logs.configure(settings.log, "warning")
    folder = listening.model_dir(settings, data_dir.prepare(settings.data_dir))
    if told.act == "fetch":
        return _fetch(told.name, folder)
    installed = installed_models(folder)
    for name in installed:
        print(f"{name:<18} {folder / name}")
    for name in REPOSITORIES:
        if name not in installed:
            print(f"{name:<18} not here: scriza models fetch {name}")
    return 0


def _fetch(name: str, folder: Path) -> int:
    print(f"Fetching {name} into {folder}", flush=True)
    place = asyncio.run(fetch_model(name, folder, Progress()))
    print(f"\n{place} is ready: a Scriza that is started now listens with it (SCRIZA_ASR_MODEL={name}).")
    return 0


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
