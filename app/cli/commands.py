"""What every group of commands is built from."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from app.settings import Settings

Command = Callable[[Settings, argparse.Namespace], int]


def add_command(commands: Any, name: str, words: str, command: Command) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=words, description=words)
    parser.set_defaults(command=command)
    return parser


def add_remote_command(commands: Any, name: str, words: str, command: Command) -> argparse.ArgumentParser:
    """Add a command that talks to a running service."""
    parser = add_command(commands, name, words, command)
    parser.add_argument("--url", help="the service's address (KYUJANG_URL)")
    parser.add_argument(
        "--key", help="the tenant's key (KYUJANG_KEY), or the operator's (KYUJANG_ADMIN_KEY) for tenants and keys"
    )
    return parser


def add_group(commands: Any, name: str, words: str) -> Any:
    """Add a command that has actions of its own."""
    return commands.add_parser(name, help=words, description=words).add_subparsers(required=True, metavar="ACTION")
