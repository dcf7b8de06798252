"""Run an ONNX model over pairs of texts, such as a question and a chunk: any folder with a tokenizer, without torch."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from app.embedding.e5_runtime import open_session
from app.embedding.encoder import normalise
from app.errors import NotConfigured

Floats: TypeAlias = NDArray[np.float32]

# The first that is there, below the folder or its `onnx`, where hubs keep them.
FILES = ("model.onnx", "model_quantized.onnx", "model_int8.onnx")
# The memory of a longer pair would be another's.
MAX_TOKENS = 4096
# Of a model that does not say.
USUAL_TOKENS = 512
# Positions that models of RoBERTa's kind have beyond their tokens.
SPARE_POSITIONS = 2


@dataclass(frozen=True, slots=True)
class Reading:
    """What a model makes of a pair: `logits` is of shape [labels], or [tokens, labels]; `second` are the places of the
    second text's tokens."""

    logits: Floats
    second: Sequence[int]


class PairModel:
    """For one caller at a time. A longer text of a pair is cut before a shorter one."""

    def __init__(self, folder: Path, setting: str, *, threads: int) -> None:
        # Its threads would take the cores of everything beside it.
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        from tokenizers import Tokenizer

        try:
            self.config: dict[str, Any] = _config(folder)
            self._session = open_session(onnx_file(folder) or folder / FILES[0], threads)
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:
            # onnxruntime and tokenizers have no class of their own for it.
            raise NotConfigured(
                f"{setting}={str(folder)!r} has no model that ONNX Runtime opens ({' or '.join(FILES)}) beside its "
                f"tokenizer.json ({type(error).__name__})."
            ) from error
        self._names = [each.name for each in self._session.get_inputs()]
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(_max_tokens(self.config, self._tokenizer.truncation))
        # What a document says stays text, also where it says "[SEP]".
        self._tokenizer.encode_special_tokens = True

    def read(self, pairs: Sequence[tuple[str, str]], at_once: int) -> list[Reading]:
        """Read the pairs, `at_once` of like length in a run; return what comes of each."""
        encoded = self._tokenizer.encode_batch([(normalise(one), normalise(other)) for one, other in pairs])
        by_length = sorted(range(len(pairs)), key=lambda place: len(encoded[place].ids))
        readings: dict[int, Reading] = {}
        for begin in range(0, len(by_length), at_once):
            run = by_length[begin : begin + at_once]
            logits = self._run([encoded[place] for place in run])
            for place, its in zip(run, logits, strict=True):
                second = [at for at, text in enumerate(encoded[place].sequence_ids) if text == 1]
                readings[place] = Reading(its, second)
        return [readings[place] for place in range(len(pairs))]

    def _run(self, encoded: Sequence[Any]) -> Floats:
        longest = max(len(each.ids) for each in encoded)
        arrays = {name: np.zeros((len(encoded), longest), np.int64) for name in self._names}
        for row, each in enumerate(encoded):
            given = {"input_ids": each.ids, "attention_mask": each.attention_mask, "token_type_ids": each.type_ids}
            for name, array in arrays.items():
                array[row, : len(each.ids)] = given[name]
        return np.asarray(self._session.run(None, arrays)[0], np.float32)


def onnx_file(folder: Path) -> Path | None:
    """Return the model of the folder; None if it has none in this format."""
    return next((file for name in FILES for file in (folder / name, folder / "onnx" / name) if file.is_file()), None)


def _config(folder: Path) -> dict[str, Any]:
    file = folder / "config.json"
    read: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.exists() else {}
    return read


def _max_tokens(config: dict[str, Any], truncation: dict[str, Any] | None) -> int:
    if truncation:
        return min(int(truncation["max_length"]), MAX_TOKENS)
    return min(int(config.get("max_position_embeddings", USUAL_TOKENS + SPARE_POSITIONS)) - SPARE_POSITIONS, MAX_TOKENS)
