"""The benchmark of ingest on a small scale: complete, and its corpus is what it says."""

from __future__ import annotations

import json

import pytest

from bench.ingest.__main__ import main
from bench.ingest.corpus import write
from bench.ingest.peers.contender import TakeIn  # noqa: F401 - loads without any of the frameworks
from bench.ingest.peers.environment import REQUIREMENTS
from tests.ingest.made import ENGLISH, MAKERS

PARAGRAPHS = {
    "en": "The lantern burns for forty hours, and its wick is trimmed before each night of storm number {}.",
    "ko": "등불은 마흔 시간 동안 타며, 폭풍이 부는 밤마다 {}번째 심지를 다듬는다.",
}


@pytest.fixture(scope="module")
def sources(scratch):
    files = []
    for language, text in PARAGRAPHS.items():
        files.append(scratch / f"{language}.jsonl")
        rows = [{"text": " ".join(text.format(20 * n + k) for k in range(8))} for n in range(20)]
        files[-1].write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), "utf-8")
    return files


@pytest.fixture(scope="module")
def parts(pytestconfig):
    """After the pipeline; those that start another API each are for the long form."""
    return "loaders" if pytestconfig.getoption("--benches") == "sample" else "loaders,upload,latency"


@pytest.fixture(scope="module")
def results(scratch, models, sources, parts):
    home, documents = scratch / "ingest-bench", scratch / "loaded"
    for folder in (home, documents):
        folder.mkdir()
        folder.chmod(0o711)
    (home / "models").symlink_to(models)
    for suffix in ("pdf", "docx", "pptx", "xlsx", "hwp", "hwpx"):
        (documents / f"made.{suffix}").write_bytes(MAKERS[suffix](ENGLISH))
    common = ["measure", "--home", str(home), "--corpus", ",".join(map(str, sources))]
    small = ["--chunks", "6", "--rounds", "1", "--sizes", "20", "--growth-chunks", "2", "--upload-mb", "2"]
    small += ["--questions", "4", "--documents", str(documents)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.ingest.loaders.MIN_S", 0)
        patch.setattr("bench.ingest.loaders.MIN_TIMES", 1)
        assert main([*common, *small, "--parts", "pipeline"]) == 0
        assert main([*common, *small, "--parts", parts, "--json", str(home / "results.json")]) == 0
    return json.loads((home / "results.json").read_text())


def test_the_whole_way_is_measured_beside_the_encoder_and_as_the_database_grows(results):
    (first,) = results["pipeline"]["rounds"]
    (grown,) = results["pipeline"]["growth"]
    assert first["chunks"] >= 2
    assert grown["size"] == 20
    for each in (first, grown):
        assert each["tokens"] > each["chunks"] * 50
        assert min(each["seconds"], each["encoder_seconds"], each["of_encoder"]) > 0
        assert set(each["cpu_ms_a_chunk"]) == {"worker", "API", "PostgreSQL", "encoder"}
    assert min(results["pipeline"]["memory_mb"].values()) > 10


def test_every_format_is_loaded(results):
    formats = results["loaders"]["formats"]
    assert set(formats) == {"pdf", "docx", "pptx", "xlsx", "html", "md", "txt", "csv", "eml", "epub", "hwp", "hwpx"}
    for each in formats.values():
        assert each["million_characters"] >= 0
        assert each["mb_a_second"]["load"] >= 0


def test_an_upload_and_searches_are_measured(results, parts):
    if "upload" not in parts:
        pytest.skip("starts the service twice more: make check-all, or --benches whole")
    for each in results["upload"]["passes"]:
        assert each["peak_mb"] >= each["before_mb"] > 10
    assert results["latency"]["chunks"] >= 20
    for mode in ("dense", "hybrid"):
        for state in ("idle", "loaded"):
            assert (
                0 < results["latency"]["modes"][mode][state]["p50"] <= results["latency"]["modes"][mode][state]["p95"]
            )


def test_a_corpus_is_the_same_each_time_and_its_languages_take_turns(tmp_path):
    sources = [[(f"{language} {n}", 60) for n in range(50)] for language in ("en", "ko")]
    files = write(tmp_path / "a", sources, 100, seed=1)
    again = write(tmp_path / "b", sources, 100, seed=1)
    assert [file.read_text() for file in files] == [file.read_text() for file in again]
    assert [file.read_text()[:2] for file in files] == [("en", "ko")[n % 2] for n in range(len(files))]
    assert write(tmp_path / "c", sources, 100, seed=2)[0].read_text() != files[0].read_text()


def test_the_frameworks_are_pinned_and_none_brings_a_gpu_build():
    lines = REQUIREMENTS.read_text().split()
    assert all("==" in line for line in lines)
    assert [line for line in lines if line.startswith(("nvidia", "triton"))] == []
