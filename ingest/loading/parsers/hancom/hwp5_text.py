"""Reads the text of HWP 5: its characters, controls and tracked deletions; a form's field."""

from __future__ import annotations

import re
import struct
from collections.abc import Container, Iterator
from itertools import pairwise

# These take eight code units, most of which are not text.
CONTROL = re.compile("[\x01-\x09\x0b\x0c\x0e-\x17].{7}", re.DOTALL)
# The controls that a record describes; the others are within the text.
DESCRIBED = frozenset("\x01\x02\x03\x0b\x0c\x0e\x0f\x10\x11\x12\x15\x16\x17")
SINGLE = str.maketrans({"\r": "\n", "\x18": "-", "\x1e": " ", "\x1f": " "})
SURROGATE = re.compile("[\ud800-\udfff]")
DELETED = 17
CHECKS = {b"cbt": ("☐ ", "☑ "), b"rbt": ("○ ", "◉ ")}
FIELD = re.compile(
    r"(?P<name>\w{1,40}):(?P<kind>set|wstring|int|bool):(?:(?P<length>\d{1,9}):|(?P<value>[^\s:]{0,20}))"
)
FIELDS_AT = 14

Piece = tuple[str | None, bool, bool]
"""A text, or None for a control; whether it was deleted, and whether it stands above the line."""


class Text:
    def __init__(self, body: bytes) -> None:
        whole = body[: len(body) // 2 * 2]
        units = whole.decode("utf-16-le", "surrogatepass")
        if 2 * len(units) < len(whole):
            # Positions count code units; a character beyond 16 bits is two.
            units = "".join(map(chr, struct.unpack(f"<{len(whole) // 2}H", whole)))
        self._units = units
        self._deletions: list[tuple[int, int]] = []
        self._raised: list[tuple[int, int]] = []
        self._pieces: Iterator[Piece] | None = None

    def mark(self, body: bytes) -> None:
        """Take the ranges that a record marks as deleted."""
        for start, end, what in struct.iter_unpack("<3I", body[: len(body) // 12 * 12]):
            if what >> 24 == DELETED:
                self._deletions.append((start, end))
        self._deletions.sort()

    def raise_(self, body: bytes, shapes: Container[int]) -> None:
        """Take from a record the ranges whose shape is one of these."""
        places = [*struct.iter_unpack("<2I", body[: len(body) // 8 * 8]), (len(self._units), 0)]
        self._raised = [
            (start, end) for (start, shape), (end, _) in pairwise(places) if shape in shapes and start < end
        ]

    @property
    def ends_deleted(self) -> bool:
        return any(end >= len(self._units) for _, end in self._deletions)

    def rest(self) -> Iterator[Piece]:
        """Return the pieces that are not yet read. All deletions must be marked by now."""
        if self._pieces is None:
            if not self._deletions and not self._raised and CONTROL.search(self._units) is None:
                self._pieces = iter(((_characters(self._units), False, False),))
            else:
                self._pieces = self._cut()
        return self._pieces

    def _cut(self) -> Iterator[Piece]:
        at = 0
        deletions, raised = _Cursor(self._deletions), _Cursor(self._raised)
        for control in CONTROL.finditer(self._units):
            yield from self._plain(at, control.start(), deletions, raised)
            at = control.end()
            if control[0][0] == "\t":
                yield "\t", deletions.covers(control.start()), False
            elif control[0][0] in DESCRIBED:
                yield None, deletions.covers(control.start()), False
        yield from self._plain(at, len(self._units), deletions, raised)

    def _plain(self, at: int, end: int, deletions: _Cursor, raised: _Cursor) -> Iterator[Piece]:
        while at < end:
            covered = deletions.covers(at), raised.covers(at)
            stop = min(end, deletions.change, raised.change)
            yield _characters(self._units[at:stop]), *covered
            at = stop


class _Cursor:
    """Tells whether a place lies in one of the ranges; both come in order."""

    def __init__(self, ranges: list[tuple[int, int]]) -> None:
        self._ranges = ranges
        self._at = 0
        self.change = 0
        """Where the last answer ends to hold."""

    def covers(self, place: int) -> bool:
        while self._at < len(self._ranges) and self._ranges[self._at][1] <= place:
            self._at += 1
        if self._at == len(self._ranges):
            self.change = 1 << 32
            return False
        start, end = self._ranges[self._at]
        self.change = end if start <= place else start
        return start <= place


def _characters(units: str) -> str:
    plain = units.translate(SINGLE)
    if SURROGATE.search(plain) is None:
        return plain
    return plain.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def form_text(body: bytes) -> str:
    """Return what a form's field shows: a button's caption and state, the text of a box or list."""
    properties = body[FIELDS_AT:].decode("utf-16-le", "replace")
    fields: dict[str, str] = {}
    at = 0
    while found := FIELD.search(properties, at):
        at, length = found.end(), int(found["length"] or "0")
        if found["kind"] == "wstring":
            fields[found["name"]] = properties[at : at + length]
            at += length
        else:
            fields[found["name"]] = found["value"] or ""
    off, on = CHECKS.get(body[2::-1], ("", ""))
    return (on if fields.get("Value", "0") not in ("0", "") else off) + (
        fields.get("Caption") or fields.get("Text", "")
    )
