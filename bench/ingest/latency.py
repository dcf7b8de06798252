"""What a search waits for while documents are taken in flat out, beside the same searches on an idle machine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from random import Random
from typing import Any

from app.cli.client import call
from app.retrieval.search import Mode
from bench.ingest.fill import fill
from bench.ingest.home import Home
from bench.ingest.pipeline import Running, running
from bench.retrieval.measure import times
from bench.retrieval.progress import say
from bench.service import Client

MODES: tuple[Mode, ...] = ("dense", "hybrid")
TOP_K = 10
WORDS_ASKED = 8
WARM_UP = 30
# A second of searches may go by while a worker takes in some forty chunks.
CHUNKS_A_QUESTION = 3
AT_WORK = ("split", "embed", "store")


def latency(home: Home, *, questions: int, size: int, chunks: int, workers: int) -> dict[str, Any]:
    """Idle, loaded, idle again: the idle figures are of both times."""
    home.ready()
    texts = _questions(home, WARM_UP + 2 * questions)
    with running(home, workers) as service:
        if home.chunks() < min(size, chunks):
            service.take_in(home.documents(chunks, seed=1))
        fill(home, size)
        client = Client(service.port, home.key)
        _asked(client, texts[:WARM_UP])
        half = questions // 2
        idle = _asked(client, texts[WARM_UP : WARM_UP + half])
        loaded = _under_load(service, client, texts[-questions:])
        again = _asked(client, texts[WARM_UP + half : WARM_UP + questions])
    found: dict[str, Any] = {}
    for mode in MODES:
        found[mode] = {"idle": times(idle[mode] + again[mode]), "loaded": times(loaded[mode])}
        say(f"{mode}: {found[mode]}")
    return {"chunks": home.chunks(), "workers": workers, "modes": found}


def _questions(home: Home, count: int) -> list[str]:
    """Some words in a row, by turns from each source."""
    rng, asked = Random(count), list[str]()
    for n in range(count):
        text, _ = rng.choice(home.texts[n % len(home.texts)])
        words = text.split()
        first = rng.randrange(max(1, len(words) - WORDS_ASKED))
        asked.append(" ".join(words[first : first + WORDS_ASKED]))
    return asked


def _asked(client: Client, texts: Sequence[str]) -> dict[Mode, list[float]]:
    taken: dict[Mode, list[float]] = {mode: [] for mode in MODES}
    order = Random(len(texts))
    for text in texts:
        for mode in order.sample(MODES, len(MODES)):
            started = time.perf_counter()
            client.search(text, mode, TOP_K)
            taken[mode].append(1000 * (time.perf_counter() - started))
    return taken


def _under_load(service: Running, client: Client, texts: Sequence[str]) -> dict[Mode, list[float]]:
    """Raises SystemExit if the workers ran out of work meanwhile."""
    # Other documents each time: the same ones would be unchanged.
    files = service.home.documents(CHUNKS_A_QUESTION * len(texts), seed=int(time.time()))
    jobs = service.send(files)
    while not any(each["stage"] in AT_WORK for each in _state(service, jobs[0])["documents"]):
        time.sleep(0.1)
    taken = _asked(client, texts)
    unfinished = _state(service, jobs[-1])["finished_at"] is None
    for job in jobs:
        call(service.client, "DELETE", f"/jobs/{job}")
    if not unfinished:
        raise SystemExit("The workers were done before the questions were: raise CHUNKS_A_QUESTION.")
    return taken


def _state(service: Running, job: str) -> dict[str, Any]:
    state: dict[str, Any] = call(service.client, "GET", f"/jobs/{job}")
    return state
