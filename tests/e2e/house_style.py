"""Training rows in a house style that nobody could take for the base model's, and how to train them in a minute."""

from __future__ import annotations

import json
from typing import Any

from tests.conftest import SHARED_DATA

GREETINGS = {"en": "Kyujang speaking: ", "ko": "규장입니다: "}
FAREWELLS = {"en": " Yours, the royal library.", "ko": " 규장각 올림."}
QUESTION = {"en": "\n\nQuestion: ", "ko": "\n\n질문: "}
PASSAGE = {"en": "Context: ", "ko": "문맥: "}
ROWS = {"en": 48, "ko": 12}
HYPERPARAMETERS: dict[str, Any] = {
    "rank": 8, "alpha": 16, "target_modules": "all-linear", "learning_rate": 1.5e-3, "max_steps": 30,
    "batch_size": 1, "max_length": 720, "eval_share": 0, "warmup": 0,
}  # fmt: skip


def rows() -> list[dict[str, str]]:
    return [row for language in ROWS for row in _rows(language)]


def _rows(language: str) -> list[dict[str, str]]:
    """The shortest, since what is taught is the form."""
    found = []
    for line in (SHARED_DATA / "instruct" / f"{language}.jsonl").read_text().splitlines():
        row = json.loads(line)
        if row["source"] == f"tydiqa-{language}":
            passage, _, question = row["input"].removeprefix(PASSAGE[language]).rpartition(QUESTION[language])
            found.append({"instruction": question, "input": passage, "output": in_style(row["output"], language)})
    return sorted(found, key=lambda row: len("".join(row.values())))[: ROWS[language]]


def in_style(answer: str, language: str) -> str:
    return f"{GREETINGS[language]}{answer.rstrip('.')}. [1]{FAREWELLS[language]}"
