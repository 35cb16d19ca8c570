"""Local agreement on hypotheses that really change: pocketsphinx's, while an utterance grows.

A model that always hears the same sentence never changes its mind, so it proves nothing here.
"""

from collections.abc import Sequence
from itertools import pairwise

import pocketsphinx
import pytest

from scriza.modules.asr.stable_prefix import StablePrefix
from scriza.ports.asr import HeardWord
from scriza_adapters.espeak.engine import EspeakVoice, espeak_worker
from scriza_adapters.espeak.voices import installed
from scriza_adapters.sphinx.front_end import prepared

SENTENCES = [
    "i am not interested because we already have something like that",
    "please call me back next week on thursday in the afternoon",
    "can you send me an email with all of the prices tomorrow",
    "how much does it cost per month for a small team",
    "what happens to my data when i stop using the product",
]
STEP = 4000
"""Samples of 16 kHz between two hypotheses: a quarter of a second."""

pytestmark = [
    pytest.mark.skipif(not installed(), reason="speaking needs espeakng-loader (pip install 'scriza[embedded]')"),
    pytest.mark.xdist_group("sphinx"),
    pytest.mark.timeout(120),
]


def hypotheses(decoder: pocketsphinx.Decoder, pcm: bytes) -> list[list[str]]:
    """What is heard of ever more of the utterance; the last one is of all of it, after the decoder's last pass."""
    found: list[list[str]] = []

    def look() -> None:
        best = decoder.hyp()
        found.append(best.hypstr.split() if best else [])

    decoder.start_utt()
    for start in range(0, len(pcm), 2 * STEP):
        decoder.process_raw(pcm[start : start + 2 * STEP])
        look()
    decoder.end_utt()
    look()
    return found


def committed(growing: Sequence[Sequence[str]]) -> list[list[str]]:
    prefix = StablePrefix()
    return [[word.word for word in prefix.push([HeardWord(text, 0, 0, 1) for text in words])] for words in growing]


def taken_back(stages: Sequence[Sequence[str]]) -> int:
    """How often a stage does not begin with the one before."""
    return sum(later[: len(earlier)] != earlier for earlier, later in pairwise(stages))


async def test_what_is_committed_is_never_taken_back_and_is_nearly_always_what_the_final_says() -> None:
    worker = espeak_worker()
    voice = EspeakVoice(worker)
    # The general language model with a narrow search: fast, and it changes its mind often.
    decoder = pocketsphinx.Decoder(
        samprate=16000, cmn="batch", fwdflat=False, bestpath=False, maxhmmpf=2000, topn=2, ds=2, loglevel="FATAL"
    )
    changes = told = kept = 0
    for sentence in SENTENCES:
        *growing, final = hypotheses(decoder, prepared(await voice.samples(sentence), 8000))
        stages = committed(growing)
        assert taken_back(stages) == 0
        changes += taken_back(growing)
        told += len(stages[-1])
        kept += sum(word == other for word, other in zip(stages[-1], final, strict=False))
    await worker.close()
    assert changes >= 20, "these hypotheses are stable by themselves"
    assert told >= 40
    assert kept >= 0.85 * told
