"""python -m app ask and search: put a question to a running service."""

from __future__ import annotations

import argparse
from typing import Any, get_args
from urllib.parse import quote

from app.cli.client import call, open_client
from app.cli.commands import add_remote_command
from app.retrieval.search import Mode
from app.settings import Settings
from app.terminal import say

# By its words, or by the engine.
CUTS = {"words": True, "engine": "engine"}


def add_commands(commands: Any) -> None:
    for name, words, command in (("ask", "answer a question", _ask), ("search", "search for chunks only", _search)):
        question = add_remote_command(commands, name, words, command)
        question.add_argument("input", help="the question")
        if command is _ask:
            question.add_argument("--decompose", choices=CUTS, help="search apart for each of the things it asks")
        question.add_argument("--top-k", type=int, help="the most chunks to search for")
        question.add_argument("--collection", metavar="ID", help="search in this collection, with its defaults")
        question.add_argument("--groups", metavar="A,B", help="with a key that acts for groups: ask for these")
        question.add_argument("--mode", choices=get_args(Mode), help="search by meaning, by words or by both (hybrid)")


def _ask(settings: Settings, options: argparse.Namespace) -> int:
    answer = _post(settings, options, "/query", decompose=CUTS.get(options.decompose))
    say(answer["answer"])
    for citation in answer["citations"]:
        where = citation["title"] or citation["source"] or citation["document_id"]
        page = f", page {citation['page']}" if citation["page"] else ""
        say(f"  [{citation['marker']}] {where}{page}: {citation['quote']}")
    return 0


def _search(settings: Settings, options: argparse.Namespace) -> int:
    for context in _post(settings, options, "/search")["contexts"]:
        where = context["title"] or context["source"] or context["document_id"]
        say(f"{context['rank']:>3}  {context['score']:.3f}  {where}: {' '.join(context['text'].split())[:100]}")
    return 0


def _post(settings: Settings, options: argparse.Namespace, path: str, **fields: object) -> Any:
    body = {"input": options.input, "top_k": options.top_k, "mode": options.mode, "collection": options.collection}
    body |= fields
    with open_client(settings, url=options.url, key=options.key) as client:
        if options.groups is not None:
            client.headers["Kyujang-Groups"] = ",".join(quote(each, safe="") for each in options.groups.split(","))
        return call(client, "POST", path, json={name: value for name, value in body.items() if value is not None})
