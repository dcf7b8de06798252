"""Measure how long the check by words takes for one answer: python -m bench.check_pace DATA.

The answers of bench/labels/answers.jsonl are checked with the two sources that each was written from, one after the
other in one thread. It uses no tokens. DATA holds the evaluation data.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from app.grounding.citations import cite
from app.retrieval.match import Match
from bench.judged_answers import Labelled, labelled, match_of, questions_of, texts_of
from bench.retrieval.report import table

# The fastest counts: what else the machine does is not the check's.
ROUNDS = 5


def main(data: Path) -> None:
    print(table(paced(labelled(), data)))


def paced(answers: Sequence[Labelled], data: Path) -> list[list[str]]:
    texts, questions = texts_of(data), questions_of(data)
    taken: dict[str, list[float]] = defaultdict(list)
    for each in answers:
        matches = [match_of(source, texts[source.document]) for source in each.sources]
        rounds = (_seconds(each.answer, matches, questions[each.question]) for _ in range(ROUNDS))
        taken[each.language].append(min(rounds))
    lines = [["", "answers", "p50", "p95"]]
    for language, seconds in taken.items():
        middle, most = 1000 * np.quantile(seconds, [0.5, 0.95])
        lines.append([language, str(len(seconds)), f"{middle:.1f} ms", f"{most:.1f} ms"])
    return lines


def _seconds(answer: str, matches: list[Match], question: str) -> float:
    started = time.perf_counter()
    cite(answer, matches, question)
    return time.perf_counter() - started


if __name__ == "__main__":
    main(Path(sys.argv[1]))
