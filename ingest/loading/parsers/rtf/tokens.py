"""Cuts RTF into groups, control words and text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

TOKEN = re.compile(
    rb"(?P<open>\{)|(?P<close>\})|\\(?P<word>[A-Za-z]{1,32})(?P<number>-?\d{1,10})? ?|\\'(?P<byte>[0-9A-Fa-f]{2})"
    rb"|\\(?P<sign>[^A-Za-z])|[\r\n\0]+|(?P<text>[^\\{}\r\n\0]+)|\\",
    re.DOTALL,
)


class Token(NamedTuple):
    """`kind` is open, close, word, byte, sign or text."""

    kind: str
    content: bytes
    number: int | None = None


def tokens(content: bytes) -> Iterator[Token]:
    at = 0
    while found := TOKEN.match(content, at):
        at = found.end()
        kind = found.lastgroup or ""
        if word := found["word"]:
            number = int(found["number"]) if found["number"] else None
            if word == b"bin":
                # So many bytes of anything.
                at += max(0, number or 0)
            else:
                yield Token("word", word, number)
        elif kind:
            yield Token(kind, found[kind])
