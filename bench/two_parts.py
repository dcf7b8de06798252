"""What it gives to search for the two parts of a question apart: python -m bench.two_parts DATA.

DATA holds the evaluation data. Two of its questions about different articles are joined into one by a conjunction; it
is cut again where a question word or a whole question follows, and five passages are taken in turn from what BM25 finds
for each part, or the first five of the whole. Neither a database nor a model runs.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

import numpy as np

from app.grounding.extractive import extract
from app.language.question_parts import question_parts
from app.retrieval.in_turn import in_turn
from app.retrieval.match import Match
from bench.answer.stems import PASSAGES, Passages
from bench.retrieval.report import table

Row: TypeAlias = dict[str, Any]

PAIRS = 300
SEED, RESAMPLED = 19, 2000


def joined(first: str, second: str, language: str) -> str:
    if language == "ko":
        return f"{first.rstrip('?？ ')}? 그리고 {second}"
    return f"{first.rstrip('? ')}, and {second[0].lower()}{second[1:]}"


def pairs(rows: Sequence[Row], rng: Random) -> list[tuple[Row, Row]]:
    shuffled = rng.sample(list(rows), len(rows))
    return [
        (one, other)
        for one, other in zip(shuffled[::2], shuffled[1::2], strict=False)
        if one["gold_doc_ids"][0].rpartition("-")[0] != other["gold_doc_ids"][0].rpartition("-")[0]
        or one["gold_doc_ids"][0].startswith("ko-ty")
    ][:PAIRS]


def measured(passages: Passages, one: Row, other: Row, language: str) -> tuple[list[bool], list[bool]]:
    """Return for the whole and for its parts: both passages found, either, both answers in the extract, either."""
    question = joined(one["text"], other["text"], language)
    cut = question_parts(question)
    whole, apart = passages.best(question), in_turn([passages.best(part) for part in cut])[:PASSAGES]
    together = [extract(question, whole)]
    each = [extract(part, passages.best(part)) for part in cut]
    return _held(whole, together, (one, other)), _held(apart, each, (one, other))


def _held(found: Sequence[Match], supports: Sequence[Any], rows: Sequence[Row]) -> list[bool]:
    documents = {match.document_id for match in found}
    text = " ".join(support.answer for support in supports if support)
    passages = [row["gold_doc_ids"][0] in documents for row in rows]
    answers = [any(answer in text for answer in row["answers"]) for row in rows]
    return [all(passages), any(passages), all(answers), any(answers)]


def compared(whole: Sequence[Sequence[bool]], apart: Sequence[Sequence[bool]]) -> Iterator[list[str]]:
    drawn = np.random.default_rng(SEED)
    names = ("both passages among the five", "one of them", "both answers in the extract", "one of them")
    for name, before, after in zip(names, np.array(whole, float).T, np.array(apart, float).T, strict=True):
        gains = after - before
        low, high = np.quantile(drawn.choice(gains, (RESAMPLED, len(gains))).mean(axis=1), [0.025, 0.975])
        yield [name, f"{before.mean():.3f}", f"{after.mean():.3f}", f"{gains.mean():+.3f} [{low:.3f}, {high:.3f}]"]


def main(data: Path) -> None:
    for language in ("en", "ko"):
        queries = _rows(data / language / "queries.jsonl")
        passages = Passages(_rows(data / language / "corpus.jsonl"))
        asked = pairs(queries, Random(SEED))
        results = [measured(passages, one, other, language) for one, other in asked]
        cut = sum(len(question_parts(row["text"])) > 1 for row in queries)
        print(f"\n{language}: {len(asked)} questions of two parts; {cut} of {len(queries)} of one part are cut too\n")
        lines = compared([whole for whole, _ in results], [apart for _, apart in results])
        print(table([["", "whole", "parts apart", "difference, paired"], *lines]))


def _rows(file: Path) -> list[Row]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
