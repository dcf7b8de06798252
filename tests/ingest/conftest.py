"""Shared by the tests of loading and of adding folders."""

from __future__ import annotations

import os
import secrets
from textwrap import indent

import psycopg
import pytest

from app.sandbox import subprocesses
from app.storage.tenants import Tenant, create_tenant, tenant_by_slug
from tests.conftest import ROOT
from tests.ingest.jobs.claiming import MANY
from tests.ingest.sync.adding import FILES, write


@pytest.fixture
def reader(tmp_path, monkeypatch):
    """Puts another program in the place of the child. It has `channel`, with the document in its paths."""

    def replace(program: str) -> None:
        (tmp_path / "a").touch()
        package = tmp_path / "ingest" / "loading"
        package.mkdir(parents=True)
        for folder in (package.parent, package):
            (folder / "__init__.py").touch()
        (package / "child.py").write_text(f"def main(channel, *_):\n{indent(program, '    ')}\n")
        monkeypatch.setitem(subprocesses.ENVIRONMENT, "PYTHONPATH", f"{tmp_path}{os.pathsep}{ROOT}")

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


@pytest.fixture
def new_tenant_row(services):
    async def make() -> Tenant:
        record, _ = await create_tenant(services.database, f"t-{secrets.token_hex(4)}", "Ray")
        return await tenant_by_slug(services.database, record.id)

    return make


@pytest.fixture
def new_number(new_tenant_row):
    """Makes a tenant; gives its number."""

    async def make() -> int:
        return (await new_tenant_row()).number

    return make


@pytest.fixture
def many(tmp_path):
    for n in range(MANY):
        line = f"Shelf {n} holds {n * 7} volumes. 서가 {n}에는 {n * 7}권이 있다."
        (tmp_path / f"{n:02}.txt").write_text("\n".join(f"{line} ({k})" for k in range(20)))
    return tmp_path
