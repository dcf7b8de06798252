"""An installation with three tenants, and an empty one elsewhere."""

from __future__ import annotations

import secrets

import psycopg
import pytest

from app.settings import Settings
from app.storage.tenants import SCOPES
from ingest.cleanup import remove_noted
from tests.app.storage.export.moving import CANARIES, fill
from tests.conftest import ADMIN_KEY, NewTenant, home_with, with_database


@pytest.fixture(scope="module")
def documents(pytestconfig) -> int:
    return pytestconfig.getoption("--exported")


@pytest.fixture(scope="module")
async def tenants(services, new_tenant: NewTenant, documents: int):
    """A client of each."""
    made = {}
    for slug in CANARIES:
        made[slug] = await new_tenant(slug, SCOPES)
        await fill(services, made[slug], slug, documents if slug == "library" else 2)
    await remove_noted(services)
    return made


@pytest.fixture
def elsewhere(postgres, template, scratch, models):
    """Another home and another database, migrated and empty."""
    name = f"moved_{secrets.token_hex(4)}"
    with psycopg.connect(postgres.owner_url, autocommit=True) as owner:
        owner.execute(f"create database {name} template {template} strategy file_copy")
        home = home_with(models, scratch / name)
        yield Settings(
            database_url=with_database(postgres.owner_url, name), home=home, engine="none", admin_key=ADMIN_KEY
        )
        owner.execute(f"drop database {name} with (force)")
