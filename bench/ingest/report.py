"""Results as Markdown tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.retrieval.report import table

Rows = list[list[str]]


def markdown(results: dict[str, Any]) -> str:
    tables = [(title, rows(results[part])) for part, title, rows in SECTIONS if part in results]
    return "\n\n".join(f"### {title}\n\n{table(rows)}" for title, rows in tables if len(rows) > 1)


def _rounds(figures: dict[str, Any]) -> Rows:
    head = ["database before", "documents", "chunks", "chunks/s", "encoder chunks/s", "of the encoder"]
    rows = [[*head, "CPU ms a chunk: worker", "API", "PostgreSQL", "encoder"]]
    for each in [*figures["rounds"], *figures["growth"]]:
        cpu = each["cpu_ms_a_chunk"]
        rates = [each["chunks"] / each[name] for name in ("seconds", "encoder_seconds")]
        row = [str(each.get("size", "from empty")), str(each["documents"]), str(each["chunks"])]
        row += [*(f"{rate:.2f}" for rate in rates), f"{each['of_encoder']:.3f}"]
        rows.append(row + [f"{cpu[name]:.1f}" for name in ("worker", "API", "PostgreSQL", "encoder")])
    return rows


def _memory(figures: dict[str, Any]) -> Rows:
    peaks = figures["memory_mb"]
    return [list(peaks), [str(peak) for peak in peaks.values()]]


def _peers(figures: dict[str, Any]) -> Rows:
    head = ["who", "chunks", "tokens", "chunks/s", "tokens/s", "µs CPU a token", "peak MB"]
    rows = [[*head, "Kyujang is × by chunks/s", "by tokens/s"]]
    for name, each in figures["contenders"].items():
        rates = [f"{each[what] / each['seconds']:.{digits}f}" for what, digits in (("chunks", 2), ("tokens", 0))]
        row = [
            name,
            str(each["chunks"]),
            str(each["tokens"]),
            *rates,
            f"{1e6 * each['cpu_seconds'] / each['tokens']:.0f}",
        ]
        row += [str(each.get("peak_mb", ""))]
        rows.append([*row, f"{each['kyujang_by_chunks']:.2f}", f"{each['kyujang_by_tokens']:.2f}"])
    return rows


def _loaders(figures: dict[str, Any]) -> Rows:
    rows = [["format", "files", "MB", "million characters", "load, a process each: MB/s", "reader", "bare library"]]
    for name, each in figures["formats"].items():
        speeds = [f"{each['mb_a_second'][way]:.2f}" if way in each["mb_a_second"] else "" for way in WAYS]
        rows.append([name, str(each["files"]), f"{each['mb']:.2f}", f"{each['million_characters']:.2f}", *speeds])
    return [*rows, ["a start alone", "1", "", "", f"{1000 * figures['start_s']:.0f} ms", "", ""]]


def _upload(figures: dict[str, Any]) -> Rows:
    rows = [[f"{figures['megabytes']} MB", "API before, MB", "peak", "after", "MB/s"]]
    for n, each in enumerate(figures["passes"], 1):
        rows.append(
            [f"pass {n}", *(f"{each[name]:.0f}" for name in ("before_mb", "peak_mb", "after_mb", "mb_a_second"))]
        )
    return rows


def _storage(figures: dict[str, Any]) -> Rows:
    rows = [["files in", "chunks/s", "first request accepted, ms", "ratio"]]
    for place, rate in figures["chunks_a_second"].items():
        accepted = ", ".join(str(each["accepted_ms"]) for each in figures["passes"][place])
        rows.append([place, f"{rate:.2f}", accepted, "" if place == "folder" else f"{figures['ratio']:.3f}"])
    return rows


def _latency(figures: dict[str, Any]) -> Rows:
    rows = [["mode", "idle p50 ms", "p95", "while documents are ingested p50", "p95", "p95 ×"]]
    for mode, each in figures["modes"].items():
        idle, loaded = each["idle"], each["loaded"]
        row = [mode, *(f"{value:.1f}" for value in (idle["p50"], idle["p95"], loaded["p50"], loaded["p95"]))]
        rows.append([*row, f"{loaded['p95'] / idle['p95']:.2f}"])
    return rows


WAYS = ("load", "reader", "library")
SECTIONS: tuple[tuple[str, str, Callable[[dict[str, Any]], Rows]], ...] = (
    ("pipeline", "The whole path compared with the encoder", _rounds),
    ("pipeline", "Peak memory, MB", _memory),
    ("peers", "Compared with other frameworks", _peers),
    ("loaders", "Loaders", _loaders),
    ("upload", "The API's memory while a file passes", _upload),
    ("storage", "Object storage on this machine beside the folder", _storage),
    ("storage", "The API's memory while a file passes to object storage", lambda figures: _upload(figures["upload"])),
    ("latency", "Searches while documents are ingested", _latency),
)
