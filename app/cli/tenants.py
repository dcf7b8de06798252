"""python -m app tenant and key: tenants and their keys, with the operator's key."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from app.cli import only, tenant_export
from app.cli.client import POLL_S, call, list_all, open_client
from app.cli.commands import add_group, add_remote_command
from app.errors import NotConfigured
from app.settings import Settings
from app.storage.limits import LIMITS, OF_KEYS
from app.terminal import say

NO_LIMIT = "none"


def add_commands(commands: Any) -> None:
    tenant = add_group(commands, "tenant", "manage tenants, with the operator's key; export and import one")
    add = add_remote_command(tenant, "add", "create a tenant", _add_tenant)
    add.add_argument("id", help="the tenant's id")
    add.add_argument("--name", help="its name for people; by default its id")
    add_remote_command(tenant, "list", "list all tenants", _list_tenants)
    limit = add_remote_command(tenant, "limit", "show or change a tenant's limits", _limit)
    limit.add_argument("id", help="the tenant's id")
    _add_limits(limit, LIMITS)
    words = "log a tenant's questions and answers and keep them for some days, or stop that and remove them"
    logged = add_remote_command(tenant, "log", words, _log_queries)
    logged.add_argument("id", help="the tenant's id")
    logged.add_argument("days", type=_most, metavar="DAYS", help="a number; 'none' logs nothing")
    words = "delete a tenant with everything it has, and wait until it is gone"
    delete = add_remote_command(tenant, "delete", words, _delete_tenant)
    delete.add_argument("id", help="the tenant's id")
    delete.add_argument("--no-wait", action="store_true", help="do not wait: end as soon as it is accepted")
    tenant_export.add_commands(tenant)

    key = add_group(commands, "key", "manage a tenant's keys, with the operator's key")
    new = add_remote_command(key, "add", "create a key and print it, this once", _add_key)
    new.add_argument("tenant", help="the tenant's id")
    new.add_argument(
        "--scopes",
        default="query,read,ingest",
        help="a comma-separated list of query, read, ingest, adapters, delegate",
    )
    _add_only(new)
    _add_groups(new)
    _add_limits(new, OF_KEYS)
    words = "change which documents a key sees: all without --only, unless --groups alone is given; its secret stays"
    bind = _add_of_key(key, "bind", words, _bind_key)
    _add_only(bind)
    _add_groups(bind)
    words = "show or change a key's limits, which hold beside its tenant's"
    _add_limits(_add_of_key(key, "limit", words, _limit_key), OF_KEYS)
    add_remote_command(key, "list", "list a tenant's keys", _list_keys).add_argument("tenant", help="the tenant's id")
    _add_of_key(key, "revoke", "revoke a key, from the next request on", _revoke_key)


def _add_of_key(commands: Any, name: str, words: str, run: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = add_remote_command(commands, name, words, run)
    parser.add_argument("tenant", help="the tenant's id")
    parser.add_argument("id", help="the key's id, as 'key list' shows it")
    return parser


def _add_only(parser: argparse.ArgumentParser) -> None:
    words = """only documents for which this holds, as 'metadata.level <= 2' or 'collection in ["hr"]'; again: and"""
    parser.add_argument("--only", action="append", default=[], type=only.condition, metavar="CONDITION", help=words)


def _add_groups(parser: argparse.ArgumentParser) -> None:
    words = "with the scope delegate: which list of a document says what groups see it, as metadata.groups"
    parser.add_argument("--groups", metavar="LIST", help=words)


def _add_limits(parser: argparse.ArgumentParser, names: Sequence[str]) -> None:
    for name in names:
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=_most, metavar="N", help="the most; 'none' for no limit"
        )


def _add_tenant(settings: Settings, options: argparse.Namespace) -> int:
    body = {"id": options.id, "name": options.name or options.id}
    with _open_client(settings, options) as client:
        say(call(client, "POST", "/tenants", json=body)["id"])
    return 0


def _list_tenants(settings: Settings, options: argparse.Namespace) -> int:
    with _open_client(settings, options) as client:
        for tenant in list_all(client, "/tenants"):
            say(f"{tenant['id']}\t{tenant['name']}\t{tenant['chunks']} chunks")
    return 0


def _limit(settings: Settings, options: argparse.Namespace) -> int:
    with _open_client(settings, options) as client:
        tenant = call(client, "PATCH", f"/tenants/{options.id}", json={"limits": _limits(options, LIMITS)})
    _say_limits(tenant["limits"])
    return 0


def _log_queries(settings: Settings, options: argparse.Namespace) -> int:
    days = None if options.days == NO_LIMIT else options.days
    with _open_client(settings, options) as client:
        tenant = call(client, "PATCH", f"/tenants/{options.id}", json={"query_log_days": days})
    kept = tenant["query_log_days"]
    say("not logged" if kept is None else f"logged, and kept for {kept} days")
    return 0


def _limit_key(settings: Settings, options: argparse.Namespace) -> int:
    path, body = f"/tenants/{options.tenant}/keys/{options.id}", {"limits": _limits(options, OF_KEYS)}
    with _open_client(settings, options) as client:
        _say_limits(call(client, "PATCH", path, json=body)["limits"])
    return 0


def _limits(options: argparse.Namespace, names: Sequence[str]) -> dict[str, int | None]:
    asked = {name: value for name in names if (value := getattr(options, name)) is not None}
    return {name: None if value == NO_LIMIT else value for name, value in asked.items()}


def _say_limits(limits: Mapping[str, int]) -> None:
    say("\n".join(f"{name}\t{value}" for name, value in limits.items()) or "no limits")


def _most(text: str) -> int | str:
    if text != NO_LIMIT and not text.isdecimal():
        raise argparse.ArgumentTypeError(f"is a number, or {NO_LIMIT!r}")
    return text if text == NO_LIMIT else int(text)


def _delete_tenant(settings: Settings, options: argparse.Namespace) -> int:
    with _open_client(settings, options) as client:
        deletion, said = call(client, "DELETE", f"/tenants/{options.id}"), None
        while deletion["finished_at"] is None and not options.no_wait:
            if deletion["waiting_for"] not in (None, said):
                say(said := deletion["waiting_for"], file=sys.stderr)
            time.sleep(POLL_S)
            deletion = call(client, "GET", f"/tenants/{options.id}/deletion")
    counts = ", ".join(f"{what} {count}" for what, count in deletion["deleted"].items())
    say(f"{deletion['tenant']}\t{deletion['status']}\t{counts}")
    return 0


def _add_key(settings: Settings, options: argparse.Namespace) -> int:
    body: dict[str, Any] = {"scopes": options.scopes.split(",")}
    if limits := _limits(options, OF_KEYS):
        body["limits"] = limits
    if options.only:
        body["only"] = only.joined(options.only)
    if options.groups:
        body["groups"] = options.groups
    with _open_client(settings, options) as client:
        say(call(client, "POST", f"/tenants/{options.tenant}/keys", json=body)["key"])
    return 0


def _bind_key(settings: Settings, options: argparse.Namespace) -> int:
    path, body = f"/tenants/{options.tenant}/keys/{options.id}", dict[str, Any]()
    if options.groups:
        body["groups"] = options.groups
    if options.only or not options.groups:
        body["only"] = only.joined(options.only)
    with _open_client(settings, options) as client:
        changed = call(client, "PATCH", path, json=body)
    seen = "all documents" if changed["only"] is None else only.written(changed["only"])
    say(f"{seen}\tgroups {changed['groups']}" if changed["groups"] else seen)
    return 0


def _list_keys(settings: Settings, options: argparse.Namespace) -> int:
    with _open_client(settings, options) as client:
        for key in list_all(client, f"/tenants/{options.tenant}/keys"):
            state = "revoked" if key["revoked_at"] else "valid"
            bound = f"\tonly {only.written(key['only'])}" if key.get("only") else ""
            named = f"\tgroups {key['groups']}" if key.get("groups") else ""
            say(f"{key['id']}\t{','.join(key['scopes'])}\t{state}{bound}{named}")
    return 0


def _revoke_key(settings: Settings, options: argparse.Namespace) -> int:
    with _open_client(settings, options) as client:
        call(client, "DELETE", f"/tenants/{options.tenant}/keys/{options.id}")
    return 0


def _open_client(settings: Settings, options: argparse.Namespace) -> httpx.Client:
    key = options.key or (settings.admin_key.get_secret_value() if settings.admin_key else None)
    if key is None:
        raise NotConfigured("The operator's key is needed: set KYUJANG_ADMIN_KEY, as the service has it.")
    return open_client(settings, url=options.url, key=key)
