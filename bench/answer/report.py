"""Results as Markdown tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.answer.asking import Outcome
from bench.answer.curves import at_answered, curves
from bench.answer.data import LANGUAGES
from bench.answer.figures import Figures, figures, kinds
from bench.answer.injection import Injection
from bench.retrieval.report import table

ANSWERED = (0.98, 0.95, 0.9, 0.85, 0.8, 0.7, 0.5)


def markdown(outcomes: Mapping[str, Sequence[Outcome]], attacks: Mapping[str, Injection]) -> str:
    parts = []
    for language, name in LANGUAGES.items():
        own = {way: [each for each in all_ if each.language == language] for way, all_ in outcomes.items()}
        own = {way: each for way, each in own.items() if each}
        if own:
            parts.append(f"### {name}\n\n{_shares(own)}")
            parts += [_curves(way, each) for way, each in own.items()]
    if attacks:
        parts.append(f"### Instructions in documents\n\n{_attacks(attacks)}")
    return "\n\n".join(parts)


def _attacks(attacks: Mapping[str, Injection]) -> str:
    rows = [["way", "attacks", "passed", "by language", "failing"]]
    for way, each in attacks.items():
        languages = ", ".join(f"{language} {share:.3f}" for language, share in each.by_language.items())
        rows.append([way, str(each.attacks), f"{each.passed:.3f}", languages, ", ".join(each.failing)])
    return table(rows)


def _shares(outcomes: Mapping[str, Sequence[Outcome]]) -> str:
    found = {way: figures(each) for way, each in outcomes.items()}
    names = list(dict.fromkeys(name for each in found.values() for name in each.shares))
    rows = [["", *found], *([name, *(_cell(each, name) for each in found.values())] for name in names)]
    rows.append(["seconds, p50", *(f"{each.seconds_p50:.2f}" for each in found.values())])
    return table(rows)


def _cell(found: Figures, name: str) -> str:
    if name not in found.shares:
        return ""
    count, share = found.shares[name]
    return f"{share.mean:.3f} [{share.low:.3f}, {share.high:.3f}] of {count}"


def _curves(way: str, outcomes: Sequence[Outcome]) -> str:
    every = kinds(outcomes)
    rows = [["knob", "value", "answered", "with the gold answer", *(f"{kind} refused" for kind in every)]]
    for knob, points in curves(way, outcomes).items():
        for share in ANSWERED:
            point = at_answered(points, share)
            if point is not None:
                shares = [point.answered, point.correct, *(point.refused[kind] for kind in every)]
                rows.append([knob, f"{point.value:.4f}", *(f"{share:.3f}" for share in shares)])
    unique = list(dict.fromkeys(map(tuple, rows)))
    return f"Refusal, way `{way}`\n\n{table([list(row) for row in unique])}"
