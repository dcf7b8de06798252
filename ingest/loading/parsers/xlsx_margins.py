"""Reads the heads and feet of a worksheet's printed pages, without the codes that format them or count pages."""

from __future__ import annotations

import re

from ingest.loading.parsers.marks import PAGE_WORDS, marked
from ingest.loading.parsers.ooxml import Attributes
from ingest.loading.parsers.xlsx_cells import one_line

PLACES = ("odd", "even", "first")
# Left, middle and right; then fonts, sizes, colours, and what stands for dates, pages and names.
CODE = re.compile(
    r'(?:\bpage\s*)?&P\s*(?:of|/)\s*&N|&(?:(&)|([LCR])|"[^"]*"|[0-9]+|K(?:[0-9A-F]{6}|[0-9]{2}[+-][0-9]{3})|[A-Z])',
    re.IGNORECASE,
)


class Margins:
    """Receives `headerFooter`."""

    def __init__(self) -> None:
        self._shown = {"odd"}
        self._texts: dict[str, dict[str, str]] = {"Header": {}, "Footer": {}}
        self._place = self._kind = ""

    def start(self, name: str, attributes: Attributes) -> None:
        if name == "headerFooter":
            for place, key in (("first", "differentFirst"), ("even", "differentOddEven")):
                if attributes.get(key) in ("1", "true"):
                    self._shown.add(place)
        else:
            place, kind = name[:-6], name[-6:]
            self._place, self._kind = (place, kind) if place in self._shown and kind in self._texts else ("", "")

    def text(self, text: str) -> None:
        if self._place:
            texts = self._texts[self._kind]
            texts[self._place] = texts.get(self._place, "") + text

    def end(self, _: str) -> None:
        self._place = ""

    def heads(self) -> dict[str, None]:
        return self._marked("Header")

    def feet(self) -> dict[str, None]:
        return self._marked("Footer")

    def _marked(self, kind: str) -> dict[str, None]:
        texts = [_shown(self._texts[kind].get(place, "")) for place in PLACES]
        return {marked(kind, text): None for text in texts if text}


def _shown(text: str) -> str:
    plain = CODE.sub(lambda found: found[1] or ("\n" if found[2] else ""), text)
    lines = map(one_line, plain.split("\n"))
    return "\n".join(line for line in lines if not PAGE_WORDS.fullmatch(line))
