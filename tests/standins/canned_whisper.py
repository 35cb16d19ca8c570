"""A Whisper model that hears the same sentence in any audio: real files for the real `WhisperModel`, built in no time.

All layers are zero, so that what goes in comes out; the projection leads from every token of the sentence to the next
one.
"""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
from ctranslate2.specs import WhisperSpec
from numpy.typing import NDArray
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

SENTENCE = "hello yes I would like to know the price please"
"""No word twice: the model knows a place in the sentence by its word."""

_WIDTH = 64
_MELS = 80
_SPECIAL = (
    "<|endoftext|> <|startoftranscript|> <|en|> <|translate|> <|transcribe|> <|startoflm|> <|startofprev|> "
    "<|nospeech|> <|notimestamps|>"
).split()
_TIMES = [f"<|{step * 0.02:.2f}|>" for step in range(1501)]

Floats = NDArray[np.float32]


def build_canned_whisper(directory: Path, sentence: str = SENTENCE) -> Path:
    """Write the model into `directory`; about 1 MB."""
    directory.mkdir(parents=True, exist_ok=True)
    pieces = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words = ["".join(piece for piece, _ in pieces.pre_tokenize_str(f" {word}")) for word in sentence.split()]
    assert len(set(words)) == len(words), "words must be unique"
    plain = list(dict.fromkeys([*sorted(pre_tokenizers.ByteLevel.alphabet()), *words]))
    vocabulary = [*plain, *_SPECIAL, *_TIMES]
    ids = {token: number for number, token in enumerate(vocabulary)}
    _write_tokenizer(directory, plain)
    spec = _spec(vocabulary, ids, [ids[word] for word in words])
    spec.validate()
    spec.optimize(quantization="int8")
    spec.save(str(directory))
    features = {"feature_size": _MELS, "sampling_rate": 16000, "hop_length": 160, "chunk_length": 30, "n_fft": 400}
    (directory / "preprocessor_config.json").write_text(json.dumps(features))
    return directory


def _write_tokenizer(directory: Path, plain: list[str]) -> None:
    tokenizer = Tokenizer(models.BPE(vocab={token: number for number, token in enumerate(plain)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in _SPECIAL + _TIMES])
    tokenizer.save(str(directory / "tokenizer.json"))


def _spec(vocabulary: list[str], ids: dict[str, int], sentence: list[int]) -> WhisperSpec:
    random = np.random.default_rng(0)
    embeddings = random.standard_normal((len(vocabulary), _WIDTH)).astype(np.float32)
    embeddings -= embeddings.mean(1, keepdims=True)
    embeddings /= embeddings.std(1, keepdims=True)
    projection = _zeros(len(vocabulary), _WIDTH)
    chain = [*sentence, ids["<|endoftext|>"]]
    for begins in ("<|notimestamps|>", "<|0.00|>"):
        projection[chain[0]] += embeddings[ids[begins]]
    for token, following in pairwise(chain):
        projection[following] += embeddings[token]
    projection[ids["<|0.00|>"]] += embeddings[ids["<|startoftranscript|>"]]
    projection *= 0.25

    spec = WhisperSpec(1, 1, 1, 1)
    encoder, decoder = spec.encoder, spec.decoder
    encoder.conv1.weight, encoder.conv1.bias = _zeros(_WIDTH, _MELS, 3), _zeros(_WIDTH)
    encoder.conv2.weight, encoder.conv2.bias = _zeros(_WIDTH, _WIDTH, 3), _zeros(_WIDTH)
    encoder.position_encodings.encodings = _zeros(1500, _WIDTH)
    decoder.embeddings.weight, decoder.projection.weight = embeddings, projection
    decoder.position_encodings.encodings = _zeros(448, _WIDTH)
    for norm in (encoder.layer_norm, decoder.layer_norm):
        _pass(norm)
    for layer in (*encoder.layer, *decoder.layer):
        _attend(layer.self_attention, (3 * _WIDTH, _WIDTH))
        _pass(layer.ffn.layer_norm)
        _linear(layer.ffn.linear_0, _WIDTH)
        _linear(layer.ffn.linear_1, _WIDTH)
    _attend(decoder.layer[0].attention, (_WIDTH, 2 * _WIDTH, _WIDTH))
    spec.register_vocabulary(vocabulary)
    spec.config.lang_ids = [ids["<|en|>"]]
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = [ids["<|endoftext|>"]]
    spec.config.alignment_heads = [(0, 0)]
    return spec


def _zeros(*shape: int) -> Floats:
    return np.zeros(shape, np.float32)


def _pass(norm: object) -> None:
    norm.gamma, norm.beta = np.ones(_WIDTH, np.float32), _zeros(_WIDTH)  # type: ignore[attr-defined] # a spec's fields


def _linear(linear: object, size: int) -> None:
    linear.weight, linear.bias = _zeros(size, _WIDTH), _zeros(size)  # type: ignore[attr-defined] # a spec's fields


def _attend(attention: object, sizes: tuple[int, ...]) -> None:
    _pass(attention.layer_norm)  # type: ignore[attr-defined] # a spec's fields
    for linear, size in zip(attention.linear, sizes, strict=True):  # type: ignore[attr-defined] # a spec's fields
        _linear(linear, size)
