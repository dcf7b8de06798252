"""What workers do."""

from __future__ import annotations

from pydantic import Field

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
    work: str = Field(WORK.replace("|", ","), pattern=rf"^({WORK})(,({WORK}))*$")
    """What a worker works at, with commas between: `documents`, `adapters` (their checks and evaluations), `training`.
    What no worker works at waits."""
