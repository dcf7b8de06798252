"""How well the serving model tells, before it answers, whether its sources hold the answer.

    python -m bench.engine_answerability --data ../shared/data --squad dev-v2.0.json --told told.jsonl --url http://…
    python -m bench.engine_answerability --data ../shared/data --squad dev-v2.0.json --told told.jsonl

The engine is asked as `min_answerability` has it asked, and with `--bare` once more, whether they state it, yes or no.
Look-alikes have their paragraph given: SQuAD 2.0's impossible questions, and the hand-written Korean ones beside TyDi's
own. Of the evaluation sets the questions with an answer and the kinds without are asked over the two passages that BM25
finds. Each answer is appended to `--told`; what is there is not asked again. Without `--url` the tables alone are made.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, zip_longest
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from pydantic import BaseModel
from tqdm import tqdm

from app.generation.chat import ChatRequest
from app.generation.completion import Generation
from app.generation.replica import EngineReplica
from app.generation.timeouts import Timeouts
from app.grounding.answerability import SAMPLING, answerability
from app.grounding.extractive import bearing
from app.grounding.judge import chance_of_yes
from app.language.question_language import language_of
from app.prompting.elements import build_messages, elements_for
from app.prompting.fencing import new_fence
from app.retrieval.match import Match
from bench.answer import data
from bench.answer.stems import Passages
from bench.answerability import KEPT, Pair, squad, with_intervals
from bench.korean_lookalikes import pairs, rows
from bench.retrieval.report import table

PATIENT = Timeouts(5, 1800, 600, 1800)
BARE = {
    "en": "Do the sources state the answer to the question? Reply with one word, yes or no.",
    "ko": "출처에 이 질문의 답이 적혀 있습니까? 예 또는 아니요, 한 단어로만 답하세요.",
}
LOOKALIKE = "look-alike"
SEED = 0
# Of fewer nothing is told.
FEW = 8


@dataclass(frozen=True, slots=True)
class Asking:
    """`kind` is None where there is an answer; `given` are questions whose paragraph is known."""

    key: str
    language: str
    kind: str | None
    given: bool
    question: str
    matches: Sequence[Match]


class Told(BaseModel):
    """`quote` is the score of the gate, `bare` that of yes or no, `bearing` the words' own."""

    key: str
    language: str
    kind: str | None
    given: bool
    quote: float | None
    bare: float | None
    bearing: float
    tokens: int
    seconds: float


def askings(folder: Path, squad_file: Path, given: int, found: int) -> Iterator[Asking]:
    """Yield them by turns, so that what has been asked at any time is of all kinds."""
    english, korean = squad(squad_file, Random(SEED), given), pairs(folder)
    lists = [list(_given("en", english, given)), list(_given("ko", korean, given))]
    for language in data.LANGUAGES:
        passages = Passages(rows(folder / language / "corpus.jsonl"))
        asked = data.questions(folder / language, language, found, 3 * found, SEED)
        lists += [
            [
                Asking(each.id, language, each.kind, False, each.text, passages.best(each.text)[:2])
                for each in asked
                if each.kind == kind
            ][:found]
            for kind in (None, "withheld_passage", "off_corpus", "adversarial")
        ]
    yield from (each for each in chain.from_iterable(zip_longest(*lists)) if each is not None)


def _given(language: str, all_pairs: Sequence[Pair], count: int) -> Iterator[Asking]:
    for number in range(count):
        for answered in (True, False):
            own = [pair for pair in all_pairs if pair.answered == answered]
            if language == "ko":
                Random(SEED).shuffle(own)
            if number < len(own):
                kind = None if answered else LOOKALIKE
                match = Match("given", "given", None, None, None, own[number].passage, 0, {}, 0, 0)
                yield Asking(f"{language}-{kind}-{number}", language, kind, True, own[number].question, [match])


async def ask_all(askings: Sequence[Asking], file: Path, options: argparse.Namespace) -> None:
    url, clients, ends_at = options.url, options.clients, time.monotonic() + 60 * options.minutes
    engine = EngineReplica(url, key=None, model=None, timeouts=PATIENT)
    known = {each.key for each in told(file)}
    turns = asyncio.Semaphore(clients)
    left = [each for each in askings if each.key not in known]

    async def one(each: Asking, bar: tqdm[Any]) -> None:
        async with turns:
            if time.monotonic() < ends_at:
                answer = await _ask(engine, each, bare=options.bare)
                with file.open("a", encoding="utf-8") as out:
                    out.write(f"{answer.model_dump_json()}\n")
            bar.update()

    try:
        with tqdm(total=len(left)) as bar:
            await asyncio.gather(*(one(each, bar) for each in left))
    finally:
        await engine.close()


async def _ask(engine: EngineReplica, each: Asking, *, bare: bool) -> Told:
    elements, language = elements_for(each.question), language_of(each.question)
    fence = new_fence((await engine.served()).special_tokens)
    began = time.perf_counter()
    prompt = build_messages(elements, each.matches, each.question, fence)
    gate = await answerability(engine, 1, elements, prompt, language)
    seconds = time.perf_counter() - began
    again = build_messages(replace(elements, output_indicator=BARE[language]), each.matches, each.question, fence)
    return Told(
        key=each.key,
        language=each.language,
        kind=each.kind,
        given=each.given,
        quote=gate.score,
        bare=await _yes(engine, ChatRequest(again, SAMPLING, 1, is_own=True, likely=True)) if bare else None,
        bearing=bearing(each.question, each.matches),
        tokens=gate.prompt_tokens + gate.completion_tokens,
        seconds=round(seconds, 2),
    )


async def _yes(engine: EngineReplica, request: ChatRequest) -> float | None:
    whole = [part async for part in engine.generate(request) if isinstance(part, Generation)]
    return chance_of_yes(whole[0].likely)


def told(file: Path) -> list[Told]:
    return [Told.model_validate_json(line) for line in file.read_text("utf-8").splitlines()] if file.exists() else []


def tables(answers: Sequence[Told]) -> Iterator[str]:
    for language in data.LANGUAGES:
        for given in (True, False):
            own = [each for each in answers if each.language == language and each.given == given]
            for kind in dict.fromkeys(each.kind for each in own if each.kind):
                yield from _compared(own, language, kind)
    for language in data.LANGUAGES:
        own = [each for each in answers if each.language == language]
        if own:
            seconds = np.quantile([each.seconds for each in own], [0.5, 0.95])
            yield f"{language}: tokens p50 {np.median([each.tokens for each in own]):.0f}, seconds p50, p95 {seconds}"


def _compared(own: Sequence[Told], language: str, kind: str) -> Iterator[str]:
    sides = [[each for each in own if each.kind == which] for which in (None, kind)]
    lines = [["score", "AUROC", *(f"refused, {kept:.0%} kept" for kept in KEPT)]]
    for name in ("quote", "bare", "bearing"):
        answered, others = (
            np.array([value for each in side if (value := getattr(each, name)) is not None]) for side in sides
        )
        if min(len(answered), len(others)) >= FEW:
            lines.append([name, *with_intervals(answered, others)])
    if len(lines) > 1:
        yield f"### {language}, {kind}: {len(sides[1])} against {len(sides[0])} with an answer\n\n{table(lines)}"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.engine_answerability")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="holds en and ko (../shared/data)")
    parser.add_argument("--squad", type=Path, required=True, help="SQuAD 2.0's development set, for measuring alone")
    parser.add_argument("--told", type=Path, required=True, help="a file to which answers are appended")
    parser.add_argument("--url", help="of the engine; without it the tables are made of what is there")
    parser.add_argument("--given", type=int, default=70, help="questions of each kind with their paragraph (70)")
    parser.add_argument("--found", type=int, default=30, help="of each kind with what BM25 finds (30)")
    parser.add_argument("--bare", action="store_true", help="ask for yes or no as well")
    parser.add_argument("--clients", type=int, default=4, help="questions at a time (4)")
    parser.add_argument("--minutes", type=float, default=600, help="asks no more after so many (600)")
    options = parser.parse_args(arguments)
    if options.url:
        all_of_them = list(askings(options.data, options.squad, options.given, options.found))
        asyncio.run(ask_all(all_of_them, options.told, options))
    print("\n\n".join(tables(told(options.told))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
