"""The command line: python -m bench.capable --help."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from pathlib import Path

from app.up.environments import engine_environment
from app.up.gpus import look
from bench import stack
from bench.answer import data
from bench.answer.asking import NONE, WAYS
from bench.answer.report import markdown
from bench.answer.running import running
from bench.arguments import known_names
from bench.canaries import ATTACKS, MORE_ATTACKS, read_attacks
from bench.capable import convert, parts
from bench.capable.measuring import Measuring, Results
from bench.service import ROOT, plain_environment

ASKED = [way for way in WAYS if way != NONE]


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    # Else what it has started would go on without it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    ends_at = time.monotonic() + 60 * options.minutes
    model = _model(options.home)
    folders = {language: options.data / language for language in data.LANGUAGES}
    documents = [document for folder in folders.values() for document in data.corpus(folder)]
    sizes = (options.sample, options.sample_unanswerable, options.seed)
    questions = [each for name, folder in folders.items() for each in data.questions(folder, name, *sizes)]
    how = {"top_k": options.top_k, "max_tokens": options.max_tokens, "clients": options.clients}
    environment = plain_environment() | {"PYTHONDONTWRITEBYTECODE": "1"}
    # Without the fallback, since a sentence of the sources is no answer of the model's: a slow engine ends the call.
    settings = {"engine": "vllm", "model": model, "fallback": "none"}
    with (
        stack.started(options.home / "service", environment, **settings) as (url, _),
        running(url, None, documents) as client,
    ):
        measuring = Measuring(client, options.home / "results.json", ends_at)
        asked = measuring.answers(questions, options.ways, how)
        attacks = [] if options.no_attacks else read_attacks(ATTACKS, MORE_ATTACKS)
        attacked = measuring.attacks(attacks, options.ways, clients=options.clients)
    print(_tables(measuring.results))
    if not (asked and attacked):
        print("The minutes are over; the same call goes on from here.", file=sys.stderr)
    return 0


def _model(home: Path) -> Path:
    """Return the folder that vLLM reads, made if it is not there."""
    folder: Path = home.absolute() / "qwen2.5-coder-1.5b-instruct"
    if not folder.exists():
        gguf = parts.fetched(home)
        engine = engine_environment(gpu=look().first is not None)
        if not engine.is_installed():
            subprocess.run([sys.executable, "-m", "app.up.install", "--engine"], cwd=ROOT, check=True)
        subprocess.run([engine.python, convert.__file__, gguf, folder], check=True)
    return folder


def _tables(results: Results) -> str:
    return markdown(results.outcomes, results.injection())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.capable", description="Answers of a small capable model")
    add = parser.add_argument
    add("--home", type=Path, required=True, help="a folder for the model, the service and the results")
    add("--data", type=Path, default=Path("../shared/data"), help="holds en and ko (../shared/data)")
    add("--ways", type=_ways, default=["mark"], help=f"of {','.join(ASKED)} (mark)")
    add("--sample", type=int, default=100, help="questions with an answer, a language (100)")
    add("--sample-unanswerable", type=int, default=60, help="questions without one, a language (60)")
    add("--seed", type=int, default=0, help="of the samples (0)")
    add("--top-k", type=int, default=3, help="chunks (3)")
    add("--max-tokens", type=int, default=64, help="of an answer (64)")
    add("--clients", type=int, default=2, help="questions at a time (2)")
    add("--no-attacks", action="store_true", help="questions alone")
    add("--minutes", type=float, default=600, help="asks no more after so many; the next call goes on (600)")
    return parser


def _ways(text: str) -> list[str]:
    return known_names(text, ASKED)


if __name__ == "__main__":
    sys.exit(main())
