"""Ask a case of the service, and judge what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from app.cli.client import call
from app.language.hangul import HAS_HANGUL
from bench.understanding.sets import ABOUT_THE_SHELF, NO_ANSWER, Case, Shelf

TOP_K = 5


def is_right(client: httpx.Client, shelf: Shelf, case: Case) -> bool:
    match shelf.kind:
        case "crosslingual":
            found = call(client, "POST", "/search", json={"input": case.text, "top_k": TOP_K})["contexts"]
            return case.expected in [context["title"] for context in found]
        case "language":
            messages = call(client, "POST", "/query", json={"input": case.text, "dry_run": True})["messages"]
            return bool(HAS_HANGUL.search(messages[0]["content"])) == (case.expected == "ko")
        case "polite":
            # Beside few sentences a word that none of them holds weighs more.
            return all(_holds(_answer(client, case, top_k), case.expected) for top_k in (1, TOP_K))
    answer = _answer(client, case, TOP_K)
    varied = shelf.kind != "copies" or case.expected == NO_ANSWER or _is_varied(answer, shelf)
    return varied and _holds(answer, case.expected)


def _answer(client: httpx.Client, case: Case, top_k: int) -> Mapping[str, Any]:
    """Lead the conversation as a caller would, with the service's own answers in it."""
    messages: list[dict[str, str]] = []
    for turn in case.turns:
        answer = _query(client, turn, messages, top_k)["answer"]
        messages += [{"role": "user", "content": turn}, {"role": "assistant", "content": answer}]
    return _query(client, case.text, messages, top_k)


def _query(client: httpx.Client, text: str, messages: list[dict[str, str]], top_k: int) -> Mapping[str, Any]:
    answer: Mapping[str, Any] = call(
        client, "POST", "/query", json={"input": text, "messages": messages, "top_k": top_k}
    )
    return answer


def _holds(answer: Mapping[str, Any], expected: str) -> bool:
    reason = answer["no_answer_reason"]
    if expected == ABOUT_THE_SHELF:
        return bool(reason == ABOUT_THE_SHELF)
    if expected == NO_ANSWER:
        return reason is not None and reason != ABOUT_THE_SHELF
    return reason is None and expected.casefold() in answer["answer"].casefold()


def _is_varied(answer: Mapping[str, Any], shelf: Shelf) -> bool:
    """Tell whether nothing is quoted twice, and the contexts are as many texts as the shelf has."""
    quotes = [citation["quote"] for citation in answer["citations"]]
    titles = {context["title"] for context in answer["contexts"]}
    return len(set(quotes)) == len(quotes) and len(titles) == min(TOP_K, shelf.titles)
