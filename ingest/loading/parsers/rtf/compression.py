"""Unpacks RTF as Outlook packs it (LZFu, [MS-OXRTFCP]): copies of what stands up to 4 kB before."""

from __future__ import annotations

import struct

PACKED, PLAIN = 0x75465A4C, 0x414C454D
HEAD = struct.Struct("<IIII")
# What the copies may be of at the beginning.
KNOWN = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans Serif"
    rb"SymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0"
    b"\r\n"
    rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx"
)
WINDOW = 4096


def decompressed(content: bytes) -> bytes:
    """Return the RTF, cut where the content is. Raises ValueError if it is packed in no known way."""
    if len(content) < HEAD.size:
        raise ValueError("cut off")
    _, size, kind, _ = HEAD.unpack_from(content)
    if kind == PLAIN:
        return content[HEAD.size : HEAD.size + size]
    if kind != PACKED:
        raise ValueError(kind)
    text = bytearray(KNOWN)
    at = HEAD.size
    while at < len(content):
        flags, at = content[at], at + 1
        for bit in range(8):
            if not flags >> bit & 1:
                text += content[at : at + 1]
                at += 1
                continue
            copied = int.from_bytes(content[at : at + 2], "big")
            back = (len(text) - (copied >> 4)) % WINDOW
            at += 2
            # A copy of what is still to come is the end.
            if at > len(content) or not 0 < back <= len(text):
                return bytes(text[len(KNOWN) :])
            for _ in range((copied & 15) + 2):
                text.append(text[-back])
    return bytes(text[len(KNOWN) :])
