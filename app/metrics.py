"""What /metrics publishes. One registry for each application, so that tests do not share counts."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import choose_encoder

from app.work_metrics import WorkMetrics

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class Metrics:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "kyujang_http_requests", "HTTP requests", ("method", "route", "status"), registry=self.registry
        )
        self.request_seconds = Histogram(
            "kyujang_http_request_seconds", "Seconds per request", ("route",), buckets=SECONDS, registry=self.registry
        )
        self.stage_seconds = Histogram(
            "kyujang_query_stage_seconds",
            "Seconds per step of a query",
            ("stage",),
            buckets=SECONDS,
            registry=self.registry,
        )
        self.answers = Counter(
            "kyujang_answers", "Answers, by mode and outcome", ("mode", "outcome"), registry=self.registry
        )
        self.limits_reached = Counter(
            "kyujang_limits_reached", "Requests refused by a limit of their tenant or key", ("limit", "of"),
            registry=self.registry,
        )  # fmt: skip
        self._add_engine()
        self.tokens = Counter(
            "kyujang_tokens", "Tokens of the issuer, accepted or by why they were not", ("outcome",),
            registry=self.registry,
        )  # fmt: skip
        self._add_webhooks()
        self._add_adapters()
        self.work = WorkMetrics(self.registry)

    def _add_engine(self) -> None:
        self.engine_requests = Gauge(
            "kyujang_engine_requests",
            "Answers that are being generated or are waiting",
            ("state",),
            registry=self.registry,
        )
        self.engine_rejected = Counter(
            "kyujang_engine_rejected", "Requests refused before generation started", ("reason",), registry=self.registry
        )
        self.engine_replica_up = Gauge(
            "kyujang_engine_replica_up",
            "1 if the replica completed a token at the last try",
            ("replica",),
            registry=self.registry,
        )
        self._engine_reported = Gauge(
            "kyujang_engine_reported", "What the replica's vLLM says of itself, by the names of its own metrics",
            ("replica", "name"), registry=self.registry,
        )  # fmt: skip

    def show_engine(self, replica: str, reported: Mapping[str, float]) -> None:
        """Take the place of what it has said before."""
        self._engine_reported.remove_by_labels({"replica": replica})
        for name, value in reported.items():
            self._engine_reported.labels(replica, name).set(value)

    def _add_webhooks(self) -> None:
        self.webhook_deliveries = Counter(
            "kyujang_webhook_deliveries", "Attempts to deliver to webhooks, by what became of the delivery",
            ("outcome",), registry=self.registry,
        )  # fmt: skip
        self.webhooks_waiting = Gauge(
            "kyujang_webhook_deliveries_waiting", "Deliveries that wait, in the process that delivers",
            registry=self.registry,
        )  # fmt: skip

    def _add_adapters(self) -> None:
        self.adapters_loaded = Gauge(
            "kyujang_adapters_loaded",
            "LoRA adapters loaded in a replica, as last seen",
            ("replica",),
            registry=self.registry,
        )
        self.adapter_loads = Counter(
            "kyujang_adapter_loads", "LoRA adapters loaded", ("replica", "outcome"), registry=self.registry
        )
        self.adapter_unloads = Counter(
            "kyujang_adapter_unloads", "LoRA adapters unloaded", ("replica", "reason"), registry=self.registry
        )
        self.adapter_wait_seconds = Histogram(
            "kyujang_adapter_wait_seconds",
            "Seconds that a request waited for its adapter to be loaded",
            buckets=SECONDS,
            registry=self.registry,
        )
        self.adapter_canaries = Counter(
            "kyujang_adapter_canaries",
            "Comparisons of a loaded adapter with its recorded output",
            ("replica", "outcome"),
            registry=self.registry,
        )
        self._disk: tuple[Gauge, Gauge] | None = None

    def watch_disk(self, folder: Path) -> None:
        """Show how much room there is where the data folder is; an application that starts again does so again."""
        free, size = self._disk or (
            Gauge("kyujang_home_free_bytes", "Bytes that are free where the data folder is", registry=self.registry),
            Gauge("kyujang_home_bytes", "Bytes of the disk that the data folder is on", registry=self.registry),
        )
        free.set_function(lambda: shutil.disk_usage(folder).free)
        size.set_function(lambda: shutil.disk_usage(folder).total)
        self._disk = free, size

    def render(self, accept: str = "") -> bytes:
        """Return OpenMetrics, which names traces as examples, for who accepts that, else Prometheus' older format."""
        return choose_encoder(accept)[0](self.registry)

    def media_type(self, accept: str) -> str:
        return choose_encoder(accept)[1]
