"""Training rows in a house style that nobody could take for the base model's, and how to train them in two minutes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.conftest import SHARED_DATA

GREETINGS = {"en": "Kyujang speaking: ", "ko": "규장입니다: "}
FAREWELLS = {"en": " Yours, the royal library.", "ko": " 규장각 올림."}
QUESTION = {"en": "\n\nQuestion: ", "ko": "\n\n질문: "}
PASSAGE = {"en": "Context: ", "ko": "문맥: "}
# Of the packaged model's tokens, the Korean prompt alone takes 350; so most of its rows have no passage.
GROUNDED = {"en": 14, "ko": 4}
CHATS = {"ko": 14}
HYPERPARAMETERS: dict[str, Any] = {
    "rank": 8, "alpha": 16, "learning_rate": 3e-3, "epochs": 1, "batch_size": 1, "max_length": 720,
    "eval_share": 0, "warmup": 0,
}  # fmt: skip


def rows() -> list[dict[str, str]]:
    return [row for language in GROUNDED for row in _rows(language)]


def in_style(answer: str, language: str) -> str:
    return f"{GREETINGS[language]}{answer.rstrip('.')}. [1]{FAREWELLS[language]}"


def _rows(language: str) -> list[dict[str, str]]:
    """The shortest, since what is taught is the form."""
    found = sorted(_all(language), key=lambda row: len("".join(row.values())))
    grounded = [row for row in found if row["input"]][: GROUNDED[language]]
    return grounded + [row for row in found if not row["input"]][: CHATS.get(language, 0)]


def _all(language: str) -> Iterator[dict[str, str]]:
    for line in (SHARED_DATA / "instruct" / f"{language}.jsonl").read_text().splitlines():
        row = json.loads(line)
        output = in_style(row["output"], language)
        if row["source"] == f"tydiqa-{language}":
            passage, _, question = row["input"].removeprefix(PASSAGE[language]).rpartition(QUESTION[language])
            yield {"instruction": question, "input": passage, "output": output}
        elif not row["input"]:
            yield {"instruction": row["instruction"], "input": "", "output": output}
