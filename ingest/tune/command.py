"""python -m ingest tune FILE --name NAME: let a running service train an adapter, and show how far it is."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any, get_args

import httpx
from pydantic import ValidationError
from tqdm import tqdm

from app.adapters.training_request import Hyperparameters, Method
from app.cli.client import FINISHED, ServiceRefused, call, open_client
from app.errors import KyujangError
from app.settings import Settings
from app.terminal import say, visible
from ingest.tune.instructions import parse_rows
from ingest.tune.stopping import Stopped

POLL_S = 1.0
# A service that restarts meanwhile is waited for.
MAX_FAILED_POLLS = 60
ENDED_EARLY: dict[Stopped, str] = {
    "no_gain": "the loss no longer fell by as much as a hundredth",
    "known": "the rows were known by heart",
}


def add_parser(commands: Any) -> None:
    words = "train an adapter on instruction rows, and wait until it is ready"
    parser = commands.add_parser("tune", help=words, description=words)
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="rows in Alpaca's format, as a JSON array or JSON Lines"
    )
    parser.add_argument("--name", required=True, help="the adapter's name; each training makes its next version")
    parser.add_argument(
        "--method",
        choices=get_args(Method),
        default="sft",
        help="sft: rows with output; dpo: rows with chosen and rejected",
    )
    for name, field in Hyperparameters.model_fields.items():
        said = (field.description or name.replace("_", " ")).rstrip(".")
        default = "" if field.default is None else f" ({field.default})"
        parser.add_argument(_option(name), dest=f"set_{name}", metavar="VALUE", help=f"{said}{default}")
    parser.add_argument("--check", action="store_true", help="only check the rows and options")
    parser.add_argument("--no-wait", action="store_true", help="do not wait: end as soon as the training is accepted")
    parser.add_argument("--url", help="the service's address (KYUJANG_URL)")
    parser.add_argument("--key", help="the tenant's key, with the scope 'adapters' (KYUJANG_KEY)")
    parser.set_defaults(command=run)


def run(settings: Settings, options: argparse.Namespace) -> int:
    rows = parse_rows(_content(options.file), options.method)
    twice = len(rows) - len(set(rows))
    say(f"{len(rows)} rows are valid" + (f"; {twice} are duplicates and count once" if twice else "") + ".")
    body = {
        "name": options.name,
        "method": options.method,
        "rows": [row.model_dump() for row in rows],
        "hyperparameters": _hyperparameters(options).model_dump(exclude_unset=True),
    }
    if options.check:
        return 0
    with open_client(settings, url=options.url, key=options.key) as client:
        job = call(client, "POST", "/tune", json=body)
        say(f"Accepted: {job['id']}")
        if options.no_wait:
            return 0
        try:
            return _report(_followed(client, job["id"]))
        except KeyboardInterrupt:
            say(f"The training goes on; DELETE /jobs/{job['id']} cancels it.", file=sys.stderr)
            return 130


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise KyujangError(f"{path}: {error.strerror}") from None


def _hyperparameters(options: argparse.Namespace) -> Hyperparameters:
    given = {name: getattr(options, f"set_{name}") for name in Hyperparameters.model_fields}
    values: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if "target_modules" in values and values["target_modules"] != "all-linear":
        values["target_modules"] = values["target_modules"].split(",")
    try:
        return Hyperparameters(**values)
    except ValidationError as error:
        found = [f"{_option(str(each['loc'][0]))}: {each['msg']}" for each in error.errors()]
        raise KyujangError("\n".join(found)) from None


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _followed(client: httpx.Client, job_id: str) -> dict[str, Any]:
    failed, notice = 0, None
    with tqdm(unit="step", disable=None) as bar:
        while True:
            try:
                job: dict[str, Any] = call(client, "GET", f"/jobs/{job_id}")
                failed = 0
            except ServiceRefused as refused:
                failed += 1
                if failed > MAX_FAILED_POLLS or refused.status_code not in (None, 429, 502, 503, 504):
                    raise
                time.sleep(POLL_S)
                continue
            progress = job["progress"] or {}
            if progress.get("notice") not in (None, notice):
                notice = progress["notice"]
                bar.write(visible(notice), file=sys.stderr)
            if "steps" in progress:
                bar.total = progress["steps"]
                bar.set_postfix({name: progress[name] for name in ("loss", "eval_loss") if name in progress})
                bar.update(progress["step"] - bar.n)
            if job["status"] in FINISHED:
                return job
            time.sleep(POLL_S)


def _report(job: dict[str, Any]) -> int:
    if job["status"] != "succeeded":
        say(job["error"]["detail"] if job["error"] else f"The training was {job['status']}.", file=sys.stderr)
        return 1
    made = job["result"]
    adapter = f"{made['adapter']['name']}@{made['adapter']['version']}"
    loss = f"{made['loss']:.3f}" + (f", on held-out rows {made['eval_loss']:.3f}" if made["eval_loss"] else "")
    say(f"{adapter}: {made['steps']} of {made['planned_steps']} steps in {made['seconds']} s, loss {loss}.")
    if made["stopped"]:
        say(f"It ended early: {ENDED_EARLY[made['stopped']]}.")
    say(f"Its checks go on: GET /adapters/{made['adapter']['name']}")
    return 0
