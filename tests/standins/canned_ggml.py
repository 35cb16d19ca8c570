"""A model file of whisper.cpp that hears the same sentence in any audio, written byte by byte; 8 MB, mostly zeros.

All layers are zero, so that what goes in comes out, but for the decoder's only layer: its two linear maps lead from
every token of the sentence to the next one. English only; the numbers of its tokens are those that whisper.cpp expects.

The format: magic, eleven sizes, mel filters, vocabulary, and tensors until the end of the file; all numbers are
little-endian, tensors are written with their fastest dimension first.
"""

import struct
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from tests.standins.canned_whisper import SENTENCE

_MAGIC = 0x67676D6C
_VOCABULARY, _END_OF_TEXT, _NO_TIMESTAMPS = 51_864, 50_256, 50_362
_MELS, _BINS = 80, 201
_AUDIO_STEPS, _TEXT_STEPS = 1500, 448
_SINGLE, _HALF = 0, 1
"""Types of numbers; ggml convolves with half precision only."""
_WIDTH = 64
_HIDDEN = 4 * _WIDTH
_LINK = 40.0
"""How much louder the next token is than the one before."""

Floats = NDArray[np.float32]


def build_canned_ggml(file: Path, sentence: str = SENTENCE) -> Path:
    """Write the model to `file`. No word twice: the model knows a place in the sentence by its word."""
    words = [f" {word}".encode() for word in sentence.split()]
    assert len(set(words)) == len(words), "words must be unique"
    vocabulary = [bytes([byte]) for byte in range(256)] + words
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as out:
        sizes = (_VOCABULARY, _AUDIO_STEPS, _WIDTH, 1, 1, _TEXT_STEPS, _WIDTH, 1, 1, _MELS, _HALF)
        out.write(struct.pack("<I11i", _MAGIC, *sizes))
        out.write(struct.pack("<2i", _MELS, _BINS) + bytes(4 * _MELS * _BINS))
        out.write(struct.pack("<i", _END_OF_TEXT))
        for token in (*vocabulary, *[b""] * (_END_OF_TEXT - len(vocabulary))):
            out.write(struct.pack("<i", len(token)) + token)
        for name, tensor in _tensors([_NO_TIMESTAMPS, *range(256, len(vocabulary)), _END_OF_TEXT]):
            _write(out, name, tensor)
    return file


def _write(out: BinaryIO, name: str, tensor: Floats) -> None:
    half = tensor.ndim > 1 and name.endswith("weight")
    encoded = name.encode()
    out.write(struct.pack("<3i", tensor.ndim, len(encoded), _HALF if half else _SINGLE))
    out.write(struct.pack(f"<{tensor.ndim}i", *reversed(tensor.shape)) + encoded)
    out.write(tensor.astype("<f2" if half else "<f4").tobytes())


def _tensors(chain: list[int]) -> Iterator[tuple[str, Floats]]:
    """All of them, by name; `chain` is the tokens that follow each other."""
    random = np.random.default_rng(0)
    embeddings = _zeros(_VOCABULARY, _WIDTH)
    known = np.linalg.qr(random.standard_normal((_WIDTH, _WIDTH)))[0][: len(chain)] * np.sqrt(_WIDTH)
    embeddings[chain] = known - known.mean(1, keepdims=True)
    yield "encoder.positional_embedding", _zeros(_AUDIO_STEPS, _WIDTH)
    yield "encoder.conv1.weight", _zeros(_WIDTH, _MELS, 3)
    yield "encoder.conv1.bias", _zeros(_WIDTH, 1)
    yield "encoder.conv2.weight", _zeros(_WIDTH, _WIDTH, 3)
    yield "encoder.conv2.bias", _zeros(_WIDTH, 1)
    yield from _normalised("encoder.ln_post")
    yield from _block("encoder.blocks.0", _zeros(_HIDDEN, _WIDTH), _zeros(_WIDTH, _HIDDEN))
    yield "decoder.positional_embedding", _zeros(_TEXT_STEPS, _WIDTH)
    yield "decoder.token_embedding.weight", embeddings
    yield from _normalised("decoder.ln")
    first, second = _zeros(_HIDDEN, _WIDTH), _zeros(_WIDTH, _HIDDEN)
    for place, (token, following) in enumerate(pairwise(chain)):
        first[place] = embeddings[token] / _WIDTH
        second[:, place] = embeddings[following] * _LINK
    yield from _block("decoder.blocks.0", first, second, bias=-0.5)
    yield from _attention("decoder.blocks.0.cross_attn")
    yield from _normalised("decoder.blocks.0.cross_attn_ln")


def _block(name: str, first: Floats, second: Floats, bias: float = 0.0) -> Iterator[tuple[str, Floats]]:
    yield from _normalised(f"{name}.mlp_ln")
    yield f"{name}.mlp.0.weight", first
    yield f"{name}.mlp.0.bias", np.full(_HIDDEN, bias, np.float32)
    yield f"{name}.mlp.2.weight", second
    yield f"{name}.mlp.2.bias", _zeros(_WIDTH)
    yield from _normalised(f"{name}.attn_ln")
    yield from _attention(f"{name}.attn")


def _attention(name: str) -> Iterator[tuple[str, Floats]]:
    for part in ("query", "key", "value", "out"):
        yield f"{name}.{part}.weight", _zeros(_WIDTH, _WIDTH)
        if part != "key":
            yield f"{name}.{part}.bias", _zeros(_WIDTH)


def _normalised(name: str) -> Iterator[tuple[str, Floats]]:
    yield f"{name}.weight", np.ones(_WIDTH, np.float32)
    yield f"{name}.bias", _zeros(_WIDTH)


def _zeros(*shape: int) -> Floats:
    return np.zeros(shape, np.float32)
