"""Run the packaged multilingual-e5-small: Korean and English without a download (docs/decisions/0004)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from copy import copy
from pathlib import Path

import numpy as np

from app.embedding.e5_runtime import RUNS_AT_ONCE, Precision, open_runtime
from app.embedding.encoder import Kind, Vectors, normalise
from app.embedding.packaged.folder import PROMPTS
from app.settings import PACKAGED_EMBEDDER

# A run costs as much as some 8 tokens do, so that only short texts gain by sharing one, and only with little padding.
RUN_TOKENS = 256
RUN_PADDING = 4


class E5Encoder:
    name = PACKAGED_EMBEDDER
    dimension = 384
    max_tokens = 512
    passages_at_once = 2

    def __init__(
        self, folder: Path, *, threads: int = 1, precision: Precision = "auto", runs: int = RUNS_AT_ONCE
    ) -> None:
        # Read when the tokenizer first works; its threads would take the cores of everything beside it.
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        from tokenizers import Tokenizer

        self._runtime = open_runtime(folder, threads=threads, precision=precision, runs=max(RUNS_AT_ONCE, runs))
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        # What a document says stays text, also where it says "</s>".
        self._tokenizer.encode_special_tokens = True
        self._end = self._tokenizer.encode("").ids[-1]

    def in_idle_time(self, runs: int) -> E5Encoder:
        """Return one that computes only while cores are idle, for so many callers at a time."""
        other = copy(self)
        other._runtime = self._runtime.in_idle_time(runs)
        return other

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(ids) for ids in self._ids(texts, "passage")]

    def encode(self, texts: Sequence[str], kind: Kind) -> Vectors:
        vectors = np.empty((len(texts), self.dimension), np.float32)
        tokens = [self._cut(ids) for ids in self._ids(texts, kind)]
        for run in _runs(tokens):
            vectors[run] = self._run([tokens[n] for n in run])
        return vectors

    def _ids(self, texts: Sequence[str], kind: Kind) -> list[list[int]]:
        prefixed = [PROMPTS[kind] + normalise(text) for text in texts]
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(prefixed)]

    def _cut(self, ids: list[int]) -> list[int]:
        return ids if len(ids) <= self.max_tokens else [*ids[: self.max_tokens - 1], self._end]

    def _run(self, tokens: Sequence[Sequence[int]]) -> Vectors:
        longest = max(map(len, tokens))
        ids, mask = (np.zeros((len(tokens), longest), np.int64) for _ in range(2))
        for row, its in enumerate(tokens):
            ids[row, : len(its)], mask[row, : len(its)] = its, 1
        return self._runtime.run(ids, mask)


def _runs(tokens: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Group texts of like length into runs."""
    run: list[int] = []
    for n in sorted(range(len(tokens)), key=lambda n: len(tokens[n])):
        length = len(tokens[n])
        if run and (length - len(tokens[run[0]]) > RUN_PADDING or (len(run) + 1) * length > RUN_TOKENS):
            yield run
            run = []
        run.append(n)
    if run:
        yield run
