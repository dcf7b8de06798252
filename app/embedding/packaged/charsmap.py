"""A map of characters in the form that `tokenizers` calls Precompiled: SentencePiece's double-array trie over UTF-8.

A unit of the trie is 32 bits: bits 0-7 the byte that leads to it, bit 8 whether a value follows, from bit 10 on what,
xor-ed with its own place, gives the place from which its children count. A value's unit has bit 31 set and holds an
offset into the replacements.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np

VALUE = -1
HAS_VALUE, IS_VALUE, OFFSET_BIT = 1 << 8, 1 << 31, 10
Node = dict[int, Any]


def charsmap(replacements: Mapping[str, str]) -> bytes:
    texts, root = b"", Node()
    places: dict[str, int] = {}
    for character, text in replacements.items():
        if text not in places:
            places[text] = len(texts)
            texts += text.encode() + b"\0"
        node = root
        for byte in character.encode():
            node = node.setdefault(byte, {})
        node[VALUE] = places[text]
    trie = _double_array(root).tobytes()
    return struct.pack("<I", len(trie)) + trie + texts


def _double_array(root: Node) -> np.ndarray[Any, np.dtype[np.uint32]]:
    units = {0: 0}
    taken = {0}
    waiting = deque([(0, root)])
    start = 0
    while waiting:
        place, node = waiting.popleft()
        labels = [max(label, 0) for label in node]
        # Always onwards: of two nodes with one start, each would seem to have the other's children.
        start += 1
        while any(start ^ label in taken for label in labels):
            start += 1
        taken.update(start ^ label for label in labels)
        units[place] |= (place ^ start) << OFFSET_BIT
        for label, child in node.items():
            if label == VALUE:
                units[place] |= HAS_VALUE
                units[start] = child | IS_VALUE
            else:
                units[start ^ label] = label
                waiting.append((start ^ label, child))
    # A look-up may step anywhere within the block of 256 it has reached.
    array = np.zeros((max(units) | 255) + 1, "<u4")
    array[list(units)] = list(units.values())
    return array
