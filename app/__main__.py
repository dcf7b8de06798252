"""The command line: python -m app --help."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any, get_args

from pydantic import ValidationError

from app import logs
from app.cli import adapters
from app.cli.client import call, open_client
from app.embedding import open_encoder
from app.errors import KyujangError, NotConfigured
from app.evaluation import command as evaluation
from app.main import create_app
from app.retrieval.search import Mode
from app.settings import Settings
from app.storage.migrate import migrate
from app.up.run import up

Command = Callable[[Settings, argparse.Namespace], int]


def main(arguments: list[str] | None = None) -> int:
    options = build_parser().parse_args(arguments)
    command: Command = options.command
    try:
        return command(Settings(), options)
    except ValidationError as error:
        for each in error.errors():
            print(f"Setting {'.'.join(map(str, each['loc'])).upper()}: {each['msg']}", file=sys.stderr)
    except KyujangError as error:
        print(error.detail, file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    return 1


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m app", description="Answer questions from your documents")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add(commands, "up", "start everything on this machine without installing: database, engine, workers, API", _up)
    _add(commands, "serve", "start the API alone", _serve)
    _add(commands, "migrate", "create or update roles, schema and indexes in DATABASE_URL", _migrate)
    for name, words, command in (("ask", "answer a question", _ask), ("search", "search for chunks only", _search)):
        question = _remote(_add(commands, name, words, command))
        question.add_argument("input", help="the question")
        question.add_argument("--top-k", type=int, help="the most chunks to search for")
        question.add_argument("--mode", choices=get_args(Mode), help="search by meaning, by words or by both (hybrid)")
    measure = _add(commands, "eval", "measure retrieval on questions whose documents are known", evaluation.run)
    evaluation.add_arguments(_remote(measure))
    tenant = _add(commands, "tenant", "manage tenants, with the operator's key", None).add_subparsers(
        required=True, metavar="ACTION"
    )
    add = _remote(_add(tenant, "add", "create a tenant", _tenant_add))
    add.add_argument("id", help="the tenant's id")
    add.add_argument("--name", help="its name for people; by default its id")
    _remote(_add(tenant, "list", "list all tenants", _tenant_list))
    _remote(_add(tenant, "delete", "delete a tenant with everything it has", _tenant_delete)).add_argument(
        "id", help="the tenant's id"
    )
    key = _add(commands, "key", "manage a tenant's keys, with the operator's key", None).add_subparsers(
        required=True, metavar="ACTION"
    )
    new = _remote(_add(key, "add", "create a key and print it, this once", _key_add))
    new.add_argument("tenant", help="the tenant's id")
    new.add_argument("--scopes", default="query,ingest", help="a comma-separated list of query, ingest, adapters")
    _remote(_add(key, "list", "list a tenant's keys", _key_list)).add_argument("tenant", help="the tenant's id")
    revoke = _remote(_add(key, "revoke", "revoke a key, from the next request on", _key_revoke))
    revoke.add_argument("tenant", help="the tenant's id")
    revoke.add_argument("id", help="the key's id, as 'key list' shows it")
    adapter = _add(commands, "adapter", "manage LoRA adapters", None).add_subparsers(required=True, metavar="ACTION")
    adapters.add_actions(lambda name, words, command: _remote(_add(adapter, name, words, command)))
    return parser


def _add(commands: Any, name: str, words: str, command: Command | None) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=words, description=words)
    if command is not None:
        parser.set_defaults(command=command)
    return parser


def _remote(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("--url", help="the service's address (KYUJANG_URL)")
    parser.add_argument(
        "--key", help="the tenant's key (KYUJANG_KEY), or the operator's (KYUJANG_ADMIN_KEY) for tenants and keys"
    )
    return parser


def _up(settings: Settings, _: argparse.Namespace) -> int:
    return up(settings)


def _serve(settings: Settings, _: argparse.Namespace) -> int:
    import uvicorn

    logs.configure(settings.log_level)
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
    )
    return 0


def _migrate(settings: Settings, _: argparse.Namespace) -> int:
    space = migrate(settings, dimension=lambda: open_encoder(settings).dimension)
    print(f"The database is up to date; vectors are {space.model}'s, of {space.dimension} dimensions.")
    return 0


def _ask(settings: Settings, options: argparse.Namespace) -> int:
    answer = _post(settings, options, "/query")
    print(answer["answer"])
    for citation in answer["citations"]:
        where = citation["title"] or citation["source"] or citation["document_id"]
        page = f", page {citation['page']}" if citation["page"] else ""
        print(f"  [{citation['marker']}] {where}{page}: {citation['quote']}")
    return 0


def _search(settings: Settings, options: argparse.Namespace) -> int:
    for context in _post(settings, options, "/search")["contexts"]:
        where = context["title"] or context["source"] or context["document_id"]
        print(f"{context['rank']:>3}  {context['score']:.3f}  {where}: {' '.join(context['text'].split())[:100]}")
    return 0


def _post(settings: Settings, options: argparse.Namespace, path: str) -> Any:
    body = {"input": options.input, "top_k": options.top_k, "mode": options.mode}
    with open_client(settings, url=options.url, key=options.key) as client:
        return call(client, "POST", path, json={name: value for name, value in body.items() if value is not None})


def _operate(settings: Settings, options: argparse.Namespace, method: str, path: str, **more: Any) -> Any:
    key = options.key or (settings.admin_key.get_secret_value() if settings.admin_key else None)
    if key is None:
        raise NotConfigured("The operator's key is needed: set KYUJANG_ADMIN_KEY, as the service has it.")
    with open_client(settings, url=options.url, key=key) as client:
        return call(client, method, path, **more)


def _pages(settings: Settings, options: argparse.Namespace, path: str) -> Any:
    cursor: str | None = None
    while True:
        page = _operate(settings, options, "GET", path, params={"cursor": cursor} if cursor else None)
        yield from page["data"]
        cursor = page["next_cursor"]
        if cursor is None:
            return


def _tenant_add(settings: Settings, options: argparse.Namespace) -> int:
    body = {"id": options.id, "name": options.name or options.id}
    print(_operate(settings, options, "POST", "/tenants", json=body)["id"])
    return 0


def _tenant_list(settings: Settings, options: argparse.Namespace) -> int:
    for tenant in _pages(settings, options, "/tenants"):
        print(f"{tenant['id']}\t{tenant['name']}\t{tenant['chunks']} chunks")
    return 0


def _tenant_delete(settings: Settings, options: argparse.Namespace) -> int:
    _operate(settings, options, "DELETE", f"/tenants/{options.id}")
    return 0


def _key_add(settings: Settings, options: argparse.Namespace) -> int:
    body = {"scopes": options.scopes.split(",")}
    print(_operate(settings, options, "POST", f"/tenants/{options.tenant}/keys", json=body)["key"])
    return 0


def _key_list(settings: Settings, options: argparse.Namespace) -> int:
    for key in _pages(settings, options, f"/tenants/{options.tenant}/keys"):
        state = "revoked" if key["revoked_at"] else "valid"
        print(f"{key['id']}\t{','.join(key['scopes'])}\t{state}")
    return 0


def _key_revoke(settings: Settings, options: argparse.Namespace) -> int:
    _operate(settings, options, "DELETE", f"/tenants/{options.tenant}/keys/{options.id}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
