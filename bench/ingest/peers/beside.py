"""Kyujang, its encoder alone and each of the frameworks on the same documents, one after the other in one run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.settings import Settings
from app.storage.processing import chunk_size
from bench.ingest.home import Home
from bench.ingest.peers.environment import python, run
from bench.ingest.pipeline import measure, running
from bench.processes import Watch
from bench.retrieval.progress import say

FRAMEWORKS = ("langchain_faiss", "langchain_onnx", "llama_index_faiss", "haystack_memory", "txtai_faiss")


def beside(home: Home, *, chunks: int, names: Sequence[str] | None) -> dict[str, Any]:
    if not python(home.folder).exists():
        raise SystemExit(f"The frameworks are not installed: run 'python -m bench.ingest peers --home {home.folder}'.")
    home.empty()
    files = home.documents(chunks, seed=2)
    found = _ours(home, files)
    tokens, overlap = chunk_size(Settings(), home.encoder.max_tokens)
    arguments = {
        "--model": home.model,
        "--documents": files[0].parent,
        "--warm-up": home.folder / "documents" / "warm-up.txt",
        "--chunk": tokens,
        "--overlap": overlap,
    }
    given = [str(part) for pair in arguments.items() for part in pair]
    for name in names or FRAMEWORKS:
        found[name] = run(home.folder, name, given)
        say(f"{name}: {_rate(found[name]):.2f} chunks/s, {found[name]['peak_mb']} MB")
    return {
        "documents": len(files),
        "contenders": {name: _with_ratio(each, found["kyujang"]) for name, each in found.items()},
    }


def _ours(home: Home, files: Sequence[Any]) -> dict[str, Any]:
    with running(home, 1) as service:
        roots = {"worker": service.workers, "API": [service.api], "PostgreSQL": [home.postmaster]}
        with Watch(roots, shared="PostgreSQL") as watch:
            ours = measure(service, files)
    counted = {"chunks": ours["chunks"], "tokens": ours["tokens"]}
    cpu = ours["cpu_ms_a_chunk"]
    return {
        "kyujang": {
            **counted,
            "seconds": ours["seconds"],
            "cpu_seconds": round(ours["chunks"] * (cpu["worker"] + cpu["API"] + cpu["PostgreSQL"]) / 1000, 2),
            "peak_mb": round(watch.peaks["worker"]),
            "all_peak_mb": round(sum(watch.peaks.values())),
        },
        "encoder": {
            **counted,
            "seconds": ours["encoder_seconds"],
            "cpu_seconds": round(ours["chunks"] * cpu["encoder"] / 1000, 2),
        },
    }


def _with_ratio(its: dict[str, Any], ours: dict[str, Any]) -> dict[str, Any]:
    """How often as fast Kyujang is."""
    by_tokens = (ours["tokens"] / ours["seconds"]) / (its["tokens"] / its["seconds"])
    return {**its, "kyujang_by_chunks": round(_rate(ours) / _rate(its), 2), "kyujang_by_tokens": round(by_tokens, 2)}


def _rate(figures: dict[str, Any]) -> float:
    return float(figures["chunks"] / figures["seconds"])
