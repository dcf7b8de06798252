"""Reads HWPML, Hancom's documents as one XML file; law.go.kr serves such files as `.hwp`.

The names are those of HWPX in capitals, but for a few: they are translated, and HWPX's readers read them.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ingest.loading.parsed import Options, Parsed
from ingest.loading.parsers.hancom.body import Body
from ingest.loading.parsers.hancom.elements import ElementReader, feed
from ingest.loading.parsers.hancom.heads import HeadReader
from ingest.loading.parsers.hancom.sections import SectionReader
from ingest.loading.parsers.hancom.styles import Styles
from ingest.loading.parsers.ooxml import Attributes

ELEMENTS = {
    "P": "p", "TEXT": "run", "CHAR": "t", "TABLE": "tbl", "CELL": "tc", "PARALIST": "subList", "SECDEF": "secPr",
    "PICTURE": "pic", "HYPEN": "hyphen", "EDITTEXT": "text", "CHARSHAPE": "charPr",
    "SUPERSCRIPT": "supscript",
}  # fmt: skip
SAME_NAMES = (
    "footNote endNote header footer hiddenComment drawText caption masterPage fieldBegin autoNum autoNumFormat newNum "
    "compose dutmal mainText subText textart comboBox listBox listItem equation script ole chart video lineBreak tab "
    "shapeComment nbSpace fwSpace deleteBegin deleteEnd numbering bullet paraHead"
)
ELEMENTS |= {name.upper(): name for name in SAME_NAMES.split()}
# The element within says what the button shows.
BUTTONS = {"BUTTON": "btn", "CHECKBUTTON": "checkBtn", "RADIOBUTTON": "radioBtn"}
ATTRIBUTES = {
    "ParaShape": "paraPrIDRef", "CharShape": "charPrIDRef", "OutlineShape": "outlineShapeIDRef", "Number": "num",
    "NumberType": "numType", "ParaEnd": "paraend",
}  # fmt: skip
PIECE = 1 << 20
# One that declares nothing is harmless; what it names is not read.
DOCTYPE = re.compile(r"<!DOCTYPE\s+HWPML\b[^<>\[]*>")


def read(content: str, options: Options) -> Parsed:
    styles = Styles()
    body = Body(styles, options)
    reader = HwpmlReader(HeadReader(styles), SectionReader(body))
    content = DOCTYPE.sub("", content[:PIECE], count=1) + content[PIECE:]
    feed((content[at : at + PIECE] for at in range(0, len(content), PIECE)), reader)
    return body.parsed("".join(reader.title))


class HwpmlReader:
    """Translates: the elements of the head go to the head's reader, the others to the section's."""

    def __init__(self, head: ElementReader, section: ElementReader) -> None:
        self.title: list[str] = []
        self._readers = (head, section)
        self._in_title = False
        self._button = ""
        self.starts: dict[str, Callable[[Attributes], None]] = {}
        self.ends: dict[str, Callable[[], None]] = {}
        for name, translated in ELEMENTS.items():
            for reader in self._readers:
                if translated in reader.starts:
                    self.starts[name] = _translating(reader.starts[translated])
                if translated in reader.ends:
                    self.ends[name] = reader.ends[translated]
        self._section = section
        self._head = head
        self.starts |= {
            "TITLE": lambda _: self._set_title(on=True),
            "PARASHAPE": self._open_shape,
            "CELL": self._open_cell,
            "BUTTONSET": lambda attributes: section.starts[self._button](_translated(attributes)),
        }
        self.starts |= {name: self._expect_button(translated) for name, translated in BUTTONS.items()}
        self.ends["TITLE"] = lambda: self._set_title(on=False)

    def text(self, text: str) -> None:
        if self._in_title:
            self.title.append(text)
        for reader in self._readers:
            reader.text(text)

    def _set_title(self, *, on: bool) -> None:
        self._in_title = on

    def _expect_button(self, name: str) -> Callable[[Attributes], None]:
        def expect(_: Attributes) -> None:
            self._button = name

        return expect

    def _open_shape(self, attributes: Attributes) -> None:
        self._head.starts["paraPr"](_translated(attributes))
        heading = {"type": "HeadingType", "idRef": "Heading", "level": "Level"}
        self._head.starts["heading"]({name: attributes.get(own, "") for name, own in heading.items()})

    def _open_cell(self, attributes: Attributes) -> None:
        translated = _translated(attributes)
        for name in ("tc", "cellAddr", "cellSpan"):
            self._section.starts[name](translated)


def _translating(handler: Callable[[Attributes], None]) -> Callable[[Attributes], None]:
    return lambda attributes: handler(_translated(attributes))


def _translated(attributes: Attributes) -> Attributes:
    names = ((ATTRIBUTES.get(name) or name[:1].lower() + name[1:], value) for name, value in attributes.items())
    translated = dict(names)
    # In capitals one name serves notes, numbers and changes, which HWPX spells apart.
    return {"number": translated.get("num", ""), "Id": translated.get("id", "")} | translated
