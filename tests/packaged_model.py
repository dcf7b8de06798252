"""The packaged embedding model: converted once for all processes of a run, opened once in each."""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.embedding.e5 import E5Encoder
from app.embedding.packaged.folder import packaged_folder

# In the environment, which the processes inherit.
CONVERTED = "CONVERTED_MODEL"


def pytest_configure(config: pytest.Config) -> None:
    """Make a folder for what all processes of this run read; they inherit its name."""
    if not hasattr(config, "workerinput"):
        os.environ[CONVERTED] = tempfile.mkdtemp(prefix="kyujang-model-")


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        shutil.rmtree(os.environ.pop(CONVERTED), ignore_errors=True)


@pytest.fixture(scope="session")
def models(scratch: Path) -> Path:
    """The packaged embedding model, converted once for all processes, in a folder of this one's own."""
    folder = scratch / "models"
    folder.mkdir()
    converted = packaged_folder(Path(os.environ[CONVERTED]))
    (folder / converted.name).symlink_to(converted)
    return folder


@pytest.fixture(scope="session", autouse=True)
def model_opened_once() -> Iterator[None]:
    """However often a test opens the services: each time would cost a second."""
    opened = functools.lru_cache(maxsize=1)(E5Encoder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.embedding.factory.E5Encoder", lambda folder, **options: opened(folder.resolve(), **options))
        yield
