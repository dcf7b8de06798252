"""What workers do."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from app.settings.addresses import host_and_port
from app.settings.reading import Reading

WORK = "documents|adapters|training"


class Working(Reading):
    """The fourth of the settings."""

    lease_s: float = Field(30, ge=1)
    """Seconds without a sign of life after which another worker takes a document over."""
    workers: int | None = Field(None, ge=1, le=64)
    """Workers that `make up` starts. By default one for each four cores, at most 4."""
    documents_at_once: int = Field(2, ge=1, le=32)
    """Documents that a worker has in hand: one is read or stored while another is embedded. It takes one more of up to
    256 KB, so that small ones need not wait for large ones."""
    worker_nice: int = Field(10, ge=0, le=19)
    """How far workers stand behind what else computes on the machine, as `nice` counts: 0 is as far in front as
    answers, 19 hindmost. Where `make up` starts them it counts for their sessions too."""
    work: str = Field(WORK.replace("|", ","), pattern=rf"^({WORK})(,({WORK}))*$")
    """What a worker works at, with commas between: `documents`, `adapters` (their checks and evaluations), `training`.
    What no worker works at waits."""
    worker_metrics: str | None = None
    """`host:port` at which a worker shows its metrics, without a key: private networks only. With several workers
    `make up` counts the port up. Off by default."""
    metrics_tenants: int = Field(20, ge=0, le=1000)
    """Tenants that the metrics name, those with the most that waits; the others are `other`."""

    @model_validator(mode="after")
    def _refuse_what_is_no_address(self) -> Self:
        _ = self.worker_metrics_address
        return self

    @property
    def worker_metrics_address(self) -> tuple[str, int] | None:
        return host_and_port("KYUJANG_WORKER_METRICS", self.worker_metrics) if self.worker_metrics else None
