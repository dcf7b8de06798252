"""The child that uses Ray: it takes in settings and documents as often as it is sent any, until it is sent None.

Each time it answers with a line of JSON: why a node could not work at all, or why the pipeline broke off. Started by
ingest/cluster/driver.py.
"""

from __future__ import annotations

import json
import os
import pickle
import sys
from queue import SimpleQueue
from threading import Thread
from typing import Any, BinaryIO

from app.errors import KyujangError
from ingest.cluster.ray_pipeline import connected, run_pipeline


def main(address: str) -> None:
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    # What others print, and Ray's own children, stay out of the talk.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    waiting: SimpleQueue[Any] = SimpleQueue()
    Thread(target=_listen, args=(requests, waiting), daemon=True).start()
    try:
        with connected(address or None):
            while (request := waiting.get()) is not None:
                _answer(answers, {"broken": run_pipeline(*request)})
    except KyujangError as error:
        _answer(answers, {"error": error.detail})


def _listen(requests: BinaryIO, waiting: SimpleQueue[Any]) -> None:
    request: Any = ""
    while request is not None:
        try:
            request = pickle.load(requests)  # noqa: S301 - our parent's
        except EOFError:
            # It is gone, and with us goes Ray.
            os._exit(1)
        waiting.put(request)


def _answer(answers: BinaryIO, answer: dict[str, str | None]) -> None:
    answers.write(json.dumps(answer).encode() + b"\n")
    answers.flush()


if __name__ == "__main__":
    main(sys.argv[1])
