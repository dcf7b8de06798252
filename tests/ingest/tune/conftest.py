from __future__ import annotations

from pathlib import Path

import pytest

from tests.ingest.tune.tiny import make


@pytest.fixture(scope="session")
def tiny_model(scratch: Path) -> Path:
    return make(scratch / "tiny-model")
