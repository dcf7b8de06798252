"""python -m app webhook: where a tenant is told of what happens."""

from __future__ import annotations

import argparse
import json
from itertools import islice
from typing import Any
from urllib.parse import quote

from app.cli.client import call, list_all, open_client
from app.cli.commands import add_group, add_remote_command
from app.settings import Settings
from app.storage.webhooks import EVENTS
from app.terminal import say


def add_commands(commands: Any) -> None:
    webhook = add_group(commands, "webhook", "manage webhooks, which are told of a tenant's jobs and limits")
    add = add_remote_command(webhook, "add", "create a webhook; its secret is shown once", _add)
    add.add_argument("address", help="the address that is told, such as https://hooks.example.com/kyujang")
    add.add_argument("--events", nargs="+", choices=EVENTS, help="what it is told of (all)")
    add_remote_command(webhook, "list", "list webhooks and how their deliveries went, as JSON lines", _list)
    deliveries = add_remote_command(webhook, "deliveries", "list a webhook's deliveries as JSON lines", _deliveries)
    deliveries.add_argument("--limit", type=int, default=100, help="the most deliveries to show (100)")
    delete = add_remote_command(webhook, "delete", "delete a webhook", _delete)
    for each in (deliveries, delete):
        each.add_argument("id", help="the webhook's id")


def _add(settings: Settings, options: argparse.Namespace) -> int:
    body = {"url": options.address} | ({"events": options.events} if options.events else {})
    with open_client(settings, url=options.url, key=options.key) as client:
        made = call(client, "POST", "/webhooks", json=body)
    say(f"{made['id']}\t{made['secret']}")
    return 0


def _list(settings: Settings, options: argparse.Namespace) -> int:
    with open_client(settings, url=options.url, key=options.key) as client:
        for each in list_all(client, "/webhooks"):
            say(json.dumps(each, ensure_ascii=False))
    return 0


def _deliveries(settings: Settings, options: argparse.Namespace) -> int:
    with open_client(settings, url=options.url, key=options.key) as client:
        for each in islice(list_all(client, f"{_path(options)}/deliveries"), options.limit):
            say(json.dumps(each, ensure_ascii=False))
    return 0


def _delete(settings: Settings, options: argparse.Namespace) -> int:
    with open_client(settings, url=options.url, key=options.key) as client:
        call(client, "DELETE", _path(options))
    return 0


def _path(options: argparse.Namespace) -> str:
    return f"/webhooks/{quote(options.id, safe='')}"
