"""Dashboard and alerts against the metrics that exist, and in a real Prometheus where there is one."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import time

import pytest
import yaml
from prometheus_client import start_http_server

from app.api.middleware import QUIET
from app.generation.engine_load import SHOWN
from app.metrics import Metrics
from app.work_metrics import Queued
from tests.conftest import ROOT
from tests.observe.prometheus import OBSERVE, Prometheus, needs_prometheus, needs_promtool, ranges_cut, watching
from tests.stack import free_port

RULES = yaml.safe_load((OBSERVE / "rules.yml").read_text())["groups"][0]["rules"]
DASHBOARD = json.loads((OBSERVE / "grafana" / "kyujang.json").read_text())
QUERIES = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
# What Prometheus adds to each series, and what a histogram has.
ADDED = {"instance", "job", "le"}
SAMPLES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


def labels_of(metrics: Metrics) -> dict[str, set[str]]:
    """The labels of each series that exists."""
    metrics.watch_disk(ROOT)
    return {
        f"{family.name}{ending}": set(collector._labelnames)
        for collector in metrics.registry._collector_to_names
        for family in collector.describe()
        for ending in SAMPLES[family.type]
    }


def names_in(query: str) -> tuple[set[str], set[str]]:
    """The metrics and the labels that a query names."""
    labels = {name for group in re.findall(r"by \(([^)]*)\)", query) for name in re.split(r",\s*", group)}
    labels |= {name for group in re.findall(r"\{([^}]*)\}", query) for name in re.findall(r"(\w+)[=!]", group)}
    return set(re.findall(r"\bkyujang_\w+", query)), labels


@pytest.mark.parametrize("query", [*QUERIES, *(rule["expr"] for rule in RULES)])
def test_each_query_names_metrics_and_labels_that_exist(query):
    known = labels_of(Metrics())
    metrics, labels = names_in(query)
    assert metrics or query.startswith("up{")
    assert metrics <= known.keys()
    assert labels <= ADDED.union(*(known[each] for each in metrics))


def test_what_is_shown_of_a_vllm_is_what_is_read_from_it():
    asked = {
        name for query in QUERIES for each in re.findall(r'[{,]name=~?"([^"]*)"', query) for name in each.split("|")
    }
    assert asked == SHOWN


def test_a_query_of_what_is_not_there_is_seen():
    known = labels_of(Metrics())
    metrics, labels = names_in('sum by (kin) (rate(kyujang_lost_total{kind="x"}[5m]))')
    assert metrics == {"kyujang_lost_total"}
    assert not metrics & known.keys()
    assert labels == {"kin", "kind"}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_each_alert_has_a_runbook_in_both_languages(rule):
    for page in ("docs/operations/runbooks.md", "docs/ko/operations/runbooks.md"):
        assert f"\n## {rule['alert']}\n" in (ROOT / page).read_text()
    assert rule["annotations"]["runbook"] == f"docs/operations/runbooks.md#{rule['alert'].lower()}"
    assert rule["labels"]["severity"] in ("warning", "critical")


def test_requests_that_ask_how_the_service_is_are_no_errors():
    (rule,) = (rule for rule in RULES if rule["alert"] == "KyujangErrors")
    assert {frozenset(each.split("|")) for each in re.findall(r'route!~"([^"]*)"', rule["expr"])} == {QUIET}
    assert rule["expr"].count("route!~") == rule["expr"].count("kyujang_http_requests_total")


@needs_promtool
def test_each_alert_fires_after_its_time_and_not_before():
    for command in (["check", "rules", "deploy/observe/rules.yml"], ["test", "rules", "tests/observe/rules_test.yml"]):
        done = subprocess.run(["promtool", *command], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_tested_by_promtool_is_every_alert():
    tested = (ROOT / "tests" / "observe" / "rules_test.yml").read_text()
    assert [rule["alert"] for rule in RULES if f'alertname="{rule["alert"]}"' not in tested] == []


def count_something(metrics: Metrics) -> None:
    """One of each that the dashboard shows."""
    metrics.requests.labels("POST", "/query", 200).inc()
    metrics.request_seconds.labels("/query").observe(0.1)
    metrics.stage_seconds.labels("embed").observe(0.1)
    metrics.answers.labels("generated", "answered").inc()
    metrics.engine_replica_up.labels("engine 1").set(1)
    metrics.engine_requests.labels("waiting").set(1)
    metrics.show_engine("engine 1", dict.fromkeys(SHOWN, time.monotonic()))
    metrics.limits_reached.labels("requests_per_minute", "key").inc()
    metrics.engine_rejected.labels("queue_full").inc()
    metrics.adapters_loaded.labels("engine 1").set(1)
    metrics.adapter_canaries.labels("engine 1", "ok").inc()
    work = metrics.work
    work.serve(["ingest"])
    work.show_queue([Queued("ingest", "acme", 1, 0, 0, 5.0)], tenants=1)
    work.attempts.labels("ingest", "done").inc()
    work.refused.labels("ingest", "empty").inc()
    work.stage_seconds.labels("load").observe(0.1)
    work.ocr_pages.labels("read").inc()


@needs_prometheus
async def test_every_query_of_the_dashboard_is_answered():
    metrics, port = Metrics(), free_port()
    metrics.watch_disk(ROOT)
    count_something(metrics)
    server, thread = start_http_server(port, "127.0.0.1", metrics.registry)

    async def answered(prometheus: Prometheus, query: str) -> None:
        """A rate needs two samples, and a change between them."""
        async with asyncio.timeout(60):
            while not await prometheus.query(query):
                count_something(metrics)
                await asyncio.sleep(0.1)

    try:
        async with watching(f"127.0.0.1:{port}", factor=300) as prometheus:
            for query in QUERIES:
                await answered(prometheus, ranges_cut(query, 12))
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_an_application_that_starts_again_shows_its_disk_again(tmp_path):
    metrics = Metrics()
    for folder in (ROOT, tmp_path):
        metrics.watch_disk(folder)
    assert metrics.render().decode().count("\nkyujang_home_free_bytes ") == 1
