"""python -m app eval --from-log: make questions of an evaluation of what users have said of answers."""

from __future__ import annotations

import argparse
import json
from typing import Any

from app.cli.client import list_all, open_client
from app.evaluation.questions import BadFile
from app.settings import Settings
from app.terminal import say


def from_log(settings: Settings, options: argparse.Namespace) -> int:
    with open_client(settings, url=options.url, key=options.key) as client:
        marked = list(list_all(client, "/queries", vote="any", limit=200))
    lines = [line for query in marked if (line := line_of(query)) is not None]
    if not lines:
        raise BadFile(f"Of {len(marked)} marked answers none says what would be right: nothing is written.")
    try:
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        options.from_log.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadFile(f"{error.filename}: {error.strerror}.") from None
    say(f"{len(lines)} questions of {len(marked)} marked answers. The others only say that an answer was not good.")
    return 0


def line_of(query: dict[str, Any]) -> dict[str, Any] | None:
    """Return the question as --answers reads it; None if what is right is not known.

    A user's own answer is what is expected. A good answer shows the documents that answer the question, a good refusal
    that none does. What was searched for is complete without the conversation before it.
    """
    feedback = query["feedback"]
    line = {"query_id": query["id"], "text": query["search_query"]}
    if feedback["right_answer"]:
        return line | {"expected": [feedback["right_answer"]]}
    if feedback["vote"] != "up":
        return None
    if query["verdict"] == "no_answer":
        return line | {"answerable": False}
    documents = sorted({citation["document_id"] for citation in query["citations"]})
    return line | {"gold_doc_ids": documents} if documents else None
