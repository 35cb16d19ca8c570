"""What speaks."""

from datetime import timedelta
from pathlib import Path

import msgspec

from scriza.modules.tts.call_clips import CallClips
from scriza.modules.tts.engine import Engine
from scriza.modules.tts.pronunciation import Pronunciation
from scriza.modules.tts.service import TtsService
from scriza.ports.events import Teller
from scriza.ports.objects import Objects
from scriza.settings import BadSettings, Settings
from scriza.worker import Worker
from scriza_adapters.elevenlabs.casting import Casting, Manner
from scriza_adapters.elevenlabs.client import ElevenLabs
from scriza_adapters.elevenlabs.engine import ElevenLabsEngine
from scriza_adapters.elevenlabs.order import Dictionary
from scriza_adapters.espeak.engine import EspeakEngine

_MOST_DICTIONARIES = 3


class VoicesFile(msgspec.Struct, forbid_unknown_fields=True):
    """What SCRIZA_TTS_VOICES_FILE may hold."""

    voices: dict[str, str] = {}
    tones: dict[str, Manner] = {}
    pronunciation: dict[str, str] = {}


def voices_file(settings: Settings) -> VoicesFile:
    """The file's tables; empty ones without a file. Raises BadSettings."""
    if not settings.tts_voices_file:
        return VoicesFile()
    try:
        return msgspec.toml.decode(Path(settings.tts_voices_file).read_bytes(), type=VoicesFile)
    except OSError as error:
        raise BadSettings(f"SCRIZA_TTS_VOICES_FILE cannot be read: {error.strerror}") from error
    except (msgspec.MsgspecError, ValueError) as error:
        raise BadSettings(f"SCRIZA_TTS_VOICES_FILE: {error}") from error


def elevenlabs(settings: Settings) -> ElevenLabs | None:
    """By the key, unless an engine is named."""
    key = settings.elevenlabs_api_key.get_secret_value()
    if settings.tts_engine == "elevenlabs" and not key:
        raise BadSettings("SCRIZA_TTS_ENGINE=elevenlabs needs ELEVENLABS_API_KEY")
    if not key or settings.tts_engine == "espeak":
        return None
    return ElevenLabs(key, base_url=settings.elevenlabs_base_url, way=settings.elevenlabs_streaming)


def oldest_clip(settings: Settings) -> timedelta:
    """So long a clip is good."""
    return timedelta(days=settings.tts_cache_days)


def tts(
    settings: Settings,
    vendor: ElevenLabs | None,
    espeak: Worker,
    objects: Objects,
    teller: Teller,
    call_clips: CallClips | None = None,
) -> TtsService:
    """The vendor's voice first, then its second one; our own always stands behind them."""
    file = voices_file(settings)
    engines: list[Engine] = [EspeakEngine(espeak)]
    if vendor:
        engines = [*_vendors(settings, vendor, file), *engines]
    try:
        pronunciation = Pronunciation(file.pronunciation)
    except ValueError as error:
        raise BadSettings(f"SCRIZA_TTS_VOICES_FILE: {error}") from error
    prices = {"espeak": 0} | ({"elevenlabs": settings.elevenlabs_price} if settings.elevenlabs_price else {})
    return TtsService(
        engines,
        objects,
        teller,
        pronunciation=pronunciation,
        oldest_clip=oldest_clip(settings),
        prices=prices,
        call_clips=call_clips,
    )


def _vendors(settings: Settings, vendor: ElevenLabs, file: VoicesFile) -> list[Engine]:
    dictionaries = _dictionaries(settings)
    casting = Casting(settings.elevenlabs_voice, voices=file.voices, tones=file.tones)
    first = ElevenLabsEngine(
        vendor,
        casting,
        model=settings.elevenlabs_model,
        dictionaries=dictionaries,
        prosody=settings.elevenlabs_prosody,
    )
    voice, model = settings.elevenlabs_second_voice, settings.elevenlabs_second_model
    if not voice and not model:
        return [first]
    second = ElevenLabsEngine(
        vendor,
        Casting(only=voice, tones=file.tones) if voice else casting,
        model=model or settings.elevenlabs_model,
        dictionaries=dictionaries,
        prosody=settings.elevenlabs_prosody,
        name="elevenlabs-second",
    )
    return [first, second]


def _dictionaries(settings: Settings) -> list[Dictionary]:
    named = [entry.strip() for entry in settings.elevenlabs_dictionaries.split(",") if entry.strip()]
    if len(named) > _MOST_DICTIONARIES:
        raise BadSettings(f"ELEVENLABS_DICTIONARIES names more than {_MOST_DICTIONARIES}")
    parts = [entry.partition(":") for entry in named]
    return [Dictionary(name, version) for name, _, version in parts]
