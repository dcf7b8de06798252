"""Time a backup, a second one and a restore beside `cp` of the same files, and searches during the backup.

Run: python -m bench.backup FOLDER. It needs some 12 GB there for 2 GB of files, and removes all that it made.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import psycopg
from pgvector.psycopg import register_vector

from app.storage.migrate import migrate
from app.storage.tenancy import TenantNumber
from app.up.postgres import EmbeddedPostgres
from bench.retrieval.build import copy_rows, drop_indexes
from bench.retrieval.corpus import DIMENSION, Corpus, Plan, documents_of, make, vocabulary, words
from bench.retrieval.home import Place, create_database, opened, place
from bench.retrieval.measure import times
from bench.retrieval.progress import say
from bench.service import ROOT, Client, plain_environment, served

WORDS_EACH = 60
WORDS_ASKED = 6
WARM_UP = 50
DEFAULT_TENANT = TenantNumber(1)


def main() -> None:
    options = _parser().parse_args()
    with opened(options.folder) as server:
        where = place(options.folder, server, Plan("single", options.chunks, 1))
        _build(server, where, options.megabytes)
        found = _measure(server, where, options.folder, options.questions)
    say(json.dumps(found, indent=1))
    shutil.rmtree(options.folder)


def _build(server: EmbeddedPostgres, where: Place, megabytes: int) -> None:
    """Fill the tables by COPY, and give each document a file of random bytes."""
    create_database(server, where.plan.name)
    migrate(where.settings, dimension=lambda: DIMENSION)
    corpus = make(where.plan)
    with psycopg.connect(where.owner_url, autocommit=True) as owner:
        register_vector(owner)
        late = drop_indexes(owner)
        copy_rows(owner, corpus, [DEFAULT_TENANT], WORDS_EACH)
        for definition in late:
            owner.execute(definition.encode())
        _files(owner, where, corpus, (megabytes << 20) // documents_of(where.plan.chunks))
        owner.execute("vacuum analyze")
    say("the rows and files are there")
    migrate(where.settings, dimension=lambda: DIMENSION)
    say("the indexes are there")


def _files(owner: psycopg.Connection, where: Place, corpus: Corpus, size: int) -> None:
    folder, random = where.settings.blobs / str(DEFAULT_TENANT), np.random.default_rng(5)
    folder.mkdir(parents=True)
    rows = []
    for n in range(documents_of(len(corpus.chunks))):
        content = random.bytes(size)
        (folder / f"{n:032x}").write_bytes(content)
        rows.append((f"{DEFAULT_TENANT}/{n:032x}", size, hashlib.sha256(content).digest(), f"d{n}"))
    with owner.transaction(), owner.cursor() as cursor:
        cursor.executemany("update documents set blob = %s, bytes = %s, sha256 = %s where id = %s", rows)
    os.sync()


def _measure(server: EmbeddedPostgres, where: Place, folder: Path, questions: int) -> dict[str, Any]:
    kept, copied, blobs = folder / "backups", folder / "copied", where.settings.blobs
    beside, before, during = _beside_searches(where, kept, questions)
    shutil.rmtree(kept)
    seconds = {"backup beside searches": beside, "cp": _timed(lambda: _copy(blobs, copied))}
    shutil.rmtree(copied)
    seconds["backup"] = _timed(lambda: _app(where, "backup", kept))
    seconds["second backup"] = _timed(lambda: _app(where, "backup", kept))
    seconds["check"] = _timed(lambda: _app(where, "restore", "--check", kept))
    create_database(server, "restored")
    other = urlsplit(where.owner_url)._replace(path="/restored").geturl()
    seconds["restore"] = _timed(lambda: _app(where, "restore", kept, url=other, home=folder / "restored-home"))
    size = sum(each.stat().st_size for each in blobs.rglob("*") if each.is_file()) / 1e6
    dump = max(each.stat().st_size for each in kept.rglob("database.dump")) / 1e6
    return {
        "mb": {"files": size, "dump": dump},
        "seconds": seconds,
        "mb_per_s": {"cp": size / seconds["cp"], "backup": (size + dump) / seconds["backup"]},
        "backup_to_cp": seconds["backup"] / seconds["cp"],
        "search_ms": {"before": times(before), "during": times(during), "asked during": len(during)},
        "p95_ratio": times(during)["p95"] / times(before)["p95"],
    }


def _beside_searches(where: Place, kept: Path, questions: int) -> tuple[float, list[float], list[float]]:
    """Seconds of a backup, and milliseconds of searches before and during it."""
    texts = _texts(WARM_UP + questions)
    with served(where.folder, where.owner_url, auth="off") as (port, _):
        client = Client(port, "")
        for text in texts[:WARM_UP]:
            client.search(text, "dense", 10)
        before = [_asked(client, text) for text in texts[WARM_UP:]]
        with _Asking(client, texts) as during:
            seconds = _timed(lambda: _app(where, "backup", kept))
    return seconds, before, during.taken


class _Asking:
    """Searches, one after the other, while the block runs."""

    def __init__(self, client: Client, texts: list[str]) -> None:
        self._client, self._texts, self._over = client, texts, threading.Event()
        self.taken: list[float] = []
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> _Asking:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.is_set():
            self.taken.append(_asked(self._client, self._texts[len(self.taken) % len(self._texts)]))


def _texts(count: int) -> list[str]:
    known = vocabulary()
    return [" ".join(known[n] for n in row) for row in words(99, count, WORDS_ASKED).tolist()]


def _asked(client: Client, text: str) -> float:
    started = time.perf_counter()
    client.search(text, "dense", 10)
    return 1000 * (time.perf_counter() - started)


def _app(where: Place, *arguments: object, url: str = "", home: Path | None = None) -> None:
    environment = plain_environment() | {
        "DATABASE_URL": url or where.owner_url,
        "KYUJANG_HOME": str(home or where.folder),
        "KYUJANG_ENGINE": "none",
    }
    subprocess.run([sys.executable, "-m", "app", *map(str, arguments)], cwd=ROOT, env=environment, check=True)


def _copy(source: Path, target: Path) -> None:
    """As durable as a backup is."""
    subprocess.run(["cp", "-a", source, target], check=True)
    os.sync()


def _timed(action: Callable[[], None]) -> float:
    started = time.perf_counter()
    action()
    seconds = round(time.perf_counter() - started, 1)
    say(f"{seconds} s")
    return seconds


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="an empty place, removed at the end")
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--megabytes", type=int, default=2_000, help="of uploaded files")
    parser.add_argument("--questions", type=int, default=500)
    return parser


if __name__ == "__main__":
    main()
