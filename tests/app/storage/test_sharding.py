"""The schema keeps Citus's rules, by which tables are distributed: the tenant is in every primary key, unique
constraint and foreign key of a table that has one. https://docs.citusdata.com/en/stable/develop/migration_mt_schema.html"""

from __future__ import annotations

import re

import psycopg
import pytest

from tests.conftest import ROOT

KEYS = """
    select c.conrelid::regclass::text, c.conname::text, array(
        select attname::text from pg_attribute where attrelid = c.conrelid and attnum = any(c.conkey))
    from pg_constraint c join pg_namespace n on n.oid = c.connamespace
    where n.nspname = 'public' and c.contype in ('p', 'u', 'f') and c.conparentid = 0
        and exists (select from pg_attribute where attrelid = c.conrelid and attname = 'tenant_id')
"""
# Each with where it would live, in docs/operations/growing.md.
WITHOUT_TENANT = {
    "adapter_versions_engine_name_key", "api_keys_id_key", "audit_pkey", "engine_calls_pkey", "operator_requests_pkey",
    "removals_pkey", "tenant_deletions_id_key",
}  # fmt: skip


@pytest.fixture(scope="module")
def keys(owner_url) -> list[tuple[str, str, list[str]]]:
    with psycopg.connect(owner_url) as owner:
        return owner.execute(KEYS).fetchall()


def test_the_tenant_is_in_every_key_but_those_that_are_listed(keys):
    assert len(keys) > 40
    assert {name for _, name, columns in keys if "tenant_id" not in columns} == WITHOUT_TENANT


@pytest.mark.parametrize("page", ["docs/operations/growing.md", "docs/ko/operations/growing.md"])
def test_the_exceptions_are_told(keys, page):
    told = set(re.findall(r"^\| `(\w+)` \|", (ROOT / page).read_text(), re.MULTILINE))
    assert told == {table for table, name, _ in keys if name in WITHOUT_TENANT} | {"tenants"}
