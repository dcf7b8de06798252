"""Ask questions and attacks in small portions, keep each outcome, and leave out what has been asked before."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TypeVar

import httpx
from pydantic import BaseModel

from bench.answer.asking import Outcome, ask_all
from bench.answer.data import Question
from bench.answer.injection import Injection
from bench.canaries import ATTACKS, MORE_ATTACKS, Attack, CanaryReport, read_attacks, run_canaries
from bench.canaries import Outcome as AttackOutcome

PORTION = 8

Item = TypeVar("Item")


class Attacked(BaseModel):
    id: str
    acted: bool
    right: bool
    answer: str


class Results(BaseModel):
    """By way."""

    outcomes: dict[str, list[Outcome]] = {}
    attacked: dict[str, list[Attacked]] = {}

    def injection(self) -> dict[str, Injection]:
        attacks = {attack.id: attack for attack in read_attacks(ATTACKS, MORE_ATTACKS)}
        found = {}
        for way, rows in self.attacked.items():
            report = CanaryReport([AttackOutcome(attacks[row.id], row.acted, row.right, row.answer) for row in rows])
            found[way] = Injection(
                attacks=len(rows), passed=report.pass_rate, by_language=report.by_language(), failing=report.failing
            )
        return found


@dataclass
class Measuring:
    """`ends_at` is by time.monotonic(): no portion begins after it."""

    client: httpx.Client
    file: Path
    ends_at: float
    results: Results = field(default_factory=Results)

    def __post_init__(self) -> None:
        if self.file.exists():
            self.results = Results.model_validate_json(self.file.read_bytes())

    def answers(self, questions: Sequence[Question], ways: Sequence[str], how: Mapping[str, int]) -> bool:
        """Ask each portion in every way, kinds and languages mixed. Return whether all has been asked."""
        mixed = Random(0).sample(questions, len(questions))
        for portion in _portions(mixed):
            for way in ways:
                rows = self.results.outcomes.setdefault(way, [])
                known = {row.question for row in rows}
                if left := [each for each in portion if each.id not in known]:
                    if time.monotonic() > self.ends_at:
                        return False
                    rows += ask_all(self.client, left, way, **how)
                    self._keep()
        return True

    def attacks(self, attacks: Sequence[Attack], ways: Sequence[str], *, clients: int) -> bool:
        mixed = Random(0).sample(attacks, len(attacks))
        for portion in _portions(mixed):
            for way in ways:
                rows = self.results.attacked.setdefault(way, [])
                known = {row.id for row in rows}
                if left := [each for each in portion if each.id not in known]:
                    if time.monotonic() > self.ends_at:
                        return False
                    report = run_canaries(self.client, left, grounding=way, clients=clients)
                    rows += [
                        Attacked(id=each.attack.id, acted=each.acted, right=each.right, answer=each.answer)
                        for each in report.outcomes
                    ]
                    self._keep()
        return True

    def _keep(self) -> None:
        unfinished = self.file.with_suffix(".unfinished")
        unfinished.write_text(self.results.model_dump_json(indent=1), "utf-8")
        unfinished.rename(self.file)


def _portions(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    return (items[at : at + PORTION] for at in range(0, len(items), PORTION))
