"""What listens."""

from importlib.util import find_spec
from pathlib import Path

import structlog

from scriza.kernel.errors import Unavailable
from scriza.modules.asr.engine import Engine as Recogniser
from scriza.modules.telephony.vad import EnergyVad, VadFactory
from scriza.settings import BadSettings, Settings
from scriza_adapters.silero_vad import SileroModel
from scriza_adapters.sphinx.engine import PocketsphinxEngine
from scriza_adapters.whisper.engine import WhisperEngine, WhisperOptions
from scriza_adapters.whisper.models import REPOSITORIES, find_model
from scriza_adapters.whisper_cpp.engine import WhisperCppEngine
from scriza_adapters.whisper_cpp.models import find_ggml_model, ggml_names

_log = structlog.get_logger()


def model_dir(settings: Settings, data_dir: Path) -> Path:
    """Where `scriza models fetch` puts models, and where they are looked for by name."""
    return Path(settings.asr_model_dir).expanduser() if settings.asr_model_dir else data_dir / "models"


def recogniser(settings: Settings, data_dir: Path) -> Recogniser:
    """By the model on disk, unless an engine is named; real callers are not left to the one for demos by chance."""
    if settings.asr_engine == "whisper-cpp":
        return _whisper_cpp(settings, model_dir(settings, data_dir))
    name = settings.asr_model
    model = find_model(name, model_dir(settings, data_dir))
    if model is not None and settings.asr_engine != "pocketsphinx":
        return WhisperEngine(model, _options(settings))
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
    return PocketsphinxEngine(settings.asr_workers)


def _whisper_cpp(settings: Settings, models: Path) -> Recogniser:
    name = settings.asr_model
    model = find_ggml_model(name, models)
    if model is None:
        cure = f"`scriza models fetch ggml-{name}` brings it" if f"ggml-{name}" in ggml_names() else "put it there"
        raise BadSettings(f"SCRIZA_ASR_ENGINE=whisper-cpp: there is no model {models}/ggml-{name}.bin: {cure}")
    if find_spec("_pywhispercpp") is None:
        raise BadSettings("SCRIZA_ASR_ENGINE=whisper-cpp needs whisper.cpp: pip install 'scriza[whisper-cpp]'")
    return WhisperCppEngine(
        model, places=settings.asr_workers, threads=settings.asr_threads, window_s=settings.asr_window_seconds
    )


def _options(settings: Settings) -> WhisperOptions:
    return WhisperOptions(
        places=settings.asr_workers,
        device=settings.asr_device,
        compute_type=settings.asr_compute_type,
        threads=settings.asr_threads,
        window_s=settings.asr_window_seconds,
    )


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
