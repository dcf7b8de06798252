"""Compute the packaged model: with OpenVINO in bfloat16 where the CPU multiplies it, else with ONNX Runtime."""

from __future__ import annotations

import logging
import sys
from importlib.util import find_spec
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from app import cpu
from app.embedding.encoder import Vectors

log = logging.getLogger("kyujang.embedding")

Ids: TypeAlias = NDArray[np.int64]
Precision = Literal["auto", "float32"]

MODEL, OUTPUT = "model.onnx", "sentence_embedding"
# Kernels are kept for each shape, that is for each length of a text: 0.5 GB with no limit, and with this one no slower.
KERNELS = 100
# A short query beside a long text (app/embedding/embedder.py).
RUNS_AT_ONCE = 2
# Tokens of the texts by which the two are compared: short and long ones take other kernels.
COMPARED = (16, 300)
FAITHFUL = 0.998


class Runtime(Protocol):
    def run(self, ids: Ids, mask: Ids) -> Vectors:
        """Return vectors of shape [texts, dimension]; `ids` and `mask` are of shape [texts, tokens]."""
        ...


def open_session(file: Path, threads: int) -> Any:
    """Open a model of ONNX Runtime on the CPU, whose threads sleep while they wait."""
    from onnxruntime import InferenceSession, SessionOptions

    options = SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return InferenceSession(file, options, providers=["CPUExecutionProvider"])


class OnnxRuntime:
    def __init__(self, folder: Path, *, threads: int) -> None:
        self._session = open_session(folder / MODEL, threads)

    def run(self, ids: Ids, mask: Ids) -> Vectors:
        (vectors,) = self._session.run([OUTPUT], {"input_ids": ids, "attention_mask": mask})
        return np.asarray(vectors, np.float32)


class OpenVino:
    """https://docs.openvino.ai/2024/openvino-workflow/running-inference/inference-devices-and-modes/cpu-device.html"""

    def __init__(self, folder: Path, *, threads: int, hint: Literal["bf16", "f32"] = "bf16") -> None:
        # With this module at hand, the import of openvino alone is told to Google Analytics, unasked.
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
        from openvino import Core

        core = Core()
        options = {
            "INFERENCE_PRECISION_HINT": hint,
            "INFERENCE_NUM_THREADS": RUNS_AT_ONCE * threads,
            "NUM_STREAMS": RUNS_AT_ONCE,
            "ENABLE_CPU_PINNING": False,
            "CPU_RUNTIME_CACHE_CAPACITY": KERNELS,
        }
        model = core.compile_model(core.read_model(folder / MODEL), "CPU", options)
        # A request refuses a second caller, and its results lie in memory that the next run writes over.
        self._requests: SimpleQueue[Any] = SimpleQueue()
        for _ in range(RUNS_AT_ONCE):
            self._requests.put(model.create_infer_request())

    def run(self, ids: Ids, mask: Ids) -> Vectors:
        request = self._requests.get()
        try:
            return np.array(request.infer({"input_ids": ids, "attention_mask": mask})[OUTPUT], np.float32)
        finally:
            self._requests.put(request)


def open_runtime(folder: Path, *, threads: int, precision: Precision) -> Runtime:
    exact = OnnxRuntime(folder, threads=threads)
    if precision == "auto" and multiplies_bfloat16():
        try:
            fast = OpenVino(folder, threads=threads)
            if (worst := _least_cosine(fast, exact)) >= FAITHFUL:
                return fast
            reason = f"its vectors are not the model's (cosine {worst:.3f})"
        except RuntimeError as error:
            reason = str(error)
        log.warning("OpenVINO is not used on this CPU, so embedding is slower", extra={"reason": reason})
    return exact


def _least_cosine(one: Runtime, other: Runtime) -> float:
    """Compare the vectors of made-up texts."""
    texts = [np.arange(1000, 1000 + tokens)[np.newaxis] for tokens in COMPARED]
    return min(float((one.run(ids, np.ones_like(ids)) * other.run(ids, np.ones_like(ids))).sum()) for ids in texts)


def multiplies_bfloat16() -> bool:
    """Say whether OpenVINO may be used: it is for Linux on x86-64 alone, and need not be installed."""
    # OpenVINO itself does not refuse: with AVX-512 alone it imitates bfloat16, and the vectors came out wrong.
    return find_spec("openvino") is not None and not cpu.BFLOAT16.isdisjoint(cpu.flags())
