"""How far words alone tell Korean questions that a passage answers from 100 that merely look so.

    python -m bench.korean_lookalikes ../shared/data

bench/labels/ko_lookalikes.jsonl has questions written by hand to passages of TyDi QA (Apache-2.0; named by id, the text
is in the evaluation data): each asks in the passage's words for something else that it does not say, such as a reason,
a price, another person's part or the next step. No name, number, negation or superlative is put into another question.
They stand against TyDi's own questions with the passage that answers them. The passage is given, so that this is the
most that a gate behind a search could refuse. Nothing is trained and nothing is chosen here.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from bench.answerability import KEPT, NAMES, Pair, features, with_intervals
from bench.retrieval.report import table

QUESTIONS = Path(__file__).with_name("labels") / "ko_lookalikes.jsonl"
# By their place among the features, and whether more of it speaks for an answer.
SCORES = {
    **dict.fromkeys(("bearing", "in the best sentence", "in two of them", "in the passage"), 1),
    **dict.fromkeys(("words missing", "words of the question"), -1),
}


def pairs(data: Path) -> list[Pair]:
    """Return those with an answer, then those without."""
    passages = {row["doc_id"]: row["text"] for row in rows(data / "ko" / "corpus.jsonl")}
    answered = [
        Pair(row["text"], passages[row["gold_doc_ids"][0]], answered=True)
        for row in rows(data / "ko" / "queries.jsonl")
        if row["query_id"].startswith("ko-ty-")
    ]
    return [*answered, *(Pair(row["text"], passages[row["passage"]], answered=False) for row in rows(QUESTIONS))]


def rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def main(data: Path) -> None:
    given = pairs(data)
    values = np.array([features(pair) for pair in given])
    answered = np.array([pair.answered for pair in given])
    lines = [["score", "AUROC", *(f"refused, {kept:.0%} kept" for kept in KEPT)]]
    for name, sign in SCORES.items():
        scores = sign * values[:, NAMES.index(name)]
        lines.append([name, *with_intervals(scores[answered], scores[~answered])])
    print(f"{answered.sum()} with an answer, {(~answered).sum()} without")
    print(table(lines))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
