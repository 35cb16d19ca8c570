"""What speaks."""

from scriza.modules.tts.service import TtsService
from scriza.ports.events import Teller
from scriza.ports.objects import Objects
from scriza.settings import BadSettings, Settings
from scriza.worker import Worker
from scriza_adapters.elevenlabs_tts import ElevenLabsEngine
from scriza_adapters.espeak.engine import EspeakEngine


def elevenlabs(settings: Settings) -> ElevenLabsEngine | None:
    """By the key, unless an engine is named."""
    key = settings.elevenlabs_api_key.get_secret_value()
    if settings.tts_engine == "elevenlabs" and not key:
        raise BadSettings("SCRIZA_TTS_ENGINE=elevenlabs needs ELEVENLABS_API_KEY")
    if not key or settings.tts_engine == "espeak":
        return None
    return ElevenLabsEngine(
        key,
        base_url=settings.elevenlabs_base_url,
        voice=settings.elevenlabs_voice,
        model=settings.elevenlabs_model,
    )


def tts(vendor: ElevenLabsEngine | None, espeak: Worker, objects: Objects, teller: Teller) -> TtsService:
    """The vendor's voice first; our own always stands behind it."""
    own = EspeakEngine(espeak)
    return TtsService([vendor, own] if vendor else [own], objects, teller)
