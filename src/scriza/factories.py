"""From settings to objects: one function for each thing that settings decide about. The container wires them."""

from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from scriza.data_dir import Secrets
from scriza.kernel.errors import Unavailable
from scriza.modules.agent.playbook import sample_playbook
from scriza.modules.agent.service import AgentService
from scriza.modules.asr.engine import Engine as Recogniser
from scriza.modules.llm.service import LlmService
from scriza.modules.telephony.live.session import SessionOptions
from scriza.modules.telephony.signatures import SignatureGate, SigningKeys, socket_url
from scriza.modules.telephony.turns.adaptive_silence import AdaptiveSilence
from scriza.modules.telephony.turns.endpointing import Endpointer
from scriza.modules.telephony.turns.fixed_silence import FixedSilence
from scriza.modules.telephony.turns.limits import Limits
from scriza.modules.telephony.twiml import Twiml
from scriza.modules.telephony.vad import EnergyVad, VadFactory
from scriza.modules.tts.service import TtsService
from scriza.ports.events import Teller
from scriza.ports.llm import Llm
from scriza.ports.objects import Objects
from scriza.settings import SIMULATED_ACCOUNT, SIMULATED_CARRIER_URL, BadSettings, Settings
from scriza.worker import Worker
from scriza_adapters.elevenlabs_tts import ElevenLabsEngine
from scriza_adapters.espeak.engine import EspeakEngine
from scriza_adapters.mongo.store import StoreOptions
from scriza_adapters.objects_directory import DirectoryObjects
from scriza_adapters.openai_llm import OpenAiEngine
from scriza_adapters.silero_vad import SileroModel
from scriza_adapters.sphinx.engine import PocketsphinxEngine
from scriza_adapters.twilio_carrier import TwilioCarrier
from scriza_adapters.whisper.engine import WhisperEngine
from scriza_adapters.whisper.models import REPOSITORIES, find_model

if TYPE_CHECKING:
    from scriza_adapters.objects_s3 import S3Objects

_log = structlog.get_logger()


def store_options(settings: Settings, data_dir: Path) -> StoreOptions:
    """Where the store is."""
    return StoreOptions(data_dir, url=settings.mongo_url.get_secret_value(), database=settings.mongo_database)


def objects(settings: Settings, secrets: Secrets, data_dir: Path) -> "DirectoryObjects | S3Objects":
    """Where clips are kept. The S3 client is imported only where it is used: it takes half a second."""
    if settings.objects_url:
        from scriza_adapters.objects_s3 import S3Objects

        try:
            return S3Objects(settings.objects_url)
        except ValueError as error:
            raise BadSettings(f"SCRIZA_OBJECTS_URL: {error}") from error
    return DirectoryObjects(data_dir / "objects", url=settings.public_url, key=secrets.objects_key)


def llm(settings: Settings, teller: Teller) -> LlmService:
    """By the key, unless an engine is named."""
    key = settings.openai_api_key.get_secret_value()
    if settings.llm_engine == "openai" and not key:
        raise BadSettings("SCRIZA_LLM_ENGINE=openai needs OPENAI_API_KEY")
    wanted = key and settings.llm_engine != "playbook"
    return LlmService(
        teller,
        engine=OpenAiEngine(key, base_url=settings.openai_base_url) if wanted else None,
        critical=settings.openai_model_critical,
        cheap=settings.openai_model_cheap,
        cache_ttl_s=settings.llm_cache_ttl_seconds,
    )


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


def model_dir(settings: Settings, data_dir: Path) -> Path:
    """Where `scriza models fetch` puts models, and where they are looked for by name."""
    return Path(settings.asr_model_dir).expanduser() if settings.asr_model_dir else data_dir / "models"


def recogniser(settings: Settings, data_dir: Path) -> Recogniser:
    """By the model on disk, unless an engine is named; real callers are not left to the one for demos by chance."""
    name, places = settings.asr_model, settings.asr_workers
    model = find_model(name, model_dir(settings, data_dir))
    if model is not None and settings.asr_engine != "pocketsphinx":
        return WhisperEngine(model, places=places)
    cure = f"`scriza models fetch {name}` brings it" if name in REPOSITORIES else "set SCRIZA_ASR_MODEL to another one"
    missing = f"the model {name} is not on this machine: {cure}"
    if settings.asr_engine == "faster-whisper":
        raise BadSettings(f"SCRIZA_ASR_ENGINE=faster-whisper: {missing}")
    if settings.asr_engine == "auto" and settings.twilio_account_sid:
        raise BadSettings(
            f"there is no recogniser for real callers, {missing}; or have the one for demos, which knows the "
            "playbook's phrases only, by SCRIZA_ASR_ENGINE=pocketsphinx"
        )
    _log.warning("asr.for_demos_only", engine="pocketsphinx", knows="the playbook's phrases, in English")
    return PocketsphinxEngine(places)


def agent(settings: Settings, llm: Llm) -> AgentService:
    """With the playbook that comes with Scriza."""
    return AgentService(llm, [sample_playbook()], transfer_to=settings.transfer_to)


def signature_gate(settings: Settings, secrets: Secrets) -> SignatureGate:
    """Checks what Twilio, or the simulator, has signed."""
    other = settings.twilio_auth_token_secondary.get_secret_value()
    pairs = settings.twilio_shared_keys.get_secret_value().split(",")
    shared = {name.strip(): key.strip() for name, _, key in (pair.partition("=") for pair in pairs) if name.strip()}
    if not all(shared.values()):
        raise BadSettings("TWILIO_SHARED_KEYS: write ID=SECRET, separated by commas")
    return SignatureGate(
        SigningKeys((secrets.twilio_auth_token, other) if other else (secrets.twilio_auth_token,), shared),
        public_url=settings.public_url,
        stream_url=settings.stream_url,
        mode=settings.signatures,
    )


def twiml(settings: Settings) -> Twiml:
    """Leads Twilio back to this Scriza."""
    return Twiml(
        public_url=settings.public_url,
        stream_url=settings.stream_url or socket_url(settings.public_url),
        carried_in=settings.stream_token,
    )


def carrier(settings: Settings, secrets: Secrets) -> TwilioCarrier:
    """Twilio with an account; without one there is nobody to ask but the simulator."""
    account = settings.twilio_account_sid
    if account and not settings.twilio_auth_token:
        raise BadSettings("TWILIO_ACCOUNT_SID needs TWILIO_AUTH_TOKEN")
    base_url = settings.twilio_base_url or ("" if account else SIMULATED_CARRIER_URL)
    return TwilioCarrier(account or SIMULATED_ACCOUNT, secrets.twilio_auth_token, base_url=base_url)


def vad(settings: Settings) -> VadFactory:
    """One model for all calls. Loading it takes a moment. Raises Unavailable when the named one cannot run."""
    if settings.vad == "energy":
        return EnergyVad
    try:
        return SileroModel().vad
    except Unavailable as error:
        if settings.vad == "silero":
            raise
        _log.warning("vad.energy_only", reason=error.detail)
        return EnergyVad


def endpointer(settings: Settings) -> Endpointer:
    """The policy of one call."""
    return FixedSilence(settings.endpoint_silence_ms) if settings.endpointing == "fixed" else AdaptiveSilence()


def session_options(settings: Settings) -> SessionOptions:
    """How every call is led."""
    limits = Limits(
        opening_on_wire=settings.opening_on_wire_ms,
        first_words=settings.first_words_ms,
        silence=settings.silence_ms,
        words=settings.words_ms,
        digits=settings.digits_ms,
        longest_call=settings.longest_call_ms,
        longest_turn=settings.longest_turn_ms,
        failures=settings.most_failures,
    )
    return SessionOptions(limits=limits, speculate=settings.speculation)
