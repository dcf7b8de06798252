"""Compute the sums that bench/RESULTS.md states, from its own tables, so that the two cannot drift.

python -m bench.sums        # write them into the page, between `<!-- sum: NAME -->` and the next empty line
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

RESULTS = Path(__file__).with_name("RESULTS.md")
SUM = re.compile(r"(?<=<!-- sum: )(?P<name>[a-z-]+)(?P<mark> -->\n)(?P<text>.*?)(?=\n\n)", re.DOTALL)

Row = dict[str, str]


def table(page: str, *columns: str) -> Iterator[Row]:
    """Yield the rows of the table that has these columns. Of two columns of one name the first counts."""
    for found in re.finditer(r"^(\|.*\|)\n\| ---.*\n((?:\|.*\|\n)+)", page, re.MULTILINE):
        header = _cells(found[1])
        if set(columns) <= set(header):
            for line in found[2].splitlines():
                yield dict(reversed(list(zip(header, _cells(line), strict=True))))


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def _p50(cell: str) -> float:
    return float(cell.split("/")[0].replace(",", ""))


def row_level_security(page: str) -> str:
    rows = list(table(page, "RLS / none", "pgvector ms"))
    costs = [100 * float(row["RLS / none"]) - 100 for row in rows]
    slow = [cost for row, cost in zip(rows, costs, strict=True) if _p50(row["pgvector ms"]) >= 30]
    return (
        f"Row-level security costs {median(costs):.0f} % at the median of the {len(rows)} rows (p50 against p50), from "
        f"{min(costs):.0f} to {max(costs):.0f} %; in rows that take 30 ms or more, from {min(slow):.0f} to "
        f"{max(slow):.0f} %."
    )


def raw_with_a_filter(page: str) -> str:
    rows = [row for row in table(page, "ours / raw", "match") if row["match"] in ("1 %", "0.1 %")]
    measured = [(row["chunks"], float(row["ours / raw"])) for row in rows if row["ours / raw"] != "–"]
    one = [1 / ratio for chunks, ratio in measured if "one tenant" in chunks]
    many = [ratio for chunks, ratio in measured if "500 tenants" in chunks]
    return (
        f"Where 1 % or less matches, raw pgvector is {min(one):.0f} to {max(one):.0f} times as slow with one tenant, "
        f"and {min(many):.0f} to {max(many):.0f} times as fast with 500."
    )


def growth_over_http(page: str) -> str:
    rows = {row["chunks"]: row for row in table(page, "dense ms", "hybrid ms") if row["index"] == "pgvector"}
    first, last = rows["10,000"], rows["1,000,000"]
    dense, lexical, hybrid = (_p50(last[leg]) / _p50(first[leg]) for leg in ("dense ms", "lexical ms", "hybrid ms"))
    return (
        f"From 10,000 to 1,000,000 chunks the time of a dense search over HTTP grows {dense:.1f}-fold, of a lexical "
        f"one {lexical:.1f}-fold and of a hybrid one {hybrid:.1f}-fold (pgvector, p50)."
    )


def share_of_the_encoder(page: str) -> str:
    rows = list(table(page, "database before", "of the encoder"))
    on_b = [float(row["of the encoder"]) for row in rows if row["database before"].startswith("B")]
    on_a = [float(row["of the encoder"]) for row in rows if not row["database before"].startswith("B")]
    return (
        f"The target is .95. On A {sum(share >= 0.95 for share in on_a)} of {len(on_a)} rows reach it, the lowest has "
        f"{min(on_a):.2f}; on B {sum(share >= 0.95 for share in on_b)} of {len(on_b)}, the highest has {max(on_b):.2f}."
    )


def fairness(page: str) -> str:
    rows = list(table(page, "flood of the other tenant", "behaves, p95 ms", "floods, p95 ms"))
    times = [_p50(row["floods, p95 ms"]) / _p50(row["behaves, p95 ms"]) for row in rows]
    return (
        f"The target is at most 2 times what it is beside a tenant that behaves. {sum(each <= 2 for each in times)} of "
        f"{len(times)} floods keep it: {', '.join(f'{each:.2f}' for each in times)} in this order."
    )


SUMS: dict[str, Callable[[str], str]] = {
    "row-level-security": row_level_security,
    "raw-with-a-filter": raw_with_a_filter,
    "growth-over-http": growth_over_http,
    "share-of-the-encoder": share_of_the_encoder,
    "fairness": fairness,
}


def with_sums(page: str) -> str:
    """Return the page with each sum as its tables give it. Raises KeyError for a sum that is not known."""
    return SUM.sub(lambda found: f"{found['name']}{found['mark']}{SUMS[found['name']](page)}", page)


def main() -> int:
    RESULTS.write_text(with_sums(RESULTS.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
