"""pocketsphinx in its worker process, hearing espeak-ng over a mu-law line."""

from collections.abc import AsyncIterator

import numpy as np
import pytest

from scriza.audio import mulaw
from scriza.audio.mulaw import Samples
from scriza.kernel.errors import BadInput
from scriza_adapters.espeak.engine import EspeakVoice, espeak_worker
from scriza_adapters.espeak.voices import installed
from scriza_adapters.sphinx.engine import PocketsphinxEngine

PHRASES = [
    "how much does it cost per month", "that is too expensive", "i am not interested", "who are you",
    "what does it do", "yes please", "tomorrow afternoon works", "can i book a demo", "send me an email",
    "i am busy right now", "thank you goodbye", "do you have a free trial", "is my data safe",
]  # fmt: skip

pytestmark = [
    pytest.mark.skipif(not installed(), reason="speaking needs espeakng-loader (pip install 'scriza[embedded]')"),
    pytest.mark.xdist_group("sphinx"),
]


@pytest.fixture
async def voice() -> AsyncIterator[EspeakVoice]:
    worker = espeak_worker()
    yield EspeakVoice(worker)
    await worker.close()


@pytest.fixture
async def engine() -> AsyncIterator[PocketsphinxEngine]:
    engine = PocketsphinxEngine()
    yield engine
    await engine.close()


def over_the_line(samples: Samples) -> Samples:
    return mulaw.decode(mulaw.encode(samples))


async def test_every_sample_phrase_is_heard_exactly(engine: PocketsphinxEngine, voice: EspeakVoice) -> None:
    heard = [
        await engine.recognise(
            over_the_line(await voice.samples(phrase)), 8000, language="en-US", phrases=PHRASES, purpose="final"
        )
        for phrase in PHRASES
    ]
    assert [transcript.text for transcript in heard] == PHRASES
    assert all(transcript.confidence > 0.5 for transcript in heard)


async def test_words_have_their_times_in_the_audio(engine: PocketsphinxEngine, voice: EspeakVoice) -> None:
    line = np.concatenate([np.zeros(8000, np.int16), over_the_line(await voice.samples("can i book a demo"))])
    heard = await engine.recognise(line, 8000, language="", phrases=PHRASES, purpose="final")
    assert [word.word for word in heard.words] == ["can", "i", "book", "a", "demo"]
    assert 0.9 < heard.words[0].start < 1.2
    assert all(word.start < word.end <= len(line) / 8000 + 0.05 for word in heard.words)
    assert all(one.end <= two.start + 0.011 for one, two in zip(heard.words, heard.words[1:], strict=False))


async def test_two_phrases_with_a_pause_between_are_both_heard(engine: PocketsphinxEngine, voice: EspeakVoice) -> None:
    first, second = [over_the_line(await voice.samples(text)) for text in ("yes please", "is my data safe")]
    line = np.concatenate([first, np.zeros(6400, np.int16), second])
    heard = await engine.recognise(line, 8000, language="", phrases=PHRASES, purpose="final")
    assert heard.text == "yes please is my data safe"
    assert heard.words[2].start > len(first) / 8000


async def test_the_playbooks_spelling_is_given_back(engine: PocketsphinxEngine, voice: EspeakVoice) -> None:
    line = over_the_line(await voice.samples("who are you"))
    heard = await engine.recognise(line, 8000, language="", phrases=["Who are you?", "Goodbye!"], purpose="final")
    assert heard.text == "Who are you?"
    assert [word.word for word in heard.words] == ["Who", "are", "you?"]


async def test_names_that_no_dictionary_has_do_not_break_the_others(
    engine: PocketsphinxEngine, voice: EspeakVoice, capsys: pytest.CaptureFixture[str]
) -> None:
    phrases = [*PHRASES, "tell me about Scriza", "is zephlobrix better", "多少钱", "<odd> | (grammar) ; [text]"]
    await engine.prepare("en", phrases)
    assert "sphinx.phrases_left_out" in capsys.readouterr().out
    line = over_the_line(await voice.samples("can i book a demo"))
    heard = await engine.recognise(line, 8000, language="en", phrases=phrases, purpose="final")
    assert heard.text == "can i book a demo"


async def test_silence_noise_and_coughs_are_no_words(engine: PocketsphinxEngine) -> None:
    random = np.random.default_rng(3)
    burst = random.standard_normal(2400) * np.exp(-np.linspace(0, 5, 2400))
    cough = (burst / np.abs(burst).max() * 12_000).astype(np.int16)
    hiss = (random.standard_normal(8000) * 300).astype(np.int16)
    for sound in (np.zeros(0, np.int16), np.zeros(8000, np.int16), cough, hiss):
        heard = await engine.recognise(sound, 8000, language="", phrases=PHRASES, purpose="final")
        assert heard.text in ("", "uh huh")


async def test_one_calls_audio_does_not_change_what_another_call_is_heard_to_say(
    engine: PocketsphinxEngine, voice: EspeakVoice
) -> None:
    line = over_the_line(await voice.samples("what does it do"))
    first = await engine.recognise(line, 8000, language="", phrases=PHRASES, purpose="final")
    loud = (np.random.default_rng(5).standard_normal(16_000) * 8000).astype(np.int16)
    await engine.recognise(loud, 8000, language="", phrases=PHRASES, purpose="final")
    assert await engine.recognise(line, 8000, language="", phrases=PHRASES, purpose="final") == first


async def test_wideband_audio_is_taken_too(engine: PocketsphinxEngine, voice: EspeakVoice) -> None:
    line = np.repeat(over_the_line(await voice.samples("who are you")), 6)
    heard = await engine.recognise(line, 48_000, language="", phrases=PHRASES, purpose="final")
    assert heard.text == "who are you"


async def test_without_phrases_something_is_heard_and_never_trusted(
    engine: PocketsphinxEngine, voice: EspeakVoice
) -> None:
    line = over_the_line(await voice.samples("thank you very much and goodbye"))
    heard = await engine.recognise(line, 8000, language="", phrases=[], purpose="recording")
    assert heard.words
    assert heard.confidence <= 0.5


async def test_another_language_is_refused(engine: PocketsphinxEngine) -> None:
    with pytest.raises(BadInput, match="English"):
        await engine.prepare("hi-IN", PHRASES)
    with pytest.raises(BadInput, match="English"):
        await engine.recognise(np.zeros(800, np.int16), 8000, language="de", phrases=[], purpose="final")
