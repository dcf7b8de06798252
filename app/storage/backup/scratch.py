"""A folder for what is on its way."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def scratch_folder(home: Path) -> Iterator[Path]:
    """Make one for a while: /tmp may be memory."""
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home, prefix=".backup-") as folder:
        yield Path(folder)
