"""What a worker counts of its work, and what it sees of the queue."""

from __future__ import annotations

from collections import Counter as Count
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from time import monotonic

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from app import tracing

OTHER = "other"
STATES = ("waiting", "delayed", "running")
SECONDS = (0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 1800)


@dataclass(frozen=True, slots=True)
class Queued:
    """What one tenant has of one kind of work in the queue."""

    kind: str
    tenant: str
    waiting: int
    delayed: int
    """Those that are to be tried again later."""
    running: int
    oldest_s: float | None
    """Since when the oldest waits that could be begun."""


class WorkMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self._begun: dict[object, tuple[str, float]] = {}
        self._kinds: set[str] = set()
        self.items = Gauge(
            "kyujang_queue_items", "Items of the queue, as all workers see it", ("kind", "state", "tenant"),
            registry=registry,
        )  # fmt: skip
        self.oldest = Gauge(
            "kyujang_queue_oldest_seconds", "Seconds that the oldest item has waited which could be begun", ("kind",),
            registry=registry,
        )  # fmt: skip
        self._in_hand = Gauge(
            "kyujang_work_items", "Items that this worker has in hand", ("kind",), registry=registry
        )  # fmt: skip
        self._longest = Gauge(
            "kyujang_work_oldest_seconds", "Seconds that this worker has had the oldest of them", ("kind",),
            registry=registry,
        )  # fmt: skip
        self.attempts = Counter(
            "kyujang_attempts", "Attempts at items, by how they ended", ("kind", "outcome"), registry=registry
        )
        self.refused = Counter(
            "kyujang_refused_items", "Items that failed, by the reason that their tenant is told", ("kind", "reason"),
            registry=registry,
        )  # fmt: skip
        self.leases_lost = Counter(
            "kyujang_leases_lost", "Items taken over whose worker gave no sign of life", ("kind",), registry=registry
        )
        self.stage_seconds = Histogram(
            "kyujang_ingest_stage_seconds", "Seconds per step of a document", ("stage",), buckets=SECONDS,
            registry=registry,
        )  # fmt: skip
        self.ocr_pages = Counter("kyujang_ocr_pages", "Pages given to OCR", ("outcome",), registry=registry)
        self.unmerged_chunks = Gauge(
            "kyujang_unmerged_chunks", "Chunks whose words are in no segment yet, as this worker saw it last",
            registry=registry,
        )  # fmt: skip

    def serve(self, kinds: Iterable[str]) -> None:
        """Show zero for what this worker works at and nothing of which has come yet."""
        for kind in kinds:
            self._kinds.add(kind)
            self._in_hand.labels(kind).set_function(partial(self._count, kind))
            self._longest.labels(kind).set_function(partial(self._oldest_s, kind))
            self.leases_lost.labels(kind)

    @contextmanager
    def in_hand(self, kind: str) -> Iterator[None]:
        key = object()
        self._begun[key] = (kind, monotonic())
        try:
            yield
        finally:
            del self._begun[key]

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """A step of a document: seconds, and a span."""
        begun = monotonic()
        try:
            with tracing.span(stage):
                yield
        finally:
            self.stage_seconds.labels(stage).observe(monotonic() - begun, tracing.exemplar())

    def _count(self, kind: str) -> int:
        return sum(found == kind for found, _ in list(self._begun.values()))

    def _oldest_s(self, kind: str) -> float:
        begun = [since for found, since in list(self._begun.values()) if found == kind]
        return monotonic() - min(begun) if begun else 0.0

    def show_queue(self, found: Iterable[Queued], *, tenants: int) -> None:
        """Replace what was shown. Only the tenants with the most are named."""
        found = list(found)
        sizes = Count[str]()
        for each in found:
            sizes[each.tenant] += each.waiting + each.delayed + each.running
        named = {tenant for tenant, _ in sizes.most_common(tenants)}
        sums = Count[tuple[str, str, str]]()
        oldest = dict.fromkeys(self._kinds, 0.0)
        for each in found:
            oldest[each.kind] = max(oldest.get(each.kind, 0.0), each.oldest_s or 0.0)
            for state, count in zip(STATES, (each.waiting, each.delayed, each.running), strict=True):
                sums[each.kind, state, each.tenant if each.tenant in named else OTHER] += count
        self.forget_queue()
        for key, count in sums.items():
            self.items.labels(*key).set(count)
        for kind, seconds in oldest.items():
            self.oldest.labels(kind).set(seconds)

    def forget_queue(self) -> None:
        """Show nothing rather than what is no longer so."""
        self.items.clear()
        self.oldest.clear()
