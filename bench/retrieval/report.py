"""Results as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

WAYS = ("part", "filter", "neither")
Corpora = dict[str, dict[str, Any]]


def markdown(corpora: Corpora) -> str:
    return "\n\n".join(
        f"### {title}\n\n{table(rows)}"
        for title, rows in (
            ("Everything searched", _searches(corpora, filtered=False)),
            ("Under a filter", _searches(corpora, filtered=True)),
            ("Ratios of medians, question by question", _ratios(corpora)),
            ("POST /search", _http(corpora)),
            ("Growth of the median with the corpus, one tenant", _growth(corpora)),
            ("Building, seconds", _built(corpora, "seconds")),
            ("On disk, MB", _built(corpora, "bytes")),
        )
        if len(rows) > 1
    )


def _searches(corpora: Corpora, *, filtered: bool) -> list[list[str]]:
    rows = [["corpus", "share", "who", "p50 ms", "p95 ms", "QPS 1/4/16", "recall@10", "worst", "wrong count"]]
    for corpus, found in corpora.items():
        for share, search in found["searches"].items():
            if (share != "all") != filtered:
                continue
            for name, each in search["contenders"].items():
                qps = " / ".join(f"{value:.0f}" for value in each.get("qps", {}).values())
                figures = [f"{each['p50']:.2f}", f"{each['p95']:.2f}", qps, f"{each['recall']:.4f}"]
                rows.append([corpus, share, name, *figures, f"{each['worst_recall']:.1f}", str(each["wrong_count"])])
    return rows


def _ratios(corpora: Corpora) -> list[list[str]]:
    names = _keys(search["ratios"] for found in corpora.values() for search in found["searches"].values())
    rows = [["corpus", "share", *names]]
    for corpus, found in corpora.items():
        for share, search in found["searches"].items():
            rows.append([corpus, share, *(_number(search["ratios"].get(name)) for name in names)])
    return rows


def _http(corpora: Corpora) -> list[list[str]]:
    head = ["corpus", "index", "mode", "p50 ms", "p95 ms", "API: embed + search = total", "raw p50 ms (embed)", "ratio"]
    rows = [head]
    for corpus, found in corpora.items():
        for index, http in found.get("http", {}).items():
            for mode, each in http["modes"].items():
                parts = each["parts"]
                steps = f"{parts['embed']:.1f} + {parts['search']:.1f} = {parts['total']:.1f}"
                raw = f"{http['raw']['p50']:.2f} ({http['raw']['embed']:.2f})"
                figures = [f"{each['p50']:.2f}", f"{each['p95']:.2f}", steps, raw, _number(each["ratio"])]
                rows.append([corpus, index, mode, *figures])
    return rows


def _growth(corpora: Corpora) -> list[list[str]]:
    single = {name: found for name, found in corpora.items() if name.startswith("single")}
    medians = {name: _medians(found) for name, found in single.items()}
    last = "last / first"
    rows = [["ms", *single, last]]
    for name in _keys(medians.values()):
        series = [each[name] for each in medians.values() if name in each]
        rows.append([name, *(_number(each.get(name)) for each in medians.values()), _number(series[-1] / series[0])])
    return rows if len(single) > 1 else rows[:1]


def _medians(found: dict[str, Any]) -> dict[str, float]:
    stores = {f"{name}, the store alone": each["p50"] for name, each in found["searches"]["all"]["contenders"].items()}
    for index, http in found.get("http", {}).items():
        for mode, each in http["modes"].items():
            stores[f"{index} {mode}, search without embedding"] = each["parts"]["search"]
            stores[f"{index} {mode}, HTTP"] = each["p50"]
    return stores


def _built(corpora: Corpora, what: str) -> list[list[str]]:
    scale = 1e6 if what == "bytes" else 1
    names = _keys(found["built"][what] for found in corpora.values())
    rows = [["corpus", *names, *(["API with pgvector, RSS", "API with FAISS, RSS"] if what == "bytes" else [])]]
    for corpus, found in corpora.items():
        values = [found["built"][what].get(name) for name in names]
        rows.append([corpus, *("" if value is None else f"{value / scale:,.1f}" for value in values)])
        if what == "bytes":
            http = found.get("http", {})
            rows[-1] += [
                str(http[index]["rss_mb"]["after"]) if index in http else "" for index in ("pgvector", "faiss")
            ]
    return rows


def markdown_of_parts(corpora: Corpora) -> str:
    stores = [
        ["corpus", "part", "store", *WAYS, "part / filter", "other hits", "recall@10", "with the filter", "too few"]
    ]
    http = [["corpus", "part", "mode", *WAYS, "part / filter"]]
    for corpus, found in corpora.items():
        for part, by_store in found["stores"].items():
            for store, each in by_store.items():
                judged = each["judged"]
                recall = [f"{judged[way]['recall']:.4f}" if way in judged else "" for way in ("part", "filter")]
                wrong = str(judged["part"]["wrong_count"]) if judged else ""
                row = [corpus, part, store, *_ways(each), str(each["other_hits"]), *recall, wrong]
                stores.append(row)
        for part, by_mode in found["http"].items():
            http += [[corpus, part, mode, *_ways(each)] for mode, each in by_mode.items()]
    return f"### The stores\n\n{table(stores)}\n\n### POST /search\n\n{table(http)}"


def _ways(each: dict[str, Any]) -> list[str]:
    return [*(f"{each[way]['p50']:.1f} / {each[way]['p95']:.1f}" for way in WAYS), _number(each["ratio"])]


def _keys(each: Iterable[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for one in each for name in one))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def table(rows: Sequence[Sequence[str]]) -> str:
    head, *rest = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, "|" + " --- |" * len(rows[0]), *rest])
