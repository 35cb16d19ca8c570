"""``scriza models``: recognisers on this machine, and how one gets here."""

import argparse
import asyncio
import sys
from collections.abc import Callable

from scriza import data_dir
from scriza.factories import model_dir
from scriza.settings import load
from scriza_adapters.whisper.models import REPOSITORIES, fetch_model, installed_models

_BAR = 30
_MEGABYTE = 1_000_000


def run(told: argparse.Namespace) -> int:
    """Fetch a model, or list those that are here."""
    settings = load()
    directory = model_dir(settings, data_dir.prepare(settings.data_dir))
    if told.act == "fetch":
        fetched = asyncio.run(fetch_model(told.name, directory, _progress()))
        print(f"{told.name} is in {fetched}")
        if told.name != settings.asr_model:
            print(f"SCRIZA_ASR_MODEL={told.name} makes it the one that listens")
        return 0
    for name in installed_models(directory):
        print(name)
    missing = [name for name in REPOSITORIES if name not in installed_models(directory)]
    print(f"to be had by `scriza models fetch NAME`: {', '.join(missing)}", file=sys.stderr)
    return 0


def _progress() -> Callable[[int, int], None]:
    """A bar that grows on a terminal, a line for every tenth elsewhere."""
    terminal = sys.stderr.isatty()
    told = -1

    def progress(done: int, total: int) -> None:
        nonlocal told
        share = done / total if total else 0.0
        amount = f"{done / _MEGABYTE:.0f} of {total / _MEGABYTE:.0f} MB"
        if terminal:
            filled = int(share * _BAR)
            end = "\n" if done == total else ""
            print(f"\r[{'#' * filled}{' ' * (_BAR - filled)}] {amount}", end=end, file=sys.stderr, flush=True)
        elif int(share * 10) > told:
            told = int(share * 10)
            print(amount, file=sys.stderr, flush=True)

    return progress
