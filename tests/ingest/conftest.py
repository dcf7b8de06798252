"""Shared by the tests of loading and of adding folders."""

from __future__ import annotations

import psycopg
import pytest

from ingest import load as loading
from tests.ingest.adding import FILES, write


@pytest.fixture
def reader(tmp_path, monkeypatch):
    """Puts another program in the place of the child."""

    def replace(program: str) -> None:
        (tmp_path / "ingest").mkdir()
        (tmp_path / "ingest" / "__init__.py").touch()
        (tmp_path / "ingest" / "load_child.py").write_text(program)
        monkeypatch.setitem(loading.CHILD_ENVIRONMENT, "PYTHONPATH", str(tmp_path))

    return replace


@pytest.fixture
async def nothing_queued(services, owner_url):
    """Each test begins with nothing queued."""
    yield
    with psycopg.connect(owner_url) as connection:
        connection.execute("set role kyujang_operator")
        connection.execute("update job_items set status = 'cancelled', lease_until = null")


@pytest.fixture
def shelf(tmp_path):
    folder = tmp_path / "shelf"
    write(folder, FILES)
    return folder
