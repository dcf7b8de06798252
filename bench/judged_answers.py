"""The checks of answers by words and by the engine, sentence by sentence, against labels set by hand.

    python -m bench.judged_answers --data ../shared/data --judged judged.jsonl --home H   # asks the engine of H
    python -m bench.judged_answers --data ../shared/data --judged judged.jsonl            # tables of what is there

bench/labels/answers.jsonl has answers of Qwen2.5-Coder-1.5B-Instruct to questions of the evaluation sets with the two
sources that it saw, and for each sentence whether these say it. The labels were set before any check was looked at.
Thresholds are chosen on the sentences of one half of the questions and reported on the other.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from app.evaluation.questions import CorpusDocument
from app.generation.replica import EngineReplica
from app.generation.timeouts import Timeouts
from app.grounding.citations import Support, cite
from app.grounding.judge import NARROW, SUPPORTED_FROM, EngineJudge
from app.grounding.markers import MARKER
from app.prompting.elements import build_messages, elements_for
from app.prompting.fencing import new_fence
from app.retrieval.match import Match
from bench import stack
from bench.answer import data
from bench.retrieval.report import table

LABELS = Path(__file__).with_name("labels") / "answers.jsonl"
PATIENT = Timeouts(5, 900, 600, 1800)
THRESHOLDS = [step / 20 for step in range(1, 20)]
RESAMPLED = 1000


class Sentence(BaseModel):
    text: str
    supported: bool


class SourceSpan(BaseModel):
    document: str
    start: int
    end: int


class Labelled(BaseModel):
    """An answer as /query gave it, what it was written from, in its order, and its labelled sentences."""

    question: str
    language: str
    sources: list[SourceSpan]
    answer: str
    sentences: list[Sentence]


class Judged(BaseModel):
    """What the words say of a sentence (`passed`, their `share` and `reason`), and the engine's `score`."""

    question: str
    language: str
    text: str
    supported: bool
    passed: bool
    share: float
    reason: str | None
    askable: bool
    score: float | None
    tokens: int
    seconds: float


Passes = Callable[[Judged], bool]


def labelled() -> list[Labelled]:
    return [Labelled.model_validate_json(line) for line in LABELS.read_text("utf-8").splitlines()]


def lexical(each: Judged) -> bool:
    return each.passed


def by_engine(from_score: float) -> Passes:
    """A sentence of which the engine says neither is left as the words have it."""

    def passes(each: Judged) -> bool:
        return each.score >= from_score if each.askable and each.score is not None else each.passed

    return passes


def auto(from_score: float, narrow: float = NARROW) -> Passes:
    engine = by_engine(from_score)

    def passes(each: Judged) -> bool:
        doubtful = each.share < narrow if each.passed else each.reason == "no_source"
        return engine(each) if doubtful else each.passed

    return passes


async def judge_all(rows: Sequence[Labelled], folder: Path, url: str, key: str | None, file: Path) -> None:
    """Append each answer's sentences once they are judged; leave out those that are there."""
    known = {each.question for each in judged(file)}
    texts = texts_of(folder)
    questions = questions_of(folder)
    engine = EngineReplica(url, key=key, model=None, timeouts=PATIENT)
    try:
        for row in rows:
            if row.question not in known:
                matches = [match_of(each, texts[each.document]) for each in row.sources]
                found = await _judge(engine, row, matches, questions[row.question])
                with file.open("a", encoding="utf-8") as out:
                    out.write("".join(f"{each.model_dump_json()}\n" for each in found))
    finally:
        await engine.close()


async def _judge(engine: EngineReplica, row: Labelled, matches: Sequence[Match], question: str) -> list[Judged]:
    support = cite(row.answer, matches, question)
    fence = new_fence((await engine.served()).special_tokens)
    prompt = build_messages(elements_for(question), matches, question, fence)
    judge = EngineJudge(engine, 1, [*prompt, {"role": "assistant", "content": row.answer}])
    return list(await asyncio.gather(*(_sentence(judge, row, support, each) for each in row.sentences)))


async def _sentence(judge: EngineJudge, row: Labelled, support: Support, sentence: Sentence) -> Judged:
    checked = next((each for each in support.sentences if _bare(each.text) == _bare(sentence.text)), None)
    marked = [_bare(support.answer[span.start : span.end]) for span in support.unsupported]
    began = time.perf_counter()
    judgement = await judge.judge(sentence.text)
    return Judged(
        question=row.question,
        language=row.language,
        **sentence.model_dump(),
        passed=_bare(sentence.text) not in marked,
        share=checked.verdict.score if checked else 0,
        reason=checked.verdict.reason if checked else None,
        askable=checked is not None,
        score=judgement.score,
        tokens=judgement.prompt_tokens + judgement.completion_tokens,
        seconds=round(time.perf_counter() - began, 3),
    )


def judged(file: Path) -> list[Judged]:
    lines = file.read_text("utf-8").splitlines() if file.exists() else []
    return [Judged.model_validate_json(line) for line in lines]


def tables(rows: Sequence[Judged]) -> Iterator[str]:
    for language, name in data.LANGUAGES.items():
        own = [each for each in rows if each.language == language]
        if not own:
            continue
        names = sorted({each.question for each in own})
        tuning = set(names[::2])
        chosen = [each for each in own if each.question in tuning]
        reported = [each for each in own if each.question not in tuning]
        best_engine = max(THRESHOLDS, key=lambda at: _f1(chosen, by_engine(at)))
        best_auto = max(THRESHOLDS, key=lambda at: _f1(chosen, auto(at)))
        ways: dict[str, Passes] = {
            "lexical": lexical,
            f"engine, {SUPPORTED_FROM}": by_engine(SUPPORTED_FROM),
            f"engine, {best_engine} (tuned)": by_engine(best_engine),
            f"auto, {SUPPORTED_FROM}": auto(SUPPORTED_FROM),
            f"auto, {best_auto} (tuned)": auto(best_auto),
        }
        yield f"### {name}: {len(own)} sentences of {len(names)} answers, {sum(e.supported for e in own)} supported"
        yield f"The reported half: {len(reported)} sentences\n\n{_table(reported, ways)}"
        yield f"All\n\n{_table(own, ways)}"
        yield f"Engine's score: AUROC {_auroc(own):.3f}; tokens a sentence {np.mean([e.tokens for e in own]):.0f}; " + (
            f"seconds a sentence p50 {np.median([e.seconds for e in own]):.1f}; no answer {_unanswered(own)}"
        )


def _table(rows: Sequence[Judged], ways: dict[str, Passes]) -> str:
    cells = [["", "precision", "recall", "F1", "F1 less lexical's", "wrongly marked", "wrongly passed"]]
    drawn = np.random.default_rng(0).integers(0, len(rows), (RESAMPLED, len(rows)))
    base = np.array([_shares(rows, lexical, each)[2] for each in drawn])
    for name, passes in ways.items():
        whole = _shares(rows, passes, np.arange(len(rows)))
        values = np.array([_shares(rows, passes, each) for each in drawn])
        low, high = np.quantile(values, [0.025, 0.975], axis=0)
        less = np.quantile(values[:, 2] - base, [0.025, 0.975])
        shown = [f"{each:.2f} [{a:.2f}, {b:.2f}]" for each, a, b in zip(whole, low, high, strict=True)]
        cells.append([name, *shown[:3], f"[{less[0]:+.2f}, {less[1]:+.2f}]", *shown[3:]])
    return table(cells)


def _shares(rows: Sequence[Judged], passes: Passes, at: Any) -> list[float]:
    """Return precision, recall and F1 of finding what is unsupported, and what is wrongly marked and wrongly passed."""
    truth = np.array([not each.supported for each in rows])[at]
    found = np.array([not passes(each) for each in rows])[at]
    both = float((truth & found).sum())
    precision, recall = both / max(1, found.sum()), both / max(1, truth.sum())
    f1 = 2 * both / max(1, found.sum() + truth.sum())
    return [precision, recall, f1, float((~truth & found).sum()) / max(1, (~truth).sum()), 1 - recall]


def _f1(rows: Sequence[Judged], passes: Passes) -> float:
    return _shares(rows, passes, np.arange(len(rows)))[2]


def _auroc(rows: Sequence[Judged]) -> float:
    right = [each.score for each in rows if each.supported and each.score is not None]
    wrong = [each.score for each in rows if not each.supported and each.score is not None]
    return float(np.mean([(a > b) + (a == b) / 2 for a in right for b in wrong])) if right and wrong else float("nan")


def _unanswered(rows: Sequence[Judged]) -> int:
    return sum(each.score is None for each in rows)


def _bare(text: str) -> str:
    return " ".join(MARKER.sub(" ", text).split())


def texts_of(folder: Path) -> dict[str, CorpusDocument]:
    corpora = (data.corpus(folder / language) for language in data.LANGUAGES)
    return {each.id: each for corpus in corpora for each in corpus}


def questions_of(folder: Path) -> dict[str, str]:
    return {
        each.id: each.text
        for language in data.LANGUAGES
        for each in data.questions(folder / language, language, None, None, 0)
    }


def match_of(source: SourceSpan, document: CorpusDocument) -> Match:
    text = document.text[source.start : source.end]
    return Match(source.document, source.document, None, document.title, None, text, 0, {}, source.start, source.end)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.judged_answers", description="The checks, measured")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="holds en and ko (../shared/data)")
    parser.add_argument("--judged", type=Path, required=True, help="the file of what the engine has said")
    parser.add_argument("--home", type=Path, help="the folder of bench.capable, whose engine is started and asked")
    options = parser.parse_args()
    if options.home:
        settings = {"engine": "vllm", "model": options.home.absolute() / "qwen2.5-coder-1.5b-instruct"}
        with stack.started_with_engine(options.home / "service", **settings) as (_, engine, key):
            asyncio.run(judge_all(labelled(), options.data, engine, key, options.judged))
    print("\n\n".join(tables(judged(options.judged))))


if __name__ == "__main__":
    main()
