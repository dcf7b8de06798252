"""Compare English stemmers by what extractive answers make of them: python -m bench.answer.stems DATA.

DATA holds the evaluation data. Each question is asked of the five passages that BM25 finds; the five are the same for
each stemmer. Neither a database nor a model runs.
"""

from __future__ import annotations

import json
import math
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import Stemmer

from app.grounding.citations import cite
from app.grounding.extractive import bearing, extract
from app.language import content_words
from app.language.analyzer import Analyzer
from app.retrieval.match import Match
from app.storage.postings import IMPACT_SCALE, impacts

PASSAGES = 5
THRESHOLDS = (0.40, 0.42, 0.44, 0.445, 0.46)
STEMMERS: dict[str, Callable[[str], str]] = {
    "hand-made": content_words.stem,
    "Snowball": Stemmer.Stemmer("english").stemWord,
}


class Passages:
    """The corpus, searched by BM25."""

    def __init__(self, rows: Sequence[dict[str, Any]]) -> None:
        self._analyzer = Analyzer("bigrams")
        self._matches = [_match(row) for row in rows]
        self._postings: dict[str, dict[int, float]] = defaultdict(dict)
        for number, row in enumerate(rows):
            for term, impact in impacts(self._analyzer.chunk_terms([row["title"]], row["text"])).items():
                self._postings[term][number] = impact / IMPACT_SCALE

    def best(self, question: str) -> list[Match]:
        scores: Counter[int] = Counter()
        for term in set(self._analyzer.terms(question)):
            held = self._postings.get(term, {})
            weight = math.log(1 + (len(self._matches) - len(held) + 0.5) / (len(held) + 0.5))
            for number, impact in held.items():
                scores[number] += weight * impact  # type: ignore[assignment]
        return [self._matches[number] for number, _ in scores.most_common(PASSAGES)]


def main(folder: Path) -> None:
    passages = Passages(_rows(folder / "corpus.jsonl"))
    with_answer = [(row, passages.best(row["text"])) for row in _rows(folder / "queries.jsonl")]
    without = [(row, passages.best(row["text"])) for row in _rows(folder / "unanswerable.jsonl")]
    for name, stem in STEMMERS.items():
        content_words.stem = stem  # type: ignore[assignment]
        content_words._english.cache_clear()
        print(f"{name}: {_standing(with_answer)} extracts stand the check of citations")
        for least in THRESHOLDS:
            answers = [(row, extract(row["text"], found, min_share=least)) for row, found in with_answer]
            held = sum(any(each in support.answer for each in row["answers"]) for row, support in answers if support)
            answered = sum(support is not None for _, support in answers)
            false = sum(bearing(row["text"], found) >= least for row, found in without)
            print(
                f"  from {least}: {answered} of {len(answers)} answered, {held} hold the answer; {false} without cause"
            )


def _standing(asked: Sequence[tuple[dict[str, Any], list[Match]]]) -> str:
    supports = [(row, found, extract(row["text"], found)) for row, found in asked]
    checked = [cite(support.answer, found, row["text"]) for row, found, support in supports if support]
    return f"{sum(not support.unsupported for support in checked)} of {len(checked)}"


def _match(row: dict[str, Any]) -> Match:
    id_, text = row["doc_id"], row["text"]
    return Match(id_, id_, None, row["title"] or None, None, text, 0, {}, 0, len(text))


def _rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


if __name__ == "__main__":
    main(Path(sys.argv[1]) / "en")
