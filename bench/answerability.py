"""How far words alone can tell a question that its passage answers from one that merely looks like it.

    python -m bench.answerability --tydi tydiqa.goldp.en.train.json --squad dev-v2.0.json

A logistic regression over cheap features of a question and its best sentence (coverage, names, numbers, negation,
superlatives, the kind of answer asked for) is trained on TyDi QA, whose questions are made into look-alikes by a name,
a number, a negation or a superlative put in, or by the passage's answering sentence taken out. It is evaluated on
SQuAD 2.0's development set, where people wrote both kinds for the same paragraphs; the paragraph is given, so that this
is the most that a gate behind a search could refuse. Nothing is trained on SQuAD.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from app.grounding.expected import NAME_ASKED, NUMBER_ASKED
from app.grounding.extractive import bearing
from app.language.content_words import content_words, precision, terms_of
from app.language.sentences import split_sentences
from app.retrieval.match import Match
from bench.retrieval.report import table

Floats: TypeAlias = NDArray[np.float64]

NAMES = (
    *("bearing", "in the best sentence", "in two of them", "in the passage", "words missing", "names missing"),
    *(
        "numbers missing",
        "negated on one side",
        "superlative missing",
        "number asked, none new",
        "name asked, none new",
    ),
    *("words of the question", "sentences of the passage"),
)
NEGATION = re.compile(r"\b(?:not|never|no|none|without|cannot|un\w+|in(?:capable|ability)|\w+n['’]t)\b", re.IGNORECASE)
SUPERLATIVE = re.compile(r"\b(?:most|least|first|last|only|best|worst|never|always|\w{3,}est)\b", re.IGNORECASE)
NAME = re.compile(r"(?<=\w )[A-Z][\w'’-]+(?: [A-Z][\w'’-]+)*")
NUMBER = re.compile(r"\b[0-9][0-9.,]*\b")
VERB = re.compile(r"\b(?:is|are|was|were|did|does|do|has|have|had|can|could|will|would)\b", re.IGNORECASE)
ADDED = ("first", "only", "largest", "last", "smallest", "oldest")
KEPT = (0.98, 0.95, 0.9, 0.8)
PENALTY, STEPS, RATE = 1e-3, 3000, 0.5
RESAMPLED, SEED = 1000, 0


@dataclass(frozen=True, slots=True)
class Pair:
    question: str
    passage: str
    answered: bool


def tydi(file: Path) -> Iterator[tuple[str, str, str]]:
    for document in json.loads(file.read_text("utf-8"))["data"]:
        for paragraph in document["paragraphs"]:
            for asked in paragraph["qas"]:
                answers = [each["text"] for each in asked["answers"] if each["text"]]
                if answers:
                    yield asked["question"], paragraph["context"], answers[0]


def training(rows: Sequence[tuple[str, str, str]], rng: Random) -> Iterator[Pair]:
    """Yield each question as it is, and a look-alike of it."""
    names = [name for question, _, _ in rows for name in NAME.findall(question)]
    numbers = [number for _, passage, _ in rows for number in NUMBER.findall(passage)]
    for question, passage, answer in rows:
        yield Pair(question, passage, answered=True)
        changed = lookalike(question, rng, names, numbers)
        rest = without_answer(passage, answer)
        if changed is not None and rng.random() < 2 / 3:
            yield Pair(changed, passage, answered=False)
        elif rest:
            yield Pair(question, rest, answered=False)


def lookalike(question: str, rng: Random, names: Sequence[str], numbers: Sequence[str]) -> str | None:
    """Put another name or number in, or a negation or a superlative."""
    ways = []
    if found := NAME.search(question):
        ways.append(question[: found.start()] + rng.choice(names) + question[found.end() :])
    if found := NUMBER.search(question):
        ways.append(question[: found.start()] + rng.choice(numbers) + question[found.end() :])
    if found := VERB.search(question):
        ways.append(question[: found.end()] + " not" + question[found.end() :])
    if " the " in question:
        ways.append(question.replace(" the ", f" the {rng.choice(ADDED)} ", 1))
    return rng.choice(ways) if ways else None


def without_answer(passage: str, answer: str) -> str:
    spans = split_sentences(passage)
    return " ".join(passage[start:stop] for start, stop in spans if answer not in passage[start:stop])


def features(pair: Pair) -> list[float]:
    asked = list(dict.fromkeys(content_words(pair.question)))
    sentences = [pair.passage[start:stop] for start, stop in split_sentences(pair.passage)] or [pair.passage]
    terms = [terms_of(sentence) for sentence in sentences]
    everything = terms_of(pair.passage)
    shares = [precision(asked, each) if asked else 0.0 for each in terms]
    best = int(np.argmax(shares))
    both = [precision(asked, one | other) for one, other in pairwise(terms)] if asked else []
    match = Match("chunk", "document", None, None, None, pair.passage, 0, {}, 0, len(pair.passage))
    new = sentences[best]
    for word in re.findall(r"\w+", pair.question):
        new = re.sub(rf"\b{re.escape(word)}\b", " ", new, flags=re.IGNORECASE)
    return [
        bearing(pair.question, [match]),
        shares[best],
        max([shares[best], *both]),
        precision(asked, everything) if asked else 0.0,
        float(sum(not set(word) <= everything for word in asked)),
        float(sum(not terms_of(name) <= everything for name in NAME.findall(pair.question))),
        float(sum(not terms_of(number) <= terms[best] for number in NUMBER.findall(pair.question))),
        float(bool(NEGATION.search(pair.question)) != bool(NEGATION.search(sentences[best]))),
        float(any(word.casefold() not in sentences[best].casefold() for word in SUPERLATIVE.findall(pair.question))),
        float(bool(NUMBER_ASKED.search(pair.question)) and not NUMBER.search(new)),
        float(bool(NAME_ASKED.search(pair.question)) and not re.search(r"\b[A-Z]\w", new)),
        float(len(asked)),
        float(len(sentences)),
    ]


@dataclass(frozen=True, slots=True)
class Regression:
    """Of standardised features."""

    mean: Floats
    spread: Floats
    weights: Floats

    def scores(self, rows: Floats) -> Floats:
        scored: Floats = (rows - self.mean) / self.spread @ self.weights
        return scored


def fit(rows: Floats, answered: Floats) -> Regression:
    mean, spread = rows.mean(axis=0), np.maximum(rows.std(axis=0), 1e-9)
    inputs = np.hstack([(rows - mean) / spread, np.ones((len(rows), 1))])
    weights = np.zeros(inputs.shape[1])
    for _ in range(STEPS):
        errors = 1 / (1 + np.exp(-inputs @ weights)) - answered
        weights -= RATE * (inputs.T @ errors / len(rows) + PENALTY * weights)
    return Regression(mean, spread, weights[:-1])


def squad(file: Path, rng: Random, count: int) -> list[Pair]:
    """Return as many questions of each kind."""
    kinds: dict[bool, list[Pair]] = {True: [], False: []}
    for article in json.loads(file.read_text("utf-8"))["data"]:
        for paragraph in article["paragraphs"]:
            for asked in paragraph["qas"]:
                answered = not asked["is_impossible"]
                kinds[answered].append(Pair(asked["question"], paragraph["context"], answered))
    for pairs in kinds.values():
        rng.shuffle(pairs)
    return [*kinds[True][:count], *kinds[False][:count]]


def auroc(answered: Floats, others: Floats) -> float:
    below = np.searchsorted(np.sort(others), answered, "left") + np.searchsorted(np.sort(others), answered, "right")
    return float(below.mean() / 2 / len(others))


def figures(answered: Floats, others: Floats) -> list[float]:
    """Return the AUROC, and the share of look-alikes refused where so many answered questions are kept."""
    return [auroc(answered, others), *(float((others < np.quantile(answered, 1 - kept)).mean()) for kept in KEPT)]


def with_intervals(answered: Floats, others: Floats) -> list[str]:
    drawn = np.random.default_rng(SEED)
    again = [
        figures(drawn.choice(answered, len(answered)), drawn.choice(others, len(others))) for _ in range(RESAMPLED)
    ]
    low, high = np.quantile(again, [0.025, 0.975], axis=0)
    found = figures(answered, others)
    return [f"{each:.2f} [{low[at]:.2f}, {high[at]:.2f}]" for at, each in enumerate(found)]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.answerability")
    parser.add_argument("--tydi", type=Path, nargs="+", required=True, help="files of TyDi QA GoldP")
    parser.add_argument("--squad", type=Path, required=True, help="SQuAD 2.0's development set, for measuring alone")
    parser.add_argument("--sample", type=int, default=600, help="questions of each kind (600)")
    options = parser.parse_args(arguments)
    rng = Random(SEED)
    rows = [row for file in options.tydi for row in tydi(file)]
    taught = list(training(rows, rng))
    model = fit(np.array([*map(features, taught)]), np.array([pair.answered for pair in taught], float))
    pairs = squad(options.squad, rng, options.sample)
    values = np.array([*map(features, pairs)])
    answered = np.array([pair.answered for pair in pairs])
    lines = [["score", "AUROC", *(f"refused, {kept:.0%} kept" for kept in KEPT)]]
    for name, scores in (("regression", model.scores(values)), ("bearing alone", values[:, 0])):
        lines.append([name, *with_intervals(scores[answered], scores[~answered])])
    print(table(lines))
    print(
        table(
            [
                ["feature", "weight"],
                *([name, f"{weight:+.2f}"] for name, weight in zip(NAMES, model.weights, strict=True)),
            ]
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
