"""`python -m ingest tune`: what it checks before it sends anything, and how it follows the job to its end."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from ingest.__main__ import main
from ingest.tune import command

ROWS = [{"instruction": f"{number}번 서가?", "input": "", "output": "실록입니다."} for number in range(10)]
MADE = {"adapter": {"name": "tone", "version": 2}, "steps": 3, "loss": 0.5, "eval_loss": 0.625, "seconds": 9}
MADE |= {"planned_steps": 9, "stopped": "known"}
ENDED = {"status": "succeeded", "progress": {"step": 3, "steps": 3, "loss": 0.5}, "result": MADE, "error": None}
NOTICE = {"status": "running", "progress": {"step": 1, "steps": 3, "loss": 2.0, "notice": "It shares."}}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in [*ROWS, ROWS[0]]))
    return str(path)


@pytest.fixture
def service(monkeypatch):
    """Answers POST /tune with a job, and then with what is put into `jobs`, one after the other."""
    jobs: list[Any] = []
    sent: list[dict[str, Any]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            sent.append(json.loads(request.content))
            return httpx.Response(202, json={"id": "job_1"})
        found = jobs.pop(0)
        return httpx.Response(found) if isinstance(found, int) else httpx.Response(200, json=found)

    client = httpx.Client(transport=httpx.MockTransport(answer), base_url="http://kyujang")
    monkeypatch.setattr(command, "open_client", lambda *_, **__: client)
    monkeypatch.setattr(command, "POLL_S", 0)
    return jobs, sent


def test_it_follows_the_job_over_a_restart_of_the_service(file, service, capsys):
    jobs, sent = service
    jobs += [{"status": "queued", "progress": None}, 503, NOTICE, ENDED]
    options = ["--rank", "4", "--target-modules", "q_proj,v_proj", "--learning-rate", "1e-3", "--patience", "2"]
    assert main(["tune", file, "--name", "tone", *options]) == 0
    said = capsys.readouterr()
    assert "11 rows are valid; 1 are duplicates and count once." in said.out
    assert "tone@2: 3 of 9 steps in 9 s, loss 0.500, on held-out rows 0.625." in said.out
    assert "It ended early: the rows were known by heart." in said.out
    assert "It shares." in said.err
    assert sent[0] == {
        "name": "tone",
        "method": "sft",
        "rows": [*ROWS, ROWS[0]],
        "hyperparameters": {
            "rank": 4,
            "target_modules": ["q_proj", "v_proj"],
            "learning_rate": 1e-3,
            "patience": 2,
        },
    }


@pytest.mark.parametrize(
    ("ended", "said"),
    [
        ({"status": "failed", "error": {"code": "refused", "detail": "Too long."}}, "Too long."),
        ({"status": "cancelled", "error": None}, "was cancelled"),
    ],
)
def test_a_training_that_fails_is_the_command_s_failure(file, service, capsys, ended, said):
    service[0].append({"progress": None, **ended})
    assert main(["tune", file, "--name", "tone"]) == 1
    assert said in capsys.readouterr().err


def test_what_is_refused_for_good_is_not_asked_again(file, service, capsys):
    service[0].append(404)
    assert main(["tune", file, "--name", "tone"]) == 1
    assert "404" in capsys.readouterr().err


def test_without_waiting_it_ends_once_the_training_is_accepted(file, service, capsys):
    assert main(["tune", file, "--name", "tone", "--no-wait"]) == 0
    assert "job_1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--method", "dpo"], "row 1, chosen"),
        (["--kind", "dora"], "--kind"),
        (["--rank", "many"], "--rank"),
        (["--check"], ""),
    ],
)
def test_rows_and_options_are_checked_before_anything_is_sent(file, service, capsys, options, said):
    assert main(["tune", file, "--name", "tone", *options]) == (0 if options == ["--check"] else 1)
    assert service[1] == []
    assert said in capsys.readouterr().err


def test_a_file_that_is_not_there_is_said(tmp_path, capsys):
    assert main(["tune", str(tmp_path / "none.jsonl"), "--name", "tone"]) == 1
    assert "No such file" in capsys.readouterr().err
