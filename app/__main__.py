"""The command line: python -m app --help."""

from __future__ import annotations

import argparse
import sys

from pydantic import ValidationError

from app.cli import (
    adapters,
    ask,
    audit,
    backup,
    collections,
    index,
    migrate,
    service,
    storage,
    tenants,
    usage,
    webhooks,
)
from app.cli.commands import Command
from app.errors import KyujangError
from app.evaluation import command as evaluation
from app.sandbox.kernel import hide_process
from app.settings import Settings
from app.settings.faults import faults
from app.terminal import say


def main(arguments: list[str] | None = None) -> int:
    options = build_parser().parse_args(arguments)
    command: Command = options.command
    try:
        return command(Settings(), options)
    except ValidationError as error:
        say("\n".join(faults(error)), file=sys.stderr)
    except KyujangError as error:
        say(error.detail, file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    return 1


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m app", description="Answer questions from your documents")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    service.add_commands(commands)
    migrate.add_commands(commands)
    ask.add_commands(commands)
    evaluation.add_command(commands)
    tenants.add_commands(commands)
    collections.add_commands(commands)
    adapters.add_commands(commands)
    audit.add_commands(commands)
    usage.add_commands(commands)
    webhooks.add_commands(commands)
    backup.add_commands(commands)
    storage.add_commands(commands)
    index.add_commands(commands)
    return parser


if __name__ == "__main__":
    hide_process()
    sys.exit(main())
