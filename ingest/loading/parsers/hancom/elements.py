"""Feeds XML to handlers by the names of elements: most elements of a section have none, and must cost little."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, TypeVar
from xml.parsers import expat

from ingest.loading.parsers.ooxml import Attributes, refuse_doctype

DamagedXml = expat.ExpatError
Handler = TypeVar("Handler")
# The layout of lines and characters is half of a document, and most of the time that it takes to read.
LAYOUT = re.compile(rb"<hh:charPr [^<>]*>(?:<hh:\w+ [^<>]*/>)*</hh:charPr>|<hp:cell(?:Sz|Margin) [^<>]*/>")
LINES = re.compile(rb"<hp:linesegarray>((?:<hp:lineseg [^<>]*/>)*)</hp:linesegarray>")
LINE = re.compile(rb' vertpos="(-?\d{1,9})" vertsize="(\d{1,9})"')
PIECE = 1 << 18


class ElementReader(Protocol):
    """Handles elements by their local names."""

    @property
    def starts(self) -> Mapping[str, Callable[[Attributes], None]]: ...

    @property
    def ends(self) -> Mapping[str, Callable[[], None]]: ...

    def text(self, text: str) -> None: ...


class _Qualified(dict[str, Handler | None]):
    """Finds each qualified name's handler once."""

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        super().__init__()
        self._handlers = handlers

    def __missing__(self, qualified: str) -> Handler | None:
        handler = self[qualified] = self._handlers.get(qualified.rpartition(":")[2])
        return handler


def read_part(archive: zipfile.ZipFile, name: str, reader: ElementReader) -> None:
    with archive.open(name) as part:
        feed((LINES.sub(_in_one, LAYOUT.sub(b"", piece)) for piece in iter(lambda: part.read(PIECE), b"")), reader)


def _in_one(lines: re.Match[bytes]) -> bytes:
    """Write the tops and heights of a paragraph's lines as one element."""
    return b'<hp:lines of="%b"/>' % b" ".join(b"%b %b" % line for line in LINE.findall(lines[1]))


def feed(pieces: Iterable[str | bytes], reader: ElementReader) -> None:
    starts, ends = _Qualified(reader.starts), _Qualified(reader.ends)

    def start(qualified: str, attributes: list[str]) -> None:
        if (handler := starts[qualified]) is not None:
            handler(dict(zip(attributes[::2], attributes[1::2], strict=True)))

    def end(qualified: str) -> None:
        if (handler := ends[qualified]) is not None:
            handler()

    parser = expat.ParserCreate()
    parser.buffer_text = parser.ordered_attributes = True
    parser.StartDoctypeDeclHandler = refuse_doctype
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = reader.text
    for piece in pieces:
        parser.Parse(piece)
    parser.Parse(b"", True)
