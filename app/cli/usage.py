"""python -m app usage: what was used, of a tenant or, with the operator's key, of all."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from typing import Any

from app.cli.client import list_all, open_client
from app.cli.commands import add_remote_command
from app.settings import Settings
from app.terminal import say

MAX_PAGE = 200


def add_commands(commands: Any) -> None:
    parser = add_remote_command(commands, "usage", "show what was used, as JSON lines or CSV", _usage)
    parser.add_argument("--from", dest="since", metavar="DAY", help="the first day, such as 2026-11-01; 30 days ago")
    parser.add_argument("--to", dest="until", metavar="DAY", help="the day after the last; tomorrow")
    parser.add_argument("--group-by", default="day", help="some of day, key, adapter, and for the operator tenant")
    parser.add_argument("--csv", action="store_true", help="as CSV, with a line of names first")


def _usage(settings: Settings, options: argparse.Namespace) -> int:
    asked = {"from": options.since, "to": options.until, "group_by": options.group_by}
    params = {name: value for name, value in asked.items() if value is not None}
    writer = csv.writer(sys.stdout, lineterminator="\n")
    with open_client(settings, url=options.url, key=options.key) as client:
        for number, line in enumerate(list_all(client, "/usage", limit=MAX_PAGE, **params)):
            if not options.csv:
                say(json.dumps(line, ensure_ascii=False))
                continue
            if number == 0:
                writer.writerow(line)
            writer.writerow(line.values())
    return 0
