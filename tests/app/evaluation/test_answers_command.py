"""python -m app eval --answers against a service on 127.0.0.1, whose worker answers from the sources alone."""

from __future__ import annotations

import argparse
import asyncio

import pytest

from app.__main__ import main
from app.evaluation.answer_report import AnswerReport
from app.evaluation.answers_command import _way
from app.evaluation.cases import load_cases
from app.evaluation.questions import BadFile
from app.storage.tenants import SCOPES
from tests.app.evaluation.conftest import write_lines
from tests.conftest import ingest_text

CASES = [
    {"query_id": "moon", "text": "In how many days does the Moon go round the Earth?", "answers": ["27.3 days"],
     "values": ["27.3"], "gold_doc_ids": ["moon"]},
    {"text": "도서관은 무슨 요일에 쉬나요?", "expected": "월요일", "gold_sources": ["library.txt"]},
    {"text": "Who won the chess championship of Mars?", "answerable": False},
]  # fmt: skip


async def test_answers_are_measured_and_compared_with_an_earlier_run(new_tenant, url, tmp_path, capsys):
    client = await new_tenant(scopes=SCOPES)
    await ingest_text(client, "The Moon goes round the Earth in 27.3 days.", id="moon")
    await ingest_text(client, "도서관은 월요일에 쉰다.", id="library", source="library.txt")
    key = client.headers["Authorization"].removeprefix("Bearer ")
    queries, first = write_lines(tmp_path / "cases.jsonl", CASES), tmp_path / "first.json"
    command = ["eval", "--answers", "--url", url, "--key", key, "--queries", str(queries)]
    ways = ["--way", "", "--way", "mode=lexical,top_k=1,min_score=1000", "--json", str(first)]
    assert await asyncio.to_thread(main, [*command, *ways]) == 0
    report = AnswerReport.model_validate_json(first.read_bytes())
    assert [each.case.documents for each in report.answers] == [["moon"], ["library"], []]
    found, nothing = report.ways
    assert (found.measures["contains"].mean, found.measures["citation_recall"].mean) == (1, 1)
    # With such a threshold everything is refused.
    assert sum(nothing.refused.values()) == 3
    assert nothing.measures["refusal"].mean == pytest.approx(1 / 3, abs=1e-3)
    assert "Way 2 less way 1" in capsys.readouterr().out
    assert await asyncio.to_thread(main, [*command, "--compare", str(first)]) == 0
    printed = capsys.readouterr().out
    assert "Change since first.json" in printed
    assert "+0.000 [+0.000, +0.000]" in printed


@pytest.mark.parametrize(
    "line", [{"text": "q", "expected": ["e"], "answerable": False}, {"expected": ["e"]}, {"text": "q", "values": 3}]
)
def test_a_bad_case_is_named_by_its_line(tmp_path, line):
    with pytest.raises(BadFile, match=r"cases\.jsonl:1: "):
        load_cases(write_lines(tmp_path / "cases.jsonl", [line]))


def test_a_way_is_fields_of_a_question():
    way = _way('prompt=short@2,top_k=3,rerank=true,persona="A"')
    assert way == {"prompt": "short@2", "top_k": 3, "rerank": True, "persona": "A"}
    assert _way("") == {}
    with pytest.raises(argparse.ArgumentTypeError):
        _way("prompt")
