"""How many small files of each kind a second are read, each in a child of its own: python -m bench.small_files."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from importlib import import_module
from pathlib import Path

import psutil

from bench.retrieval.report import table
from ingest.loading.load import load

KINDS = ("txt", "html", "docx", "hwpx", "pdf")


async def read_all(files: list[Path], at_once: int) -> None:
    waiting = iter(files)

    async def read() -> None:
        for file in waiting:
            await load(file, filename=file.name, media_type=None, memory_mb=2048, timeout_s=120, max_chars=50_000_000)

    await asyncio.gather(*(read() for _ in range(at_once)))


def processor_s() -> float:
    """Return what this process and all that it has started have used so far."""
    own = psutil.Process()
    spent = [each.cpu_times() for each in (own, *own.children(recursive=True))]
    return sum(each.user + each.system + each.children_user + each.children_system for each in spent)


def make(kind: str, n: int) -> bytes:
    """Return one of the tests' files, in Korean and in English by turns."""
    made = import_module("tests.ingest.made")
    content: bytes = made.MAKERS[kind]((made.KOREAN, made.ENGLISH)[n % 2])
    return content


async def measure(folder: Path, count: int, at_once: int) -> None:
    made = {kind: [folder / f"{n}.{kind}" for n in range(count)] for kind in KINDS}
    for kind, files in made.items():
        for n, file in enumerate(files):
            file.write_bytes(make(kind, n))
    mixed = [file for each in zip(*made.values(), strict=True) for file in each]
    rows = [["files", "number", "files a second", "processor time of each, ms"]]
    await read_all(mixed[: len(KINDS)], 1)
    for name, files in {**made, "mixed": mixed}.items():
        started, before = time.perf_counter(), processor_s()
        await read_all(files, at_once)
        seconds, spent = time.perf_counter() - started, processor_s() - before
        rows.append([name, str(len(files)), f"{len(files) / seconds:.1f}", f"{1000 * spent / len(files):.1f}"])
    print(table(rows))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.small_files", description=__doc__)
    parser.add_argument("--count", type=int, default=40, help="of each kind")
    parser.add_argument("--at-once", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder), options.count, options.at_once))


if __name__ == "__main__":
    main()
