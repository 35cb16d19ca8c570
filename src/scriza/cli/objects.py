"""``scriza objects``: the store of clips and recordings, made ready and tried out."""

import argparse
import asyncio
from collections.abc import AsyncIterator

from scriza import data_dir, logs
from scriza.factories import storage
from scriza.settings import Settings, load
from scriza_adapters.object_setup import Lifetimes, Step
from scriza_adapters.objects_directory import DirectoryObjects


def run(told: argparse.Namespace) -> int:
    """Print what was done; 1 when the store cannot be used."""
    settings = load()
    logs.configure(settings.log, "error")
    return asyncio.run(_report(settings))


async def _report(settings: Settings) -> int:
    bad = False
    async for step in prepared(settings):
        bad = bad or step.verdict == "bad"
        print(f"{step.verdict:<5} {step.text}", flush=True)
    return int(bad)


async def prepared(settings: Settings) -> AsyncIterator[Step]:
    """Make the configured store ready; what comes is what was done or found. Raises BadSettings."""
    folder = data_dir.prepare(settings.data_dir)
    objects = storage.objects(settings, data_dir.secrets_of(settings, folder), folder)
    try:
        if isinstance(objects, DirectoryObjects):
            yield Step("ok", f"objects are kept in {folder / 'objects'}: there is nothing to set up")
            return
        from scriza_adapters.objects_s3.setup import prepare

        lifetimes = Lifetimes(clips=settings.tts_cache_days, recordings=settings.recording_days)
        async for step in prepare(objects, lifetimes):
            yield step
    finally:
        await objects.close()
