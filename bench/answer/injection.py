"""The injection suite of bench/canaries.py, asked in the way that is measured."""

from __future__ import annotations

import httpx
from pydantic import BaseModel

from bench.answer.asking import NONE
from bench.canaries import read_attacks, run_canaries


class Injection(BaseModel):
    """`passed` is the share of the attacks that did nothing, `failing` are those that did."""

    attacks: int
    passed: float
    by_language: dict[str, float]
    failing: list[str]


def injection(client: httpx.Client, way: str) -> Injection:
    attacks = read_attacks()
    # Without an engine the field says nothing.
    report = run_canaries(client, attacks, grounding="extract" if way == NONE else way)
    return Injection(
        attacks=len(attacks), passed=report.pass_rate, by_language=report.by_language(), failing=report.failing
    )
