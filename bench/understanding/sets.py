"""The questions of a kind, with the shelf they are asked of."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.evaluation.questions import CorpusDocument

FOLDER = Path(__file__).parent / "sets"
KINDS = ("polite", "numbers", "copies", "followups", "crosslingual", "language", "shelf")
HALVES = ("tune", "report")
ABOUT_THE_SHELF = "about_the_shelf"
NO_ANSWER = "no_answer"


@dataclass(frozen=True, slots=True)
class Case:
    """`expected`: a part of the answer, the title of a document, a language, or one of the constants above."""

    text: str
    expected: str
    turns: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Shelf:
    kind: str
    language: str
    half: str
    documents: Sequence[CorpusDocument]
    titles: int
    cases: Sequence[Case]


def shelves(kinds: Sequence[str], halves: Sequence[str]) -> Iterator[Shelf]:
    for kind in kinds:
        languages = json.loads((FOLDER / f"{kind}.json").read_text("utf-8"))
        for language, by_half in languages.items():
            for half in halves:
                part = by_half[half]
                documents = list(_documents(f"{kind}-{language}-{half}", part))
                titles = len(part.get("documents", {}))
                yield Shelf(kind, language, half, documents, titles, list(_cases(part)))


def _documents(name: str, part: Mapping[str, Any]) -> Iterator[CorpusDocument]:
    copies = part.get("copies", {})
    for number, (title, text) in enumerate(part.get("documents", {}).items()):
        for copy, ending in enumerate(copies.get(title, [""])):
            yield CorpusDocument(doc_id=f"{name}-{number}-{copy}", title=title, text=text + ending)


def _cases(part: Mapping[str, Any]) -> Iterator[Case]:
    for text, expected in {**part.get("questions", {}), **part.get("same_language", {})}.items():
        yield Case(text, expected or NO_ANSWER)
    for phrase, expected in part.get("phrases", {}).items():
        for form in part["forms"]:
            yield Case(form.format(phrase), expected or NO_ANSWER)
    for conversation in part.get("conversations", []):
        for text, expected in conversation["then"].items():
            yield Case(text, expected or NO_ANSWER, conversation["turns"])
    for text in part.get("about", []):
        yield Case(text, ABOUT_THE_SHELF)
