"""Processor time of the readers alone, without a child, beside those of other revisions:

    git worktree add FOLDER 1825a1a
    python -m bench.readers ../shared/data/documents FOLDER

All read the same files by turns, each round in a process of its own; the fastest of the rounds counts.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from bench.retrieval.report import table

FORMATS = ("pdf", "docx", "xlsx", "pptx", "html", "hwp", "hwpx", "csv", "md", "txt")
# Large texts: so many bytes, of one format's files again and again.
LARGE = {"txt": 5_400_000, "md": 7_300_000, "csv": 14_000_000}
# Runs in each revision. The second reading counts: the first imports what it needs.
READ = """
import json, sys, time
from pathlib import Path
if Path("ingest/loading").exists():
    from ingest.loading.formats import detect
    from ingest.loading.parsed import Options
    from ingest.loading.parsers import parse
    more = (Options(),)
else:
    from ingest.formats import detect
    from ingest.parsers import parse
    more = ()
spent = {}
for name in sys.argv[1:]:
    for _ in range(2):
        before = time.process_time()
        try:
            parse(Path(name), detect(Path(name), Path(name).name, ""), *more)
        except Exception:
            break
        spent[name] = time.process_time() - before
print(json.dumps(spent))
"""


def seconds(revision: Path, files: list[Path]) -> dict[str, float]:
    """Return what reading each file takes; those that the revision cannot read are left out."""
    command = [sys.executable, "-c", READ, *map(str, files)]
    done = subprocess.run(command, cwd=revision, capture_output=True, check=True)
    spent: dict[str, float] = json.loads(done.stdout)
    return spent


def grouped(files: Iterable[Path], folder: Path) -> dict[str, list[Path]]:
    """Return the files of each format, and a large one made of those that are text."""
    found: dict[str, list[Path]] = defaultdict(list)
    for file in sorted(files):
        if file.suffix[1:] in FORMATS:
            found[file.suffix[1:]].append(file.resolve())
    for kind, size in LARGE.items():
        content = b"\n".join(file.read_bytes() for file in found[kind]) + b"\n"
        large = folder.resolve() / f"large.{kind}"
        large.write_bytes(content * round(size / len(content)))
        found[f"{kind}, large"] = [large]
    return found


def measure(files: dict[str, list[Path]], revisions: list[Path], rounds: int) -> None:
    every = [file.resolve() for each in files.values() for file in each]
    best: list[dict[str, float]] = [{} for _ in revisions]
    for _ in range(rounds):
        for fastest, revision in zip(best, revisions, strict=True):
            for name, spent in seconds(revision, every).items():
                fastest[name] = min(spent, fastest.get(name, spent))
    rows = [["format", "files", "MB", *(f"{each.name}, ms" for each in revisions), "last / first"]]
    for kind in files:
        shared = [str(file) for file in files[kind] if all(str(file) in one for one in best)]
        spent_ms = [1000 * sum(one[name] for name in shared) for one in best]
        size = sum(Path(name).stat().st_size for name in shared) / 1e6
        if shared:
            times = [f"{spent:.1f}" for spent in spent_ms]
            rows.append([kind, str(len(shared)), f"{size:.2f}", *times, f"{spent_ms[-1] / spent_ms[0]:.2f}"])
    print(table(rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("documents", type=Path)
    parser.add_argument("revisions", type=Path, nargs="+", help="folders with other revisions")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = grouped(options.documents.iterdir(), Path(folder))
        measure(files, [*map(Path.resolve, options.revisions), Path.cwd()], options.rounds)


if __name__ == "__main__":
    main()
