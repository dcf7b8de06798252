"""Writes the formulas of HTML as LaTeX: as their author wrote it where that is there, else from MathML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ingest.loading.parsers.html_tokens import End, Start, Token
from ingest.loading.parsers.mathml import LETTERS, latex
from ingest.loading.parsers.xml_tree import Node

OTHERS = {"semantics", "annotation", "annotation-xml", "none"}
TEX = "application/x-tex"
# As Wikipedia has it around each.
DISPLAYED = re.compile(r"\{\\displaystyle (.*)\}", re.DOTALL)
# KaTeX draws with letters what it has written as MathML before.
DRAWN = "katex-html"
# Deeper elements are taken as if they stood here.
MAX_DEPTH = 50


class _Formula:
    def __init__(self) -> None:
        self._open = [Node("math")]

    def add(self, token: Token) -> bool:
        """Take a token; return whether the formula goes on."""
        match token:
            case str():
                self._open[-1].content.append(token)
            case Start() if not _is_of_formula(token.name):
                return False
            case Start():
                kind = {"encoding": token.attribute("encoding") or ""}
                node = Node(_local(token.name), kind)
                self._open[-1].content.append(node)
                is_letter = node.name in LETTERS and self._open[-1].name not in LETTERS
                if not token.is_empty and (len(self._open) < MAX_DEPTH or is_letter):
                    self._open.append(node)
            case End(name):
                places = [at for at, node in enumerate(self._open) if node.name == _local(name)]
                if places:
                    del self._open[max(1, places[-1]) :]
                return bool(places) and places[-1] > 0
        return True

    def text(self) -> str:
        written = (each.text for each in self._open[0].all("annotation") if each.get("encoding") == TEX)
        shown = (next(written, None) or latex(self._open[0])).strip()
        if found := DISPLAYED.fullmatch(shown):
            shown = found[1].strip()
        return f"${shown}$" if shown else ""


def with_formulas(found: Iterable[Token]) -> Iterator[Token]:
    """Yield the tokens, with a text for each formula. One that does not end does so before other elements."""
    formula: _Formula | None = None
    told, drawn = False, 0
    for token in found:
        if drawn:
            drawn += (isinstance(token, Start) and token.name == "span") - (token == End("span"))
        elif formula is None:
            if isinstance(token, Start) and _local(token.name) == "math":
                formula = _Formula()
            elif told and isinstance(token, Start) and token.name == "span" and DRAWN in token.attributes:
                told, drawn = False, 1
            else:
                told = told and isinstance(token, End)
                yield token
        elif not formula.add(token):
            yield formula.text()
            formula, told = None, True
            if not (isinstance(token, End) and _local(token.name) == "math"):
                yield token
    if formula is not None:
        yield formula.text()


def _is_of_formula(name: str) -> bool:
    return _local(name) in OTHERS or (
        _local(name).startswith("m") and _local(name) not in ("main", "mark", "menu", "map")
    )


def _local(name: str) -> str:
    return name.rpartition(":")[2]
