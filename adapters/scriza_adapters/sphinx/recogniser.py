"""pocketsphinx's decoders: a list of phrases first, then a small language model of the same words."""

import math
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import pocketsphinx
from pocketsphinx.lm import ArpaBoLM

from scriza.audio.mulaw import Samples
from scriza.ports.asr import HeardWord, Transcript
from scriza_adapters.sphinx.front_end import MARGIN_S, PAD_S, prepared, speech_parts
from scriza_adapters.sphinx.phrases import phrase_list
from scriza_adapters.sphinx.pronunciation import Lexicon

NOTHING = Transcript("", 0.0, [])

MODEL = Path(pocketsphinx.__file__).parent / "model" / "en-us"

_FRAME_S = 0.01
_PAUSE_S = 0.35
"""A pause between two phrases of one utterance."""
_LONGEST_S = 12.0
"""Longer audio is recognised part by part only."""

_WORST_WORD, _WORST_MEAN = -7.5, -5.5
"""Log-likelihood per frame relative to the best sound of each frame, of the worst word and of all of them. Of 936
phrases these bounds keep 99 % of those understood, and let 24 of 120 sentences pass that are not in the list."""
_COVERED = 0.6
"""How much of the sound the phrase must explain; less means that something else was said as well."""
_LM_WORDS, _LM_POSTERIOR = 4, 0.5
"""What the language model hears is mostly wrong; a run of words that it is rather sure of is worth an answer."""
_LM_CONFIDENCE = 0.5


class _Word(NamedTuple):
    word: str
    start: int
    """In frames."""
    end: int
    score: float
    """Log-likelihood per frame, 0 is perfect."""
    posterior: float


class PhraseRecogniser:
    """Recognises one list of phrases. Building it takes about 0.1 s and 10 MB."""

    def __init__(self, phrases: Iterable[str], lexicon: Lexicon) -> None:
        self._phrases = phrase_list(phrases)
        words = {word for phrase in self._phrases for word in phrase.split()}
        with tempfile.TemporaryDirectory() as folder:
            dictionary = Path(folder, "words.dict")
            dictionary.write_text("".join(_entries(words, lexicon)))
            self._decoder = pocketsphinx.Decoder(
                samprate=16000, lm=None, dict=str(dictionary), cmn="batch", topn=8, fwdflat=False, loglevel="FATAL"
            )
            model = ArpaBoLM(text="".join(f"<s> {phrase} </s>\n" for phrase in self._phrases))
            model.compute()
            path = Path(folder, "phrases.lm")
            with path.open("w") as file:
                model.write(file)
            self._decoder.add_lm_file("words", str(path))
        grammar = f"#JSGF V1.0; grammar phrases; public <phrase> = {' | '.join(self._phrases)} ;"
        self._decoder.add_jsgf_string("phrases", grammar)

    def recognise(self, samples: Samples, sample_rate: int, cancelled: Callable[[], bool]) -> Transcript:
        """What was said: a phrase of the list, several with pauses between, or words of the list in any order."""
        parts = speech_parts(samples, sample_rate, _PAUSE_S)
        if not parts:
            return NOTHING
        start, end = parts[0][0], parts[-1][1]
        short = end - start <= _LONGEST_S * sample_rate
        if short:
            sounding_s = sum(part_end - part_start for part_start, part_end in parts) / sample_rate
            whole = self._phrase(samples[start:end], sample_rate, start / sample_rate, sounding_s)
            if whole or cancelled():
                return whole or NOTHING
        heard: list[Transcript] = []
        if len(parts) > 1 or not short:
            for part_start, part_end in parts:
                if cancelled():
                    return NOTHING
                piece = samples[part_start:part_end][: int(_LONGEST_S * sample_rate)]
                phrase = self._phrase(piece, sample_rate, part_start / sample_rate, len(piece) / sample_rate)
                heard += [phrase] if phrase else []
        if heard:
            return _joined(heard)
        return self._words(samples[start:end], sample_rate, start / sample_rate) if short else NOTHING

    def _phrase(self, samples: Samples, sample_rate: int, offset: float, sounding_s: float) -> Transcript | None:
        """A whole phrase of the list, or none: outside the list the grammar's answer is a part of one, or a guess."""
        text, words = _decode(self._decoder, "phrases", samples, sample_rate)
        if text not in self._phrases:
            return None
        frames = sum(word.end - word.start for word in words)
        mean = sum(word.score * (word.end - word.start) for word in words) / frames
        if mean < _WORST_MEAN or min(word.score for word in words) < _WORST_WORD:
            return None
        if frames * _FRAME_S < _COVERED * (sounding_s - 2 * MARGIN_S):
            return None
        written = self._phrases[text]
        tokens = written.split()
        names = tokens if len(tokens) == len(words) else [word.word for word in words]
        return Transcript(
            written, _confidence(mean), _heard(words, names, offset, lambda word: _confidence(word.score))
        )

    def _words(self, samples: Samples, sample_rate: int, offset: float) -> Transcript:
        text, words = _decode(self._decoder, "words", samples, sample_rate)
        if not words:
            return NOTHING
        posterior = sum(word.posterior for word in words) / len(words)
        if posterior < _LM_POSTERIOR or (len(words) < _LM_WORDS and text not in self._phrases):
            return NOTHING
        heard = _heard(words, [word.word for word in words], offset, lambda word: word.posterior * _LM_CONFIDENCE)
        return Transcript(text, round(posterior * _LM_CONFIDENCE, 3), heard)


class OpenRecogniser:
    """Any English, by the general language model: of phone audio, more than half of the words are wrong.

    For recordings that come without phrases. Building it takes 0.5 s and 100 MB.
    """

    def __init__(self) -> None:
        self._decoder = pocketsphinx.Decoder(samprate=16000, fwdflat=False, cmn="batch", loglevel="FATAL")

    def recognise(self, samples: Samples, sample_rate: int, cancelled: Callable[[], bool]) -> Transcript:
        """What was said, more or less; the confidence never exceeds one half."""
        heard: list[Transcript] = []
        for start, end in speech_parts(samples, sample_rate, _PAUSE_S):
            step = int(_LONGEST_S * sample_rate)
            for at in range(start, end, step):
                if cancelled():
                    return NOTHING
                text, words = _decode(self._decoder, None, samples[at : min(end, at + step)], sample_rate)
                if words:
                    names = [word.word for word in words]
                    timed = _heard(words, names, at / sample_rate, lambda word: word.posterior * _LM_CONFIDENCE)
                    posterior = sum(word.posterior for word in words) / len(words)
                    heard.append(Transcript(text, round(posterior * _LM_CONFIDENCE, 3), timed))
        return _joined(heard)


def _decode(
    decoder: pocketsphinx.Decoder, search: str | None, samples: Samples, sample_rate: int
) -> tuple[str, list[_Word]]:
    decoder.activate_search(search)
    decoder.start_stream()
    decoder.start_utt()
    decoder.process_raw(prepared(samples, sample_rate), full_utt=True)
    decoder.end_utt()
    words = [
        _Word(
            segment.word.partition("(")[0],
            segment.start_frame,
            segment.end_frame + 1,
            math.log(max(segment.ascore, 1e-300)) / (segment.end_frame + 1 - segment.start_frame),
            segment.prob,
        )
        for segment in decoder.seg() or ()
        if segment.word[0] not in "<["  # silence, noise
    ]
    return " ".join(word.word for word in words), words


def _heard(
    words: list[_Word], names: list[str], offset: float, confidence: Callable[[_Word], float]
) -> list[HeardWord]:
    early = PAD_S - offset
    return [
        HeardWord(
            name,
            round(max(0.0, word.start * _FRAME_S - early), 2),
            round(max(0.0, word.end * _FRAME_S - early), 2),
            round(confidence(word), 3),
        )
        for word, name in zip(words, names, strict=True)
    ]


def _confidence(score: float) -> float:
    """One half at the worst score that is accepted, near one for a clear word."""
    return round(min(0.99, max(0.1, 0.5 + (score - _WORST_MEAN) / 8)), 3)


def _joined(heard: list[Transcript]) -> Transcript:
    if not heard:
        return NOTHING
    return Transcript(
        " ".join(piece.text for piece in heard),
        min(piece.confidence for piece in heard),
        [word for piece in heard for word in piece.words],
    )


def _entries(words: set[str], lexicon: Lexicon) -> Iterable[str]:
    for word in sorted(words):
        for number, phones in enumerate(lexicon.pronunciations(word), 1):
            yield f"{word} {phones}\n" if number == 1 else f"{word}({number}) {phones}\n"
