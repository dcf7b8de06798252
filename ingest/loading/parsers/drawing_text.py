"""Reads the paragraphs of shapes, in presentations, workbooks and charts."""

from __future__ import annotations

from collections.abc import Iterator

from ingest.loading.parsers.exponents import Run, joined
from ingest.loading.parsers.list_numbers import formatted
from ingest.loading.parsers.omml import EquationReader
from ingest.loading.parsers.xml_tree import Node

# The beginnings of the kinds of automatic numbers, in the words of Word.
NUMBERS = {
    "arabic": "decimal", "alphaLc": "lowerLetter", "alphaUc": "upperLetter", "romanLc": "lowerRoman",
    "romanUc": "upperRoman", "circleNum": "decimalEnclosedCircle", "ea1JpnKor": "japaneseCounting",
    "ea1Ch": "chineseCounting",
}  # fmt: skip
AROUND = {"Period": "{}.", "ParenR": "{})", "ParenBoth": "({})", "Minus": "- {} -"}


def paragraphs(body: Node) -> list[str]:
    """Return the text of each paragraph below the node, with its automatic number."""
    numbering = Numbering(body.child("lstStyle"))
    return [numbering.of(paragraph, joined(_runs(paragraph))) for paragraph in body.all("p")]


class Numbering:
    """Counts the numbered paragraphs of a text body, on each level."""

    def __init__(self, styles: Node) -> None:
        self._styles = styles
        self._counts: dict[int, tuple[str, int]] = {}

    def of(self, paragraph: Node, text: str) -> str:
        if not text.strip():
            return text
        properties = paragraph.child("pPr")
        level = int(properties.get("lvl", "0"))
        self._counts = {each: count for each, count in self._counts.items() if each <= level}
        number = properties.child("buAutoNum")
        if not any(each.name.startswith("bu") for each in properties):
            number = self._styles.child(f"lvl{level + 1}pPr", "buAutoNum")
        if not number:
            self._counts.pop(level, None)
            return text
        kind = number.get("type", "arabicPeriod")
        before, count = self._counts.get(level, ("", 0))
        count = count + 1 if before == kind else int(number.get("startAt", "1"))
        self._counts[level] = (kind, count)
        return f"{_number(kind, count)} {text}"


def _number(kind: str, count: int) -> str:
    written = next((name for start, name in NUMBERS.items() if kind.startswith(start)), "decimal")
    around = next((form for end, form in AROUND.items() if kind.endswith(end)), "{}")
    return around.format(formatted(count, written))


def _runs(node: Node) -> Iterator[Run]:
    for each in node:
        if each.name == "oMath":
            yield f"${_latex(each)}$", False
        elif each.name == "r" or each.name == "fld":
            raised = each.child("rPr").get("baseline", "0")
            yield each.child("t").text, raised.lstrip("+")[:1] not in ("0", "-")
        elif each.name == "br":
            yield "\n", False
        elif each.name != "Fallback":
            yield from _runs(each)


def _latex(equation: Node) -> str:
    reader = EquationReader()
    _tell(reader, equation)
    return reader.latex()


def _tell(reader: EquationReader, node: Node) -> None:
    for each in node.content:
        if isinstance(each, str):
            reader.text(each)
        else:
            reader.start(each.name, each.attributes)
            _tell(reader, each)
            reader.end(each.name)
