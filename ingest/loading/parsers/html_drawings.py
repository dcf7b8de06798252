"""Reads the words in drawings (SVG) of HTML, which stand for the drawing, as what describes a picture does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ingest.loading.parsers.html_elements import is_hidden
from ingest.loading.parsers.html_tokens import End, Start, Token
from ingest.loading.parsers.marks import marked


def with_drawings(found: Iterable[Token]) -> Iterator[Token]:
    """Yield the tokens, with a paragraph after each drawing that has words."""
    depth, texts, hidden = 0, 0, False
    words: list[str] = []
    for token in found:
        yield token
        match token:
            case Start("svg") if not token.is_empty:
                hidden = is_hidden(token) if depth == 0 else hidden
                depth += 1
            case Start("text" | "foreignobject") if depth and not token.is_empty:
                texts += 1
            case str() if depth and texts:
                words += token.split()
            case End("text" | "foreignobject") if texts:
                texts -= 1
            case End("svg") if depth:
                depth -= 1
                if depth == 0:
                    if words and not hidden:
                        yield from (Start("p"), marked("Picture", " ".join(words)), End("p"))
                    texts, words = 0, []
