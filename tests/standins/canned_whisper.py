"""A Whisper model that hears the same sentence in any audio: real files for the real `WhisperModel`, built in no time.

What goes into the layers comes out again, unchanged but for a faint noise; the projection leads from every token of the
sentence to the next one. In the real sizes (`TINY`, `BASE`, `SMALL`) it costs what a real model costs that hears a
sentence of so many tokens, and it says nothing about how well one hears.
"""

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from ctranslate2.specs import WhisperSpec
from numpy.typing import NDArray
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

SENTENCE = "hello yes I would like to know the price please"
"""No word twice: the model knows a place in the sentence by its word."""

_PIECES = re.compile(r" ?\w+| ?[^\w\s]")
"""As Whisper's own vocabulary cuts a text: a mark is a token of its own, and what stands behind one has no space."""

_MELS = 80
_BEFORE_LANGUAGES = ["<|endoftext|>", "<|startoftranscript|>"]
_TASKS = "<|translate|> <|transcribe|> <|startoflm|> <|startofprev|> <|nospeech|> <|notimestamps|>".split()
_TIMES = [f"<|{step * 0.02:.2f}|>" for step in range(1501)]
_REAL_VOCABULARY = 51_865
_MULTILINGUAL = ""
"""CTranslate2 takes a model with this token for a multilingual one."""
_NOISE = 1e-3
_COMMON = 0.6
_DECOYS = 8

Floats = NDArray[np.float32]


class Size(NamedTuple):
    """An architecture: `layers` of the encoder and of the decoder alike."""

    layers: int
    width: int
    heads: int
    feed_forward: int


TOY = Size(1, 64, 1, 64)
TINY, BASE, SMALL = Size(4, 384, 6, 1536), Size(6, 512, 8, 2048), Size(12, 768, 12, 3072)
"""Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision", 2022, table 1."""


def build_canned_whisper(
    directory: Path, sentence: str = SENTENCE, *, size: Size = TOY, languages: tuple[str, ...] = ("en",)
) -> Path:
    """Write the model into `directory`; about 1 MB as a toy.

    With more than one language it is multilingual, and takes any audio for the first of `languages`.
    """
    directory.mkdir(parents=True, exist_ok=True)
    pieces = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words = ["".join(byte for byte, _ in pieces.pre_tokenize_str(piece)) for piece in _PIECES.findall(f" {sentence}")]
    assert len(set(words)) == len(words), "words must be unique"
    plain = list(dict.fromkeys([*sorted(pre_tokenizers.ByteLevel.alphabet()), *words]))
    special = [*_BEFORE_LANGUAGES, *(f"<|{language}|>" for language in languages), *_TASKS]
    if len(languages) > 1:
        plain.append(_MULTILINGUAL)
    if size is not TOY:
        missing = _REAL_VOCABULARY - len(plain) - len(special) - len(_TIMES)
        plain += [f"filler{number}" for number in range(missing)]
    vocabulary = [*plain, *special, *_TIMES]
    ids = {token: number for number, token in enumerate(vocabulary)}
    _write_tokenizer(directory, plain, special)
    spec = _spec(vocabulary, ids, [ids[word] for word in words], languages, size)
    spec.validate()
    spec.optimize(quantization="int8")
    spec.save(str(directory))
    features = {"feature_size": _MELS, "sampling_rate": 16000, "hop_length": 160, "chunk_length": 30, "n_fft": 400}
    (directory / "preprocessor_config.json").write_text(json.dumps(features))
    return directory


def _write_tokenizer(directory: Path, plain: list[str], special: list[str]) -> None:
    tokenizer = Tokenizer(models.BPE(vocab={token: number for number, token in enumerate(plain)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special + _TIMES])
    tokenizer.save(str(directory / "tokenizer.json"))


def _spec(
    vocabulary: list[str], ids: dict[str, int], sentence: list[int], languages: tuple[str, ...], size: Size
) -> WhisperSpec:
    width = size.width
    weights = _Weights(width, 0.0 if size is TOY else _NOISE)
    embeddings = weights.random.standard_normal((len(vocabulary), width)).astype(np.float32)
    embeddings -= embeddings.mean(1, keepdims=True)
    embeddings /= embeddings.std(1, keepdims=True)
    projection = _zeros(len(vocabulary), width)
    if size is not TOY:
        _keep_beams_busy(embeddings, projection)
    chain = [*sentence, ids["<|endoftext|>"]]
    for begins in ("<|notimestamps|>", "<|0.00|>"):
        projection[chain[0]] += embeddings[ids[begins]]
    for token, following in pairwise(chain):
        projection[following] += embeddings[token]
    projection[ids["<|0.00|>"]] += embeddings[ids["<|startoftranscript|>"]]
    if len(languages) > 1:
        projection[ids["<|0.00|>"]] += embeddings[ids["<|transcribe|>"]] - embeddings[ids["<|startoftranscript|>"]]
        projection[ids[f"<|{languages[0]}|>"]] += embeddings[ids["<|startoftranscript|>"]]
    projection *= 16 / width

    spec = WhisperSpec(size.layers, size.heads, size.layers, size.heads)
    encoder, decoder = spec.encoder, spec.decoder
    encoder.conv1.weight, encoder.conv1.bias = weights.noise(width, _MELS, 3), _zeros(width)
    encoder.conv2.weight, encoder.conv2.bias = weights.noise(width, width, 3), _zeros(width)
    encoder.position_encodings.encodings = _zeros(1500, width)
    decoder.embeddings.weight, decoder.projection.weight = embeddings, projection
    decoder.position_encodings.encodings = _zeros(448, width)
    for norm in (encoder.layer_norm, decoder.layer_norm):
        weights.normalise(norm)
    for layer in (*encoder.layer, *decoder.layer):
        weights.attend(layer.self_attention, ((3 * width, width), (width, width)))
        weights.normalise(layer.ffn.layer_norm)
        weights.linear(layer.ffn.linear_0, size.feed_forward, width)
        weights.linear(layer.ffn.linear_1, width, size.feed_forward)
    for layer in decoder.layer:
        weights.attend(layer.attention, ((width, width), (2 * width, width), (width, width)))
    spec.register_vocabulary(vocabulary)
    spec.config.lang_ids = [ids[f"<|{language}|>"] for language in languages]
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = [ids["<|endoftext|>"]]
    spec.config.alignment_heads = [(0, 0)]
    return spec


def _keep_beams_busy(embeddings: Floats, projection: Floats) -> None:
    """Make some tokens likelier after any other than the rest of the sentence is.

    A search for the best of several texts ends when so many are complete, and the ends of the sentence are complete
    before the whole is.
    """
    common = embeddings[0].copy()
    embeddings += _COMMON * common
    embeddings /= embeddings.std(1, keepdims=True)
    projection[:_DECOYS] += _COMMON * common


def _zeros(*shape: int) -> Floats:
    return np.zeros(shape, np.float32)


class _Weights:
    """Layers that pass on what comes in, with a noise of `scale`."""

    def __init__(self, width: int, scale: float) -> None:
        self.random = np.random.default_rng(0)
        self._width, self._scale = width, scale

    def noise(self, *shape: int) -> Floats:
        if not self._scale:
            return _zeros(*shape)
        return self.random.standard_normal(shape, np.float32) * np.float32(self._scale)

    def normalise(self, norm: object) -> None:
        norm.gamma, norm.beta = np.ones(self._width, np.float32), _zeros(self._width)  # type: ignore[attr-defined] # a spec's fields

    def linear(self, linear: object, rows: int, columns: int) -> None:
        linear.weight, linear.bias = self.noise(rows, columns), _zeros(rows)  # type: ignore[attr-defined] # a spec's fields

    def attend(self, attention: object, shapes: tuple[tuple[int, int], ...]) -> None:
        self.normalise(attention.layer_norm)  # type: ignore[attr-defined] # a spec's fields
        for linear, shape in zip(attention.linear, shapes, strict=True):  # type: ignore[attr-defined] # a spec's fields
            self.linear(linear, *shape)
