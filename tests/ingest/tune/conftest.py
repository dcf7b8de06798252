from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tiny_model(scratch: Path) -> Path:
    # Here, so that collecting the tests need not wait seconds for torch.
    from tests.ingest.tune.tiny import make

    return make(scratch / "tiny-model")
