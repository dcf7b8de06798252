"""Questions with and without an answer, and samples of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from random import Random
from typing import Any

from app.evaluation.questions import CorpusDocument

LANGUAGES = {"en": "English", "ko": "Korean"}
NOT_IN_AN_ID = re.compile(r"[^\w.\-:/ ]")


@dataclass(frozen=True)
class Question:
    """`kind` says why there is no answer; it is None where there is one."""

    id: str
    language: str
    text: str
    kind: str | None
    answers: tuple[str, ...] = ()
    gold: frozenset[str] = frozenset()


def corpus(folder: Path) -> list[CorpusDocument]:
    return [
        CorpusDocument(doc_id=_id(row["doc_id"]), title=row["title"] or None, text=row["text"])
        for row in _rows(folder / "corpus.jsonl")
    ]


def questions(folder: Path, language: str, sample: int | None, unanswerable: int | None, seed: int) -> list[Question]:
    """All, or as many as asked for, drawn with the seed; of the kinds without an answer equally many."""
    rng = Random(seed)
    with_answer = [
        Question(
            row["query_id"],
            language,
            row["text"],
            None,
            tuple(row["answers"]),
            frozenset(map(_id, row["gold_doc_ids"])),
        )
        for row in _rows(folder / "queries.jsonl")
    ]
    without = [
        Question(row["query_id"], language, row["text"], row["kind"]) for row in _rows(folder / "unanswerable.jsonl")
    ]
    rng.shuffle(with_answer)
    rng.shuffle(without)
    return [*with_answer[:sample], *_by_turns(without)[:unanswerable]]


def _by_turns(questions: Sequence[Question]) -> list[Question]:
    kinds = sorted({str(question.kind) for question in questions})
    rows = zip_longest(*([each for each in questions if each.kind == kind] for kind in kinds))
    return [question for question in chain.from_iterable(rows) if question is not None]


def _id(name: str) -> str:
    """As the service takes it: some articles have parentheses in their names."""
    return NOT_IN_AN_ID.sub("-", name)


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    if not file.is_file():
        raise SystemExit(f"{file} is not there: name the folder of the evaluation data with --data.")
    for line in file.read_text("utf-8").splitlines():
        yield json.loads(line)
