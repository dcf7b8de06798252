"""python -m app adapter: LoRA adapters of a running service."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import httpx

from app.cli.client import POLL_S, call, list_all, open_client
from app.cli.commands import Command, add_group, add_remote_command
from app.errors import KyujangError
from app.settings import Settings
from app.storage.peft_folder import FILES, pack
from app.terminal import say

ENDED = ("ready", "rejected", "failed")


def add_commands(commands: Any) -> None:
    adapter = add_group(commands, "adapter", "manage LoRA adapters")
    new = add_remote_command(
        adapter, "add", "upload an adapter and wait until it is ready, or rejected with the reason", _run(_add)
    )
    new.add_argument("name", help="the adapter's name")
    new.add_argument("path", type=Path, help="the folder that PEFT saved, or its .tar.gz or .zip")
    new.add_argument("--no-wait", action="store_true", help="do not wait: end as soon as it is accepted")
    add_remote_command(adapter, "list", "list all versions of all adapters", _run(_list))
    activate = add_remote_command(adapter, "activate", "use a version from the next query on", _run(_activate))
    activate.add_argument("name", help="the adapter's name")
    activate.add_argument("version", type=int, help="one of its versions")
    add_remote_command(adapter, "deactivate", "use the base model from the next query on", _run(_deactivate))
    add_remote_command(adapter, "rollback", "undo the last activation or deactivation", _run(_rollback))
    delete = add_remote_command(adapter, "delete", "delete all versions, or one (--version)", _run(_delete))
    delete.add_argument("name", help="the adapter's name")
    delete.add_argument("--version", type=int, help="delete this version only")


def _run(
    action: Callable[[httpx.Client, argparse.Namespace], int],
) -> Command:
    def command(settings: Settings, options: argparse.Namespace) -> int:
        with open_client(settings, url=options.url, key=options.key) as client:
            return action(client, options)

    return command


def _add(client: httpx.Client, options: argparse.Namespace) -> int:
    with _archive(options.path) as file:
        adapter = call(client, "POST", "/adapters", data={"name": options.name}, files={"file": file})
    while adapter["status"] not in ENDED and not options.no_wait:
        time.sleep(POLL_S)
        adapter = call(client, "GET", f"/adapters/{adapter['name']}", params={"version": adapter["version"]})
    for check in adapter["checks"]:
        say(f"  {'ok' if check['ok'] else 'NO':<3} {check['name']}: {check['detail']}")
    say(_line(adapter))
    if adapter["status"] == "failed":
        say(adapter["error_detail"], file=sys.stderr)
    return 1 if adapter["status"] in ("rejected", "failed") else 0


def _list(client: httpx.Client, _: argparse.Namespace) -> int:
    for adapter in list_all(client, "/adapters"):
        say(_line(adapter))
    return 0


def _activate(client: httpx.Client, options: argparse.Namespace) -> int:
    say(_line(call(client, "POST", f"/adapters/{options.name}/activate", json={"version": options.version})))
    return 0


def _deactivate(client: httpx.Client, _: argparse.Namespace) -> int:
    call(client, "POST", "/adapters/deactivate")
    return 0


def _rollback(client: httpx.Client, _: argparse.Namespace) -> int:
    active = call(client, "POST", "/adapters/rollback")["active"]
    say(_line(active) if active else "The base model answers.")
    return 0


def _delete(client: httpx.Client, options: argparse.Namespace) -> int:
    params = {"version": options.version} if options.version is not None else None
    call(client, "DELETE", f"/adapters/{options.name}", params=params)
    return 0


def _line(adapter: dict[str, Any]) -> str:
    return (
        f"{adapter['name']}@{adapter['version']}\t{adapter['status']}\t{'active' if adapter['active'] else ''}".rstrip()
    )


@contextmanager
def _archive(path: Path) -> Iterator[BinaryIO]:
    """Open the file itself, or pack the two files of a folder."""
    if path.is_file():
        with path.open("rb") as file:
            yield file
        return
    missing = [name for name in FILES if not (path / name).is_file()]
    if missing:
        raise KyujangError(
            f"{path} is neither an archive nor a folder with {missing[0]}, which PEFT's save_pretrained writes."
        )
    with tempfile.TemporaryFile() as packed:
        pack(path, packed)
        packed.seek(0)
        yield packed
