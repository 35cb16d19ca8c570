"""Who speaks at ElevenLabs and how, by locale and tone."""

import msgspec
import pytest

from scriza.ports.tts import Speak
from scriza_adapters.elevenlabs.casting import NEUTRAL, STOCK_VOICE, TONES, VOICES, Casting, Manner


def voice(casting: Casting, locale: str = "en-US", tone: str = "", voice_id: str = "") -> str:
    return casting.voice(Speak("text", voice_id=voice_id, tone=tone, locale=locale))


def test_a_voice_that_is_named_speaks() -> None:
    assert voice(Casting("mine", voices={"en": "table"}), voice_id="named") == "named"


def test_a_locale_has_a_voice_of_its_accent() -> None:
    assert [voice(Casting(), locale) for locale in ("en-GB", "en_gb", "en-US", "hi-IN")] == [
        VOICES["en-gb"],
        VOICES["en-gb"],
        STOCK_VOICE,
        STOCK_VOICE,
    ]


def test_the_voice_chosen_for_all_goes_before_stock_voices_and_after_the_table() -> None:
    casting = Casting("mine", voices={"en-IN": "indian"})
    assert [voice(casting, locale) for locale in ("en-GB", "en-IN", "de-DE")] == ["mine", "indian", "mine"]


def test_the_most_telling_entry_of_the_table_goes_first() -> None:
    casting = Casting(voices={"en-IN/calm": "a", "en/calm": "b", "en-IN": "c", "en": "d"})
    asked = [("en-IN", "calm"), ("en-GB", " Calm "), ("en-IN", "urgent"), ("en-US", "urgent")]
    assert [voice(casting, locale, tone) for locale, tone in asked] == ["a", "b", "c", "d"]


def test_a_voice_that_stands_in_for_all_speaks_whatever_is_named() -> None:
    assert voice(Casting("mine", only="stand-in"), voice_id="named") == "stand-in"


def test_a_tone_has_a_manner_and_the_table_may_change_it() -> None:
    casting = Casting(tones={"Calm": Manner(speed=0.8)})
    manners = [casting.manner(Speak("text", tone=tone)) for tone in ("calm", " WARM ", "unheard of", "")]
    assert manners == [Manner(speed=0.8), TONES["warm"], NEUTRAL, NEUTRAL]


@pytest.mark.parametrize("settings", ["stability = 2", "speed = 0.5", "similarity = -1", "style = 1.1", "pitch = 1"])
def test_settings_that_the_vendor_would_refuse_are_refused_at_once(settings: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.toml.decode(settings, type=Manner)
