"""python -m ingest reindex: another embedding model for what is stored."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

from tqdm import tqdm

from app.embedding import Encoder, open_encoder, with_stored
from app.settings import Settings
from app.terminal import say
from app.up.owner import with_database_url
from ingest.reindexing import reindex

NICENESS = 10


def add_parser(commands: Any) -> None:
    words = "move stored documents to another embedding model, without a pause"
    parser = commands.add_parser("reindex", help=words, description=words)
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument(
        "--model", help="build this model's vectors and switch to them; run it again to resume after an interruption"
    )
    action.add_argument("--rollback", action="store_true", help="switch back to the previous model")
    action.add_argument("--drop", metavar="MODEL", help="delete the vectors of a model that is not in use")
    action.add_argument("--list", action="store_true", help="list the models that have vectors here")
    parser.add_argument("--build-only", action="store_true", help="with --model: build, but do not switch")
    parser.add_argument("--endpoint", help="with --model: an OpenAI-compatible embeddings endpoint that serves it")
    parser.add_argument("--max-tokens", type=int, help="with --endpoint: the most tokens its model accepts")
    parser.add_argument("--query-prefix", default="", help="with --model: text to put before each question")
    parser.add_argument("--passage-prefix", default="", help="with --model: text to put before each chunk")
    parser.set_defaults(command=_reindex)


def _reindex(settings: Settings, options: argparse.Namespace) -> int:
    settings = with_database_url(settings)
    if options.list:
        for each in reindex.list_spaces(settings):
            say(f"{each.space.model}\t{each.space.state}\t{each.vectors} of {each.chunks} chunks")
        return 0
    if options.drop:
        reindex.drop(settings, options.drop)
        say(f"The vectors of {options.drop} are gone.")
        return 0
    wanted = reindex.before_the_switch(settings) if options.rollback else _wanted(settings, options)
    # Questions come first.
    os.nice(NICENESS)
    encoder = open_encoder(wanted)
    if not options.rollback:
        _build(settings, wanted, encoder)
    if options.build_only:
        say("Built. Run the same command without --build-only to switch.")
        return 0
    reindex.switch(settings, encoder)
    say(f"Searches use {encoder.name}. Before the next start set KYUJANG_EMBEDDER to it, and what goes with it.")
    say("'python -m ingest reindex --rollback' goes back; '--drop MODEL' deletes the vectors of the model before.")
    return 0


def _build(settings: Settings, wanted: Settings, encoder: Encoder) -> None:
    say(f"Building the vectors of {encoder.name}; first, do all chunks fit its limit?", file=sys.stderr)
    with tqdm(unit="chunk", disable=None) as bar:

        def begin(done: int, total: int) -> None:
            bar.reset(total)
            bar.update(done)

        reindex.build(settings, wanted, encoder, begin=begin, advance=bar.update)


def _wanted(settings: Settings, options: argparse.Namespace) -> Settings:
    chosen = {
        "embedder": options.model,
        "embedder_url": options.endpoint,
        "embedder_max_tokens": options.max_tokens or settings.embedder_max_tokens,
        "query_prefix": options.query_prefix,
        "passage_prefix": options.passage_prefix,
    }
    return with_stored(settings, chosen)
