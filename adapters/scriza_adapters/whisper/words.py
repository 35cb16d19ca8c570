"""Words with their times and confidence out of Whisper's tokens: pure functions.

The confidence of a word is the geometric mean of its tokens' probabilities, that of an utterance the geometric mean
over all its tokens: ``exp(mean(log p))``, as in Radford et al., 2022, section 4.5, where its logarithm decides whether
a decoding is to be trusted. It lies between 0 and 1 and is **not calibrated**: 0.8 does not mean that four of five
such words are right. `scriza models check` shows what it means on recordings of one's own.
"""

import math
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from scriza.ports.asr import HeardWord, Transcript
from scriza_adapters.whisper.guards import Said, believable, loop_starts
from scriza_adapters.whisper.hints import Hints

NOTHING = Transcript("", 0.0, [])

_LEAST = 1e-6
_SHORTEST_S = 0.04
"""Words that are shorter than that on average were not aligned with the sound."""


class TokenizedWord(NamedTuple):
    """A word as it is written, with the probabilities of its tokens and where it lies, in seconds."""

    text: str
    probabilities: Sequence[float]
    start: float
    end: float


def whole_words(pieces: Iterable[TokenizedWord]) -> list[TokenizedWord]:
    """Words with what is written onto them: marks, and what follows a mark without a space, as in ``$4.50``.

    A mark does not make its word longer: Whisper lets it last until the next word begins.
    """
    words: list[TokenizedWord] = []
    for piece in pieces:
        if not words or _begins_a_word(piece.text):
            words.append(piece)
            continue
        word = words[-1]
        words[-1] = TokenizedWord(
            word.text + piece.text,
            [*word.probabilities, *piece.probabilities],
            word.start,
            piece.end if any(_is_spoken(character) for character in piece.text) else word.end,
        )
    return words


def _begins_a_word(text: str) -> bool:
    return text[:1].isspace() or _is_spoken(text[:1])


def _is_spoken(character: str) -> bool:
    return unicodedata.category(character or " ")[0] in "LN"


def transcript(words: list[TokenizedWord], said: Said, hinted: Hints, seconds: float) -> Transcript:
    """What is to be believed of it; a text that repeats itself ends where it first does."""
    cut = loop_starts([word.text for word in words])
    if cut is not None:
        words = words[:cut]
        said = said._replace(text="".join(word.text for word in words))
    if not believable(said, hinted):
        return NOTHING
    heard = heard_words(words, seconds)
    if not heard:
        return NOTHING
    text = " ".join("".join(word.text for word in words).split())
    return Transcript(text, confidence([p for word in words for p in word.probabilities]), heard)


def mean_logprob(probabilities: Sequence[float]) -> float:
    """Natural, at most 0; of nothing it is 0."""
    if not len(probabilities):
        return 0.0
    return sum(math.log(min(1.0, max(_LEAST, p))) for p in probabilities) / len(probabilities)


def confidence(probabilities: Sequence[float]) -> float:
    """The geometric mean, 0 to 1."""
    return round(math.exp(mean_logprob(probabilities)), 3)


def heard_words(words: Sequence[TokenizedWord], seconds: float) -> list[HeardWord]:
    """Words in `seconds` of audio. Where the alignment found no places, each is as long as its letters take."""
    words = [word for word in words if word.text.strip()]
    if not words:
        return []
    sure = [confidence(word.probabilities) for word in words]
    start, end = min(word.start for word in words), max(word.end for word in words)
    if end - start < _SHORTEST_S * len(words):
        texts = [word.text.strip() for word in words]
        return spread(texts, 0.0, seconds, sure)
    heard: list[HeardWord] = []
    at = 0.0
    for word, certainty in zip(words, sure, strict=True):
        at = min(max(at, word.start), seconds)
        until = min(max(at, word.end), seconds)
        heard.append(HeardWord(word.text.strip(), round(at, 3), round(until, 3), certainty))
        at = until
    return heard


def spread(words: Sequence[str], start: float, end: float, confidences: Sequence[float]) -> list[HeardWord]:
    """`words` between `start` and `end` (seconds), each as long as its letters take, a pause included."""
    unit = max(0.0, end - start) / max(1, sum(len(word) + 1 for word in words))
    heard: list[HeardWord] = []
    at = start
    for word, certainty in zip(words, confidences, strict=True):
        until = at + (len(word) + 1) * unit
        heard.append(HeardWord(word, round(at, 3), round(until, 3), certainty))
        at = until
    return heard
