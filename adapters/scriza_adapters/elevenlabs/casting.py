"""Who speaks and how: the voice by locale and tone, the vendor's settings of a voice by tone."""

import msgspec

from scriza.ports.tts import Speak


class Manner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The vendor's settings of a voice: `speed` 1.0 is the voice's own, the others go from 0 to 1."""

    stability: float = 0.5
    similarity: float = 0.75
    speed: float = 1.0
    style: float = 0.0

    def __post_init__(self) -> None:
        if not all(0 <= value <= 1 for value in (self.stability, self.similarity, self.style)):
            raise ValueError("stability, similarity and style go from 0 to 1")
        if not 0.7 <= self.speed <= 1.2:
            raise ValueError("speed goes from 0.7 to 1.2")


NEUTRAL = Manner()
TONES: dict[str, Manner] = {
    "friendly": Manner(stability=0.42, speed=1.02),
    "warm": Manner(stability=0.45, speed=0.97),
    "empathetic": Manner(stability=0.5, speed=0.94),
    "calm": Manner(stability=0.7, speed=0.93),
    "professional": Manner(stability=0.6),
    "serious": Manner(stability=0.72, speed=0.96),
    "confident": Manner(stability=0.55, speed=1.03),
    "energetic": Manner(stability=0.32, speed=1.08),
    "enthusiastic": Manner(stability=0.3, speed=1.08),
    "urgent": Manner(stability=0.45, speed=1.12),
}
STOCK_VOICE = "EXAVITQu4vr4xnSDxMaL"
VOICES: dict[str, str] = {"en-gb": "Xb7hH8MSUJpSbSDYk0k2", "en-au": "IKne3meq5aSn9XLyUdCD"}
"""The vendor's stock voices of an accent, by locale."""


class Casting:
    """Chooses voice and manner.

    `voice` speaks where neither the request nor the tables name one. `voices` adds to the table by locale: keys are
    ``en-IN``, ``en``, or with a tone ``en-IN/calm``; the most telling key goes first. `tones` adds to the manners.
    `only` speaks whatever a request names: a voice that stands in for all others.
    """

    def __init__(
        self,
        voice: str = "",
        *,
        voices: dict[str, str] | None = None,
        tones: dict[str, Manner] | None = None,
        only: str = "",
    ) -> None:
        # A voice that somebody chose for all goes before the stock ones of an accent.
        table = ({} if voice else VOICES) | {_plain(key): named for key, named in (voices or {}).items()}
        self._voices = table
        self._default = voice or STOCK_VOICE
        self._tones = TONES | {_plain(tone): manner for tone, manner in (tones or {}).items()}
        self._only = only

    def voice(self, request: Speak) -> str:
        """The voice's id."""
        return self._only or request.voice_id or self._by_locale(request)

    def manner(self, request: Speak) -> Manner:
        """How the tone sounds; a tone without an entry sounds neutral."""
        return self._tones.get(_plain(request.tone), NEUTRAL)

    def _by_locale(self, request: Speak) -> str:
        locale, tone = _plain(request.locale), _plain(request.tone)
        language = locale.partition("-")[0]
        for key in (f"{locale}/{tone}", f"{language}/{tone}", locale, language):
            if named := self._voices.get(key):
                return named
        return self._default


def _plain(name: str) -> str:
    return name.strip().lower().replace("_", "-")
