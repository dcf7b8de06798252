"""The check of answers by words, against what people said of real model outputs and of claims.

    python -m bench.support_check --begin BEGIN/wow/begin_test_wow.tsv --wice oracle_chunks/claim/test.jsonl

BEGIN (Dziri et al., TACL 2022; github.com/google/BEGIN-dataset) has replies of four models to a turn and a piece of
knowledge, labelled fully attributable or not; generic replies are left out. WiCE (Kamoi et al., EMNLP 2023;
github.com/ryokamoi/wice) has claims from Wikipedia with sentences of the page that they cite; here its oracle chunks,
of which one must support the claim whole. A text counts as supported if each of its sentences is, and one is cited.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from app.grounding.citations import Support, cite
from app.retrieval.match import Match
from bench.retrieval.report import table

RESAMPLED = 1000
SEED = 0


@dataclass(frozen=True, slots=True)
class Judged:
    """`supported` is what people said, `passed` what the check said, and `reason` why not."""

    supported: bool
    passed: bool
    reason: str | None


def begin(file: Path) -> Iterator[Judged]:
    with file.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
            if row["begin_label"] != "Generic":
                support = cite(row["response"], [_match(row["knowledge"])], row["message"])
                yield _judged(row["begin_label"] == "Fully attributable", [support])


def wice(file: Path) -> Iterator[Judged]:
    claims = defaultdict(list)
    for line in file.read_text("utf-8").splitlines():
        row = json.loads(line)
        claims[row["meta"]["id"]].append(row)
    for rows in claims.values():
        supports = [cite(row["claim"], [_match("\n".join(row["evidence"]))]) for row in rows]
        yield _judged(rows[0]["label"] == "supported", supports)


def _match(text: str) -> Match:
    return Match("chunk", "document", None, None, None, text, 0, {}, 0, len(text))


def _judged(supported: bool, supports: Sequence[Support]) -> Judged:
    if any(each.citations and not each.unsupported for each in supports):
        return Judged(supported, passed=True, reason=None)
    reasons = [reason for each in supports for reason in each.reasons.values()]
    return Judged(supported, passed=False, reason=reasons[0] if reasons else "no claim")


def _measures(rows: Sequence[Judged]) -> dict[str, tuple[float, float, float]]:
    """Return each measure with its 95 % interval; precision, recall and F1 are of finding what is unsupported."""
    truth = np.array([not each.supported for each in rows])
    found = np.array([not each.passed for each in rows])
    drawn = np.random.default_rng(SEED).integers(0, len(rows), (RESAMPLED, len(rows)))
    values = [_shares(truth[each], found[each]) for each in (np.arange(len(rows)), *drawn)]
    low, high = np.quantile(values[1:], [0.025, 0.975], axis=0)
    names = ("precision", "recall", "F1", "supported, marked unsupported", "unsupported, passed")
    return {name: (values[0][at], low[at], high[at]) for at, name in enumerate(names)}


def _shares(truth: npt.NDArray[np.bool_], found: npt.NDArray[np.bool_]) -> list[float]:
    both = float((truth & found).sum())
    precision, recall = both / max(1, found.sum()), both / max(1, truth.sum())
    wrongly = float((~truth & found).sum()) / max(1, (~truth).sum())
    return [precision, recall, 2 * both / max(1, found.sum() + truth.sum()), wrongly, 1 - recall]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.support_check", description="The check by words, measured")
    parser.add_argument("--begin", type=Path, help="a .tsv of BEGIN")
    parser.add_argument("--wice", type=Path, help="a .jsonl of WiCE's oracle chunks")
    options = parser.parse_args()
    for name, read, file in (("BEGIN", begin, options.begin), ("WiCE", wice, options.wice)):
        if file:
            rows = list(read(file))
            measured = _measures(rows).items()
            cells = [[name, f"{len(rows)} texts"], ["labelled supported", str(sum(each.supported for each in rows))]]
            cells += [[measure, f"{value:.3f} [{low:.3f}, {high:.3f}]"] for measure, (value, low, high) in measured]
            reasons = Counter(each.reason for each in rows if each.supported and each.reason)
            told = ", ".join(f"{reason} {count}" for reason, count in reasons.most_common())
            print(table([*cells, ["reasons of the supported ones that were marked", told]]), end="\n\n")


if __name__ == "__main__":
    main()
