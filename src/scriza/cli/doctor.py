"""``scriza doctor``: is everything there that this configuration needs? One line each, with what to do about it."""

import argparse
import asyncio
import os
import platform
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from scriza import data_dir, logs
from scriza.cli.finding import Finding
from scriza.cli.provider_checks import provider_findings
from scriza.factories import listening, speaking, storage, thinking
from scriza.kernel.errors import ScrizaError
from scriza.places import place
from scriza.settings import MODULES, BadSettings, Settings, load, references, unknown_variables
from scriza_adapters.espeak.engine import EspeakEngine, espeak_worker
from scriza_adapters.mongo.parking import parked
from scriza_adapters.mongo.store import open_store

_OLDEST, _NEWEST = (3, 11), (3, 13)


def run(told: argparse.Namespace) -> int:
    """Print the findings; 1 when one of them is bad."""
    try:
        settings = load()
    except BadSettings as error:
        if not (places := references()):
            raise
        for name, reference in places.items():
            print(f"note  secret       {name} is to be read from {reference}")
        print(f"bad   settings     {error}")
        return 1
    logs.configure(settings.log, "error")
    return asyncio.run(_report(settings))


async def _report(settings: Settings) -> int:
    bad = False
    async for finding in examine(settings):
        bad = bad or finding.verdict == "bad"
        print(f"{finding.verdict:<5} {finding.what:<12} {finding.text}", flush=True)
    return int(bad)


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """All findings, the quick ones first."""
    yield _python()
    for name in unknown_variables():
        yield Finding("note", "settings", f"{name} is set, but Scriza has no such setting")
    for name, reference in references().items():
        yield Finding("ok", "secret", f"{name} is read from {reference}")
    folder, finding = _data_dir(settings)
    yield finding
    if folder is not None:
        async for finding in _store(settings, folder):
            yield finding
        yield await _asr(settings, folder)
    yield _port(settings)
    yield _public_url(settings)
    yield _twilio(settings)
    yield _llm(settings)
    yield await _tts(settings)
    if folder is not None:
        async for finding in provider_findings(settings, folder):
            yield finding
    for module in MODULES:
        if place(settings, module) == "remote":
            yield await _remote(settings, module, folder)


def _python() -> Finding:
    version = platform.python_version()
    good = _OLDEST <= sys.version_info[:2] <= _NEWEST
    return Finding("ok" if good else "bad", "python", version if good else f"{version}; Scriza takes 3.11 to 3.13")


def _data_dir(settings: Settings) -> tuple[Path | None, Finding]:
    try:
        folder = data_dir.prepare(settings.data_dir)
        data_dir.secrets_of(settings, folder)
    except ScrizaError as error:
        return None, Finding("bad", "data", str(error))
    return folder, Finding("ok", "data", str(folder))


async def _store(settings: Settings, folder: Path) -> AsyncIterator[Finding]:
    options = storage.store_options(settings, folder)
    try:
        async with open_store(options, []) as store:
            await store.ping()
            failed = len(await parked(store.database))
    except ScrizaError as error:
        yield Finding("bad", "store", str(error))
        return
    yield Finding("ok", "store", "MongoDB answers" if options.url else "the embedded store starts and answers")
    if failed:
        yield Finding("note", "events", f"{failed} could not be dealt with: `scriza events parked` lists them")


def _port(settings: Settings) -> Finding:
    try:
        socket.create_server((settings.host, settings.port)).close()
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        return Finding("note", "port", f"{settings.host}:{settings.port}: {reason} (a running Scriza, perhaps)")
    return Finding("ok", "port", f"{settings.host}:{settings.port} is free")


def _public_url(settings: Settings) -> Finding:
    url = urlsplit(settings.public_url)
    if url.scheme == "https":
        return Finding("ok", "public URL", settings.public_url)
    text = f"{settings.public_url}: the simulator reaches it, Twilio takes https only (SCRIZA_PUBLIC_URL)"
    return Finding("bad" if settings.twilio_account_sid else "note", "public URL", text)


def _twilio(settings: Settings) -> Finding:
    if not settings.twilio_account_sid:
        return Finding("note", "Twilio", "no account is set: calls come from the simulator, `scriza call`")
    if not settings.twilio_auth_token:
        return Finding("bad", "Twilio", "TWILIO_ACCOUNT_SID is set, TWILIO_AUTH_TOKEN is not")
    return Finding("ok", "Twilio", "account and token are set")


def _llm(settings: Settings) -> Finding:
    if place(settings, "llm") == "remote":
        return Finding("ok", "thinking", "in another process")
    try:
        servers = thinking.servers(settings)
    except ScrizaError as error:
        return Finding("bad", "thinking", str(error))
    if servers is None:
        return Finding("note", "thinking", "answers come from the playbook; OPENAI_API_KEY brings a language model")
    models = zip((settings.openai_model_critical, settings.openai_model_cheap), servers, strict=True)
    return Finding("ok", "thinking", ", ".join(f"{model} at {server.url or 'OpenAI'}" for model, server in models))


async def _asr(settings: Settings, folder: Path) -> Finding:
    if place(settings, "asr") == "remote":
        return Finding("ok", "listening", "in another process")
    try:
        engine = listening.recogniser(settings, folder)
        if engine.name == "pocketsphinx":
            text = f"pocketsphinx, for demos; `scriza models fetch {settings.asr_model}` brings a real recogniser"
            return Finding("note", "listening", text)
        try:
            await engine.warm_up()
        finally:
            await engine.close()
    except ScrizaError as error:
        return Finding("bad", "listening", str(error))
    return Finding("ok", "listening", f"{engine.name} hears with the model {settings.asr_model}")


async def _tts(settings: Settings) -> Finding:
    if place(settings, "tts") == "remote":
        return Finding("ok", "speaking", "in another process")
    try:
        vendor = speaking.elevenlabs(settings)
    except ScrizaError as error:
        return Finding("bad", "speaking", str(error))
    worker = espeak_worker()
    try:
        await EspeakEngine(worker).warm_up()
    except ScrizaError as error:
        return Finding("note" if vendor else "bad", "speaking", f"espeak-ng does not work: {error}")
    finally:
        await worker.close()
    if vendor:
        return Finding("ok", "speaking", "ElevenLabs, with espeak-ng behind it")
    return Finding("note", "speaking", "espeak-ng works; ELEVENLABS_API_KEY brings a better voice")


async def _remote(settings: Settings, module: str, folder: Path | None) -> Finding:
    """Whether it is there and ready, and lets us in: `/metrics` is behind the token wherever Scriza runs."""
    url = settings.url_of(module)
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=3) as client:
            answer = await client.get(f"{url}/health/ready")
            if answer.status_code != httpx.codes.OK:
                return Finding("bad", module, f"{url} is not ready: {answer.status_code}")
            if folder is not None:
                token = data_dir.secrets_of(settings, folder).service_token
                answer = await client.get(f"{url}/metrics", headers={"authorization": f"Bearer {token}"})
    except (httpx.TransportError, httpx.InvalidURL):
        return Finding("bad", module, f"nothing answers at {url}")
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        return Finding("bad", module, f"{url} has another token: set SCRIZA_SERVICE_TOKEN to the same for both")
    return Finding("ok", module, f"{url} is ready")
