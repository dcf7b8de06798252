"""The benchmark on a small corpus: complete, and no contender of ours misses what an exact search finds."""

from __future__ import annotations

import json

import pytest

from bench.retrieval.__main__ import main
from bench.retrieval.corpus import Plan, make

SHARES = {"all", "50.0%", "10.0%", "1.0%", "0.1%"}


@pytest.fixture(scope="module")
def layouts(pytestconfig):
    return ["single"] if pytestconfig.getoption("--benches") == "sample" else ["single", "many"]


@pytest.fixture(scope="module")
def results(scratch, models, layouts):
    home = scratch / "bench"
    home.mkdir()
    home.chmod(0o711)
    (home / "models").symlink_to(models)
    common = ["--home", str(home), "--sizes", "2000", "--tenants", "20", "--layouts", ",".join(layouts)]
    assert main(["build", *common, "--words", "8"]) == 0
    effort = ["--questions", "8", "--warm-up", "3", "--seconds", "0.02"]
    assert main(["measure", *common, *effort, "--json", str(home / "results.json")]) == 0
    return json.loads((home / "results.json").read_text())["corpora"]


def test_every_figure_is_there_and_nothing_is_missed(results, layouts):
    assert set(results) == {f"{layout}_2000" for layout in layouts}
    for found in results.values():
        assert set(found["searches"]) == SHARES
        for search in found["searches"].values():
            for name in ("pgvector", "faiss"):
                figures = search["contenders"][name]
                assert figures["recall"] >= 0.99
                assert figures["wrong_count"] == 0
                assert set(figures["qps"]) == {"1", "4", "16"}
            assert {"pgvector / raw pgvector", "RLS / no RLS"} <= set(search["ratios"])
        assert {"copy", "pgvector"} <= set(found["built"]["seconds"])
    for http in results["single_2000"]["http"].values():
        assert set(http["modes"]) == {"dense", "lexical", "hybrid"}
        assert http["rss_mb"]["after"] > 0


def test_a_corpus_is_the_same_each_time_and_of_the_size_asked_for():
    plan = Plan("many", 500, 20)
    first, second = make(plan), make(plan)
    assert (first.vectors == second.vectors).all()
    assert (first.chunks == second.chunks).all()
    assert len(first.sizes) == 20
    assert sum(first.sizes) == len(first.vectors) == len(set(first.chunks.tolist())) == 500
    assert min(first.sizes) >= 10
