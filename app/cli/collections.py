"""python -m app collection: a tenant's collections of documents."""

from __future__ import annotations

import argparse
from typing import Any, get_args
from urllib.parse import quote

from app.cli.client import call, list_all, open_client
from app.cli.commands import add_group, add_remote_command
from app.language.question_language import Language
from app.retrieval.search import Mode
from app.settings import Settings
from app.terminal import say

# A filter has room for 200 values of 100,000 characters.
MOVED_AT_ONCE = 150
FIELDS = ("prompt", "mode", "top_k", "min_score", "rerank", "language")


def add_commands(commands: Any) -> None:
    collection = add_group(commands, "collection", "manage collections, which are named sets of documents")
    add = add_remote_command(collection, "add", "create a collection", _add)
    add.add_argument("id", help="the collection's id: letters, digits, '.', '-' and '_'")
    change = add_remote_command(
        collection, "set", "change a collection's name, or replace its defaults by those given", _set
    )
    change.add_argument("id", help="the collection's id")
    for each in (add, change):
        each.add_argument("--name", help="its name for people")
        _add_defaults(each)
    add_remote_command(collection, "list", "list collections", _list)
    move = add_remote_command(collection, "move", "move documents into a collection", _move)
    move.add_argument("id", help="the collection's id")
    move.add_argument("documents", nargs="+", metavar="DOCUMENT", help="a document's id")
    delete = add_remote_command(collection, "delete", "delete an empty collection", _delete)
    delete.add_argument("id", help="the collection's id")
    delete.add_argument("--documents", action="store_true", help="delete all its documents too")


def _add_defaults(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--prompt", help="the stored prompt for questions in it that name none")
    parser.add_argument("--mode", choices=get_args(Mode), help="search by meaning, by words or by both (hybrid)")
    parser.add_argument("--top-k", type=int, help="the most chunks to search for")
    parser.add_argument("--min-score", type=float, help="leave out chunks with a lower score")
    parser.add_argument("--rerank", action=argparse.BooleanOptionalAction, help="re-rank what is found, or do not")
    parser.add_argument("--language", choices=get_args(Language), help="the language of the prompt")


def _add(settings: Settings, options: argparse.Namespace) -> int:
    body = {"id": options.id, "name": options.name, "defaults": _defaults(options)}
    say(_call(settings, options, "POST", "/collections", json=body)["id"])
    return 0


def _set(settings: Settings, options: argparse.Namespace) -> int:
    name = {} if options.name is None else {"name": options.name}
    defaults = {"defaults": given} if (given := _defaults(options)) else {}
    _call(settings, options, "PATCH", _path(options), json=name | defaults)
    return 0


def _list(settings: Settings, options: argparse.Namespace) -> int:
    with open_client(settings, url=options.url, key=options.key) as client:
        for each in list_all(client, "/collections"):
            say(f"{each['id']}\t{each['name'] or ''}\t{each['documents']} documents")
    return 0


def _move(settings: Settings, options: argparse.Namespace) -> int:
    moved = 0
    for first in range(0, len(options.documents), MOVED_AT_ONCE):
        some = options.documents[first : first + MOVED_AT_ONCE]
        body = {"filters": {"key": "document_id", "op": "in", "value": some}}
        moved += _call(settings, options, "POST", f"{_path(options)}/documents", json=body)["moved"]
    say(f"{moved} documents moved")
    return 0


def _delete(settings: Settings, options: argparse.Namespace) -> int:
    _call(settings, options, "DELETE", _path(options), params={"documents": "delete"} if options.documents else {})
    return 0


def _defaults(options: argparse.Namespace) -> dict[str, Any]:
    return {name: value for name in FIELDS if (value := getattr(options, name)) is not None}


def _path(options: argparse.Namespace) -> str:
    return f"/collections/{quote(options.id, safe='')}"


def _call(settings: Settings, options: argparse.Namespace, method: str, path: str, **sent: Any) -> Any:
    with open_client(settings, url=options.url, key=options.key) as client:
        return call(client, method, path, **sent)
