"""Compute the packaged model: with OpenVINO in bfloat16 where the CPU multiplies it, else with ONNX Runtime."""

from __future__ import annotations

import logging
import sys
from concurrent.futures import ThreadPoolExecutor
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

    def in_idle_time(self, runs: int) -> Runtime:
        """Return one of the same model that computes only while cores are idle, for so many callers at a time."""
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

    def in_idle_time(self, runs: int) -> Runtime:
        return _InIdleThreads(self, runs)


class _InIdleThreads:
    """A session computes in its caller's thread. The callers' own keep their priority: what waits for the
    interpreter's lock would otherwise wait for them."""

    def __init__(self, runtime: Runtime, runs: int) -> None:
        self._runtime = runtime
        self._threads = ThreadPoolExecutor(runs, thread_name_prefix="embed-idle", initializer=cpu.only_idle_time)

    def run(self, ids: Ids, mask: Ids) -> Vectors:
        return self._threads.submit(self._runtime.run, ids, mask).result()

    def in_idle_time(self, runs: int) -> Runtime:
        return _InIdleThreads(self._runtime, runs)


class OpenVino:
    """https://docs.openvino.ai/2024/openvino-workflow/running-inference/inference-devices-and-modes/cpu-device.html"""

    def __init__(
        self, folder: Path, *, threads: int, hint: Literal["bf16", "f32"] = "bf16", runs: int = RUNS_AT_ONCE
    ) -> None:
        self._folder, self._hint = folder, hint
        # With this module at hand, the import of openvino alone is told to Google Analytics, unasked.
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
        from openvino import Core

        core = Core()
        options = {
            "INFERENCE_PRECISION_HINT": hint,
            "INFERENCE_NUM_THREADS": runs * threads,
            "NUM_STREAMS": runs,
            "ENABLE_CPU_PINNING": False,
            "CPU_RUNTIME_CACHE_CAPACITY": KERNELS,
        }
        model = core.compile_model(core.read_model(folder / MODEL), "CPU", options)
        # A request refuses a second caller, and its results lie in memory that the next run writes over.
        self._requests: SimpleQueue[Any] = SimpleQueue()
        for _ in range(runs):
            self._requests.put(model.create_infer_request())

    def run(self, ids: Ids, mask: Ids) -> Vectors:
        request = self._requests.get()
        try:
            return np.array(request.infer({"input_ids": ids, "attention_mask": mask})[OUTPUT], np.float32)
        finally:
            self._requests.put(request)

    def in_idle_time(self, runs: int) -> Runtime:
        # It computes in threads of its own, which take after the one that compiles.
        with ThreadPoolExecutor(1, initializer=cpu.only_idle_time) as idle:
            return idle.submit(OpenVino, self._folder, threads=1, hint=self._hint, runs=runs).result()


def open_runtime(folder: Path, *, threads: int, precision: Precision, runs: int = RUNS_AT_ONCE) -> Runtime:
    exact = OnnxRuntime(folder, threads=threads)
    if precision == "auto" and multiplies_bfloat16():
        try:
            fast = OpenVino(folder, threads=threads, runs=runs)
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
