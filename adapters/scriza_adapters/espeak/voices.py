"""Which of espeak-ng's voices fits a locale, and how a tone sounds. Looks at file names; the library stays shut."""

import importlib.util
from functools import cache
from pathlib import Path

import msgspec

PACKAGE = "espeakng_loader"

_ENGLISH = "gmw/en-us"


class Manner(msgspec.Struct, frozen=True):
    """How fast (words a minute), how high and how lively (0 to 100, 50 is the voice's own)."""

    rate: int = 165
    pitch: int = 50
    intonation: int = 50


NEUTRAL = Manner()
TONES: dict[str, Manner] = {
    "friendly": Manner(168, 55, 62),
    "warm": Manner(158, 50, 58),
    "empathetic": Manner(152, 47, 52),
    "calm": Manner(150, 45, 42),
    "professional": Manner(165, 48, 46),
    "serious": Manner(156, 43, 40),
    "confident": Manner(170, 47, 52),
    "energetic": Manner(182, 57, 70),
    "enthusiastic": Manner(182, 58, 72),
    "urgent": Manner(188, 54, 56),
}

_RELATIVES = {
    "en-gb": "en-gb-x-rp",
    "en-ie": "en-gb-x-rp",
    "en-au": "en-gb-x-rp",
    "en-nz": "en-gb-x-rp",
    "en-za": "en-gb-x-rp",
    "en-in": "en",
    "en": "en-us",
    "en-ca": "en-us",
    "es-mx": "es-419",
    "es-us": "es-419",
    "es-ar": "es-419",
    "es-co": "es-419",
    "zh": "cmn",
    "no": "nb",
    "tl": "en-us",
    "fil": "en-us",
}
"""Locales that have no voice of their own name. There is none of Indian English: plain `en` is nearest."""


def installed() -> bool:
    """Whether espeak-ng can be started."""
    return _data() is not None


def manner(tone: str) -> Manner:
    """How a tone sounds; a tone that has no entry sounds neutral."""
    return TONES.get(tone.strip().lower(), NEUTRAL)


def voice_for(voice_id: str, locale: str) -> str:
    """espeak-ng's own name of the voice: `voice_id` if it is one of its voices, else the one that fits the locale.

    A `voice_id` of another engine therefore never keeps a call silent. A variant may follow a plus sign:
    ``en-us+f3``. A locale that no voice fits is read by the American English one.
    """
    languages, variants = _voices()
    name, _, variant = voice_id.partition("+")
    known = languages.get(name.rsplit("/", 1)[-1].lower()) if name else None
    if known is None:
        known = _by_locale(locale.replace("_", "-").lower(), languages)
        variant = "" if name else variant
    return f"{known}+{variants[variant.lower()]}" if variant.lower() in variants else known


def _by_locale(locale: str, languages: dict[str, str]) -> str:
    while locale:
        found = languages.get(_RELATIVES.get(locale, locale))
        if found:
            return found
        locale = locale.rpartition("-")[0]
    return languages.get("en-us", _ENGLISH)


@cache
def _data() -> Path | None:
    spec = importlib.util.find_spec(PACKAGE)
    directory = Path(spec.origin).parent / "espeak-ng-data" if spec and spec.origin else None
    return directory if directory and directory.is_dir() else None


@cache
def _voices() -> tuple[dict[str, str], dict[str, str]]:
    data = _data()
    if data is None:
        return {}, {}
    languages = {
        path.name.lower(): path.relative_to(data / "lang").as_posix()
        for path in (data / "lang").rglob("*")
        if path.is_file()
    }
    return languages, {path.name.lower(): path.name for path in (data / "voices" / "!v").iterdir()}
