"""One utterance through Whisper by CTranslate2, in the thread that asks: features, encoder, decoder, alignment."""

import threading
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scriza.ports.asr import Transcript
from scriza_adapters.whisper.guards import Said
from scriza_adapters.whisper.hints import Hints
from scriza_adapters.whisper.words import NOTHING, TokenizedWord, mean_logprob, transcript, whole_words

if TYPE_CHECKING:
    from ctranslate2 import StorageView
    from faster_whisper import WhisperModel
    from faster_whisper.tokenizer import Tokenizer

RATE = 16_000
LONGEST_WINDOW_S, SHORTEST_WINDOW_S = 30.0, 2.0
"""Seconds that the encoder sees: what Whisper was trained with, and what is left of it."""

_FRAMES_PER_S = 100
_FRAMES_PER_STEP = 2
"""The encoder halves them."""
_ROOM_S = 0.5
"""Of silence behind the last word."""
_MOST_TOKENS, _TOKENS_ANYWAY, _TOKENS_PER_S = 200, 16, 8.0
"""Nobody speaks more than eight tokens a second: a longer text is a loop."""
_WORDS_TOKENS, _PROMPT_TOKENS = 130, 90
"""The decoder's 448 hold both and the text, whatever the script: a letter may take three tokens."""
_SURE_OF_LANGUAGE = 0.5

Sound = NDArray[np.float32]


class Asked(NamedTuple):
    """How a piece of audio is to be heard; an empty `language` is detected."""

    language: str
    hints: Hints
    beam_size: int


class Decoder:
    """Uses one loaded model; safe to be used by several threads.

    Whisper is trained on windows of 30 s, and its encoder costs nearly as much for a short "yes" as for half a minute.
    With `window_s` below 30 the encoder sees that much, or the utterance and a little silence where that is longer:
    CTranslate2 takes shorter features. It is many times cheaper; how much accuracy it costs depends on the model.
    """

    def __init__(self, model: "WhisperModel", window_s: float) -> None:
        self._model = model
        self._window_s = min(LONGEST_WINDOW_S, max(SHORTEST_WINDOW_S, window_s))

    def language_of(self, sound: Sound) -> str:
        """The language that is spoken; empty when the model is not sure, or knows one language only."""
        if not self._model.model.is_multilingual:
            return ""
        code, probability = self._detected(self._encoded(sound))
        return code if probability >= _SURE_OF_LANGUAGE else ""

    def recognise(self, sound: Sound, asked: Asked, stop: threading.Event) -> Transcript:
        """Words in at most 30 s of `sound`, 16 kHz; none when `stop` is set meanwhile."""
        if stop.is_set():
            return NOTHING
        seconds = len(sound) / RATE
        encoded = self._encoded(sound)
        if stop.is_set():
            return NOTHING
        tokenizer = self._tokenizer(asked.language or self._detected(encoded)[0])
        prompt = _prompt(tokenizer, asked.hints)
        most = min(_MOST_TOKENS, _TOKENS_ANYWAY + int(_TOKENS_PER_S * seconds))
        result = self._model.model.generate(
            encoded,
            [prompt],
            beam_size=asked.beam_size,
            max_length=max(2 * most, len(prompt) + most),  # CTranslate2 gives half of it to the text at most
            return_no_speech_prob=True,
        )[0]
        tokens = [token for token in result.sequences_ids[0] if token < tokenizer.eot]
        if not tokens or stop.is_set():
            return NOTHING
        words = self._words(encoded, tokenizer, tokens, seconds)
        probabilities = [p for word in words for p in word.probabilities]
        said = Said(tokenizer.decode(tokens), mean_logprob(probabilities), result.no_speech_prob)
        return transcript(words, said, asked.hints, seconds)

    def _encoded(self, sound: Sound) -> "StorageView":
        features = self._model.feature_extractor(sound)[:, :-1]
        wanted = max(self._window_s, min(LONGEST_WINDOW_S, len(sound) / RATE + _ROOM_S))
        frames = int(wanted * _FRAMES_PER_S) // _FRAMES_PER_STEP * _FRAMES_PER_STEP
        window = np.zeros((features.shape[0], frames), np.float32)
        window[:, : features.shape[1]] = features[:, :frames]
        return self._model.encode(window)

    def _detected(self, encoded: "StorageView") -> tuple[str, float]:
        if not self._model.model.is_multilingual:
            return "en", 1.0
        token, probability = self._model.model.detect_language(encoded)[0][0]
        return token[2:-2], probability

    def _tokenizer(self, language: str) -> "Tokenizer":
        from faster_whisper.tokenizer import Tokenizer

        multilingual = self._model.model.is_multilingual
        return Tokenizer(self._model.hf_tokenizer, multilingual, task="transcribe", language=language)

    def _words(
        self, encoded: "StorageView", tokenizer: "Tokenizer", tokens: list[int], seconds: float
    ) -> list[TokenizedWord]:
        """Words with probabilities and places, by one more pass of the decoder over all tokens at once."""
        frames = max(1, int(seconds * _FRAMES_PER_S))
        aligned = self._model.model.align(encoded, tokenizer.sot_sequence, [tokens], frames)[0]
        begins = _token_starts(aligned.alignments, len(tokens), seconds)
        texts, groups = tokenizer.split_to_word_tokens([*tokens, tokenizer.eot])
        ends = list(accumulate(len(group) for group in groups[:-1]))
        return whole_words(
            TokenizedWord(text, aligned.text_token_probs[start:end], begins[start], begins[end])
            for text, start, end in zip(texts[:-1], [0, *ends], ends, strict=False)
        )


def _prompt(tokenizer: "Tokenizer", hinted: Hints) -> list[int]:
    before = tokenizer.encode(f" {hinted.words}")[:_WORDS_TOKENS] if hinted.words else []
    before += tokenizer.encode(f" {hinted.prompt}")[-_PROMPT_TOKENS:] if hinted.prompt else []
    return [*([tokenizer.sot_prev, *before] if before else []), *tokenizer.sot_sequence, tokenizer.no_timestamps]


def _token_starts(alignments: list[tuple[int, int]], tokens: int, seconds: float) -> list[float]:
    """Where each token begins, and behind the last one where the text ends; seconds. The decoder's steps are 20 ms."""
    starts = [seconds] * (tokens + 1)
    for token, step in reversed(alignments):
        if token <= tokens:
            starts[token] = min(seconds, max(0, step) * _FRAMES_PER_STEP / _FRAMES_PER_S)
    return starts
