"""The data folder, and the folders in it."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path


def default_home() -> Path:
    """Root's own home is closed to the account that runs PostgreSQL, hence /var/lib for root."""
    return Path("/var/lib/kyujang") if os.geteuid() == 0 else Path.home() / ".kyujang"


class Home:
    """Names the folders below `home`."""

    home: Path

    @cached_property
    def blobs(self) -> Path:
        return self.home / "blobs"

    @cached_property
    def scratch(self) -> Path:
        """Copies of objects, for as long as they are read."""
        return self.home / "scratch"

    def home_path(self, path: str) -> Path:
        """Return where `blobs/…` or `adapters/…` lies."""
        kind, _, rest = path.partition("/")
        return {"blobs": self.blobs, "adapters": self.adapters}[kind] / rest

    @cached_property
    def models(self) -> Path:
        """Converted once, then only read."""
        return self.home / "models"

    @cached_property
    def engine_cache(self) -> Path:
        """What vLLM compiles and finds out once for each model."""
        return self.home / "engine"

    @cached_property
    def adapters(self) -> Path:
        """Checked ones, a folder a version below a folder a tenant; engines read them here or at `adapters_at`."""
        return self.home / "adapters"

    @cached_property
    def trainings(self) -> Path:
        """Those under way, a folder each."""
        return self.home / "tune"

    @cached_property
    def index_files(self) -> Path:
        return self.home / "index"
