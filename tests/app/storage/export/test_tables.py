"""Each table of the schema is in an export, or is left out for a reason."""

from __future__ import annotations

import re

import psycopg
import pytest

from app.errors import NotConfigured
from app.storage.export.make import open_tenant
from app.storage.export.tables import LEFT_OUT, TABLES
from tests.app.storage.export.moving import query

# The first exports lack later columns, which the database then fills itself.
REQUIRED = {
    "collections": {"id"},
    "documents": {"id", "media_type", "bytes", "sha256", "chunks", "blob"},
    "chunks": {"id", "document_id", "ord", "start", "stop", "tokens", "content"},
    "document_texts": {"document_id", "start", "content"},
    "document_pages": {"document_id", "page", "start", "stop"},
    "document_words": {"document_id", "page", "words"},
    "vectors": {"chunk_id", "document_id", "embedding"},
    "jobs": {"id"},
    "job_items": {"job_id", "n"},
    "prompts": {"name", "newest"},
    "prompt_versions": {"name", "version", "elements"},
    "adapters": {"name", "newest"},
    "adapter_versions": {"name", "version", "engine_name", "sha256", "bytes"},
    "adapter_activations": {"action"},
    "audit": {"actor", "act", "kind", "object"},
    "query_logs": {"days"},
    "queries": {
        *("id", "at", "question", "search_query", "chunks", "documents", "scores", "answer", "answer_mode"),
        *("citations", "unsupported", "verdict", "timings_ms"),
    },
    "usage_days": {"day", "key_id", "adapter", "source"},
}


def test_no_table_is_forgotten(settings):
    there = {
        re.sub(r"^vectors_\d+$", "vectors", name)
        for (name,) in query(
            settings,
            "select relname from pg_class where relkind in ('r', 'p') and not relispartition "
            "and relnamespace = 'public'::regnamespace",
        )
    }
    exported = [table.name for table in TABLES]
    assert sorted([*exported, *LEFT_OUT]) == sorted(there)
    assert all(LEFT_OUT.values())


def test_an_older_export_lacks_no_column_that_must_be_given(settings):
    found: dict[str, set[str]] = {}
    for table, column in query(
        settings,
        "select table_name, column_name from information_schema.columns where table_schema = 'public' "
        "and is_nullable = 'NO' and column_default is null and is_identity = 'NO' and column_name <> 'tenant_id'",
    ):
        found.setdefault(re.sub(r"^vectors_\d+$", "vectors", table), set()).add(column)
    assert {table.name: found[table.name] for table in TABLES} == REQUIRED


def test_what_is_written_otherwise_is_a_column(settings):
    for table in TABLES:
        name = "vectors_1" if table.name == "vectors" else table.name
        query_ = "select attname from pg_attribute where attrelid = %(table)s::regclass"
        columns = {column for (column,) in query(settings, query_, table=name)}
        assert {*table.written, *table.numbered} <= columns, table.name


def test_a_role_that_row_level_security_does_not_bind_exports_nothing(settings):
    unbound = settings.model_copy(update={"service_database_url": settings.database_url})
    with pytest.raises(NotConfigured, match="row-level security binds"), open_tenant(unbound, "default"):
        pass


def test_an_export_sees_no_other_tenant(settings):
    with psycopg.connect(settings.owner_url) as owner:
        owner.execute("insert into tenants (slug, name) values ('other', 'Other')")
    with open_tenant(settings, "default") as point:
        assert point.connection.execute("select slug from tenants").fetchall() == [("default",)]
        assert [each.id for each in point.tenants()] == ["default"]
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            point.connection.execute("delete from documents")
