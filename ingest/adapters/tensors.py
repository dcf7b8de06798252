"""Tensors of a safetensors file: the header, then one at a time in pieces. At most one piece is in memory."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

# That of 200 layers with 20 modules each is 1 MB.
MAX_HEADER = 16 << 20
PIECE = 1 << 20
BYTES = {"F32": 4, "F16": 2, "BF16": 2}


class Unreadable(Exception):
    """The file is not a valid safetensors file."""


@dataclass(frozen=True, slots=True)
class Tensor:
    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int

    @property
    def size(self) -> int:
        count = 1
        for length in self.shape:
            count *= length
        return count


def read_header(file: Path, *, trusted: bool = False) -> dict[str, Tensor]:
    """Read the header, of a trusted file nothing else: it may be larger than what this process may map.

    Raises Unreadable.
    """
    try:
        with file.open("rb") as content:
            length = struct.unpack("<Q", content.read(8))[0]
            if length > MAX_HEADER:
                raise Unreadable(f"its header says that it is {length} bytes long")
            header = json.loads(content.read(length), object_pairs_hook=_without_twins)
        if not trusted:
            # The library's own check: no gaps or overlaps, sizes that fit the shapes, the file's length.
            with safe_open(file, framework="np"):
                pass
        header.pop("__metadata__", None)
        return {name: _tensor(name, entry, 8 + length) for name, entry in sorted(header.items())}
    except (SafetensorError, struct.error, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Unreadable(f"{error}"[:200]) from None


def values(file: Path, tensor: Tensor) -> Iterator[NDArray[np.float32]]:
    """Yield the values piece by piece, as float32."""
    width = BYTES[tensor.dtype]
    with file.open("rb") as content:
        content.seek(tensor.start)
        left = tensor.size * width
        while left:
            part = content.read(min(left, PIECE * width))
            if not part:
                raise Unreadable("it ends early")
            left -= len(part)
            yield _as_float32(part, tensor.dtype)


def _as_float32(part: bytes, dtype: str) -> NDArray[np.float32]:
    if dtype == "F32":
        return np.frombuffer(part, "<f4")
    if dtype == "F16":
        return np.frombuffer(part, "<f2").astype(np.float32)
    # bfloat16 is the upper half of float32.
    return (np.frombuffer(part, "<u2").astype(np.uint32) << 16).view(np.float32)


def _tensor(name: str, entry: dict[str, Any], data: int) -> Tensor:
    return Tensor(name, str(entry["dtype"]), tuple(entry["shape"]), data + entry["data_offsets"][0])


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name is there twice")
    return found
