"""python -m app audit: who changed what."""

from __future__ import annotations

import argparse
import json
from itertools import islice
from typing import Any

from app.cli.client import list_all, open_client
from app.cli.commands import add_remote_command
from app.settings import Settings
from app.terminal import say

MAX_PAGE = 200


def add_commands(commands: Any) -> None:
    parser = add_remote_command(commands, "audit", "show who changed what, newest first, as JSON lines", _audit)
    parser.add_argument("--from", dest="since", metavar="TIME", help="entries of this time (RFC 3339) or later")
    parser.add_argument("--to", dest="until", metavar="TIME", help="entries before this time")
    parser.add_argument("--actor", help="entries of this key id, or of 'operator'")
    parser.add_argument("--object", help="entries about the key, the document … of this id")
    parser.add_argument("--limit", type=int, default=100, help="the most entries to show (100)")


def _audit(settings: Settings, options: argparse.Namespace) -> int:
    asked = {"from": options.since, "to": options.until, "actor": options.actor, "object": options.object}
    params = {name: value for name, value in asked.items() if value is not None}
    with open_client(settings, url=options.url, key=options.key) as client:
        entries = list_all(client, "/audit", limit=min(options.limit, MAX_PAGE), **params)
        for each in islice(entries, options.limit):
            say(json.dumps(each, ensure_ascii=False))
    return 0
