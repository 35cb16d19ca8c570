"""What `scriza doctor` asks of each provider that is configured: does it answer, and does it accept our key?"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from scriza import data_dir
from scriza.cli.finding import Finding
from scriza.factories import calling, speaking, storage, thinking
from scriza.kernel.errors import NotFound, ScrizaError
from scriza.places import place
from scriza.settings import Settings
from scriza_adapters.openai.engine import OpenAiEngine
from scriza_adapters.twilio.carrier import TwilioCarrier

_PATIENCE_S = 8.0


async def provider_findings(settings: Settings, folder: Path) -> AsyncIterator[Finding]:
    """One finding for each provider, in the order of a call. Nothing is changed or paid for."""
    secrets = data_dir.secrets_of(settings, folder)
    if settings.twilio_account_sid and settings.twilio_auth_token:
        carrier = calling.carrier(settings, secrets)
        account = await _asked("Twilio", "the account is active", "TWILIO_ACCOUNT_SID", carrier.check, carrier.close)
        yield account
        if account.verdict == "ok":
            yield await _numbers(settings, calling.carrier(settings, secrets))
    if place(settings, "llm") == "local":
        for server in dict.fromkeys(_servers(settings)):
            engine = OpenAiEngine(server.key, base_url=server.url, key_name=server.key_name)
            good = f"{server.url or 'OpenAI'} accepts {server.key_name}"
            yield await _asked("thinking", good, server.key_name, engine.warm_up, engine.close)
    if place(settings, "tts") == "local" and (vendor := speaking.elevenlabs(settings)):
        yield await _asked("speaking", "ElevenLabs accepts its key", "ELEVENLABS_API_KEY", vendor.warm_up, vendor.close)
    if settings.objects_url:
        objects = storage.objects(settings, secrets, folder)

        async def look() -> None:
            with suppress(NotFound):  # of an object that nobody has put; a bucket that is not there is told otherwise
                await objects.get("doctor/probe")

        yield await _asked("objects", "the bucket answers", "SCRIZA_OBJECTS_URL", look, objects.close)
    if settings.redis_url:
        shared = storage.shared_state(settings)
        yield await _asked("Redis", "it answers", "SCRIZA_REDIS_URL", lambda: shared.get("doctor"), shared.close)


async def _numbers(settings: Settings, carrier: TwilioCarrier) -> Finding:
    """Whether anybody's call can get here."""
    leading: list[str] = []

    async def look() -> None:
        found = await carrier.numbers()
        leading.extend(number.number for number in found if number.voice_url == f"{settings.public_url}/voice")

    finding = await _asked("numbers", "", "TWILIO_ACCOUNT_SID", look, carrier.close)
    if finding.verdict == "bad":
        return finding
    if not leading:
        return Finding("note", "numbers", "none of the account's numbers leads here: scriza twilio connect")
    return Finding("ok", "numbers", f"leading here: {', '.join(leading)}")


def _servers(settings: Settings) -> tuple[thinking.Server, ...]:
    try:
        return thinking.servers(settings) or ()
    except ScrizaError:
        return ()  # told already, as a setting that cannot be used


async def _asked(
    what: str, good: str, named: str, ask: Callable[[], Awaitable[object]], close: Callable[[], Awaitable[None]]
) -> Finding:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await ask()
    except ScrizaError as error:
        text = error.detail or error.title
        return Finding("bad", what, text if named in text else f"{text} ({named})")
    except TimeoutError:
        return Finding("bad", what, f"no answer within {_PATIENCE_S:g} s ({named})")
    finally:
        await close()
    return Finding("ok", what, good)
