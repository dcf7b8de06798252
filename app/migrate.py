"""Roles, schema and indexes. Runs as the schema's owner; nothing else changes the schema."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psycopg
from alembic import command
from alembic.config import Config
from psycopg import sql
from sqlalchemy import create_engine

from app.errors import NotConfigured
from app.reanalysis import adopt
from app.settings import Settings
from app.terms import Analyzer

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"
ONE_AT_A_TIME = 0x6B797570


def migrate(settings: Settings, *, embedding_model: str, dimension: int) -> None:
    """Safe to run again and from several hosts at once.

    Raises NotConfigured if the stored vectors were made by another embedding model.
    """
    with psycopg.connect(settings.owner_url, autocommit=True) as connection:
        _check_version(connection)
        connection.execute("select pg_advisory_lock(%s)", [ONE_AT_A_TIME])
        _create_roles(connection, settings.service_url)
        _upgrade(settings.owner_url)
        _adopt_embedding_model(connection, embedding_model, dimension)
        _create_vector_index(connection, dimension)
        asyncio.run(adopt(settings.owner_url, Analyzer(settings.lexical)))


def _check_version(connection: psycopg.Connection) -> None:
    if connection.info.server_version < 160000:
        raise NotConfigured("PostgreSQL 16 or newer is needed.")
    available = connection.execute("select from pg_available_extensions where name = 'vector'").fetchone()
    if available is None:
        raise NotConfigured("This PostgreSQL has no pgvector: install the extension 'vector' (0.8 or newer).")
    connection.execute("create extension if not exists vector")


def _create_roles(connection: psycopg.Connection, service_url: str) -> None:
    login = urlsplit(service_url)
    name, password = unquote(login.username or ""), unquote(login.password or "")
    for role in ("kyujang_service", "kyujang_operator"):
        if not _role_exists(connection, role):
            connection.execute(sql.SQL("create role {} nologin").format(sql.Identifier(role)))
    if not _role_exists(connection, name):
        connection.execute(sql.SQL("create role {} login noinherit").format(sql.Identifier(name)))
    who = sql.Identifier(name)
    if password:
        connection.execute(sql.SQL("alter role {} password {}").format(who, sql.Literal(password)))
    connection.execute(sql.SQL("grant kyujang_service to {} with inherit true").format(who))
    connection.execute(sql.SQL("grant kyujang_operator to {} with inherit false, set true").format(who))
    connection.execute("grant kyujang_operator to current_user with inherit false, set true")
    connection.execute("grant usage on schema public to kyujang_service, kyujang_operator")


def _role_exists(connection: psycopg.Connection, name: str) -> bool:
    return connection.execute("select from pg_roles where rolname = %s", [name]).fetchone() is not None


def _upgrade(owner_url: str) -> None:
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(owner_url))
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        engine.dispose()


def _adopt_embedding_model(connection: psycopg.Connection, name: str, dimension: int) -> None:
    stored = connection.execute("select name, dimension from embedding_model").fetchone()
    if stored == (name, dimension):
        return
    with connection.transaction():
        connection.execute("set local role kyujang_operator")
        row = connection.execute("select coalesce(sum(chunk_count), 0) from tenants").fetchone()
    if stored and row and row[0]:
        raise NotConfigured(
            f"The stored vectors were made by {stored[0]} ({stored[1]} dimensions), and KYUJANG_EMBEDDER is {name} "
            f"({dimension} dimensions); vectors of two models cannot be compared. Set it back to {stored[0]}, or use "
            "another KYUJANG_HOME or DATABASE_URL and ingest the documents there."
        )
    with connection.transaction():
        if stored:
            connection.execute(
                sql.SQL("drop index if exists {}").format(sql.Identifier(f"chunks_embedding_{stored[1]}"))
            )
        connection.execute("delete from embedding_model")
        connection.execute("insert into embedding_model (name, dimension) values (%s, %s)", [name, dimension])


def _create_vector_index(connection: psycopg.Connection, dimension: int) -> None:
    # m=16/ef=64 left 1-2 % of the queries without any true neighbour on clustered vectors; 24/128 cures it.
    connection.execute("set maintenance_work_mem = '512MB'")
    connection.execute(
        sql.SQL(
            "create index if not exists {name} on chunks "
            "using hnsw ((embedding::halfvec({dimension})) halfvec_cosine_ops) with (m = 24, ef_construction = 128)"
        ).format(name=sql.Identifier(f"chunks_embedding_{dimension}"), dimension=sql.Literal(dimension))
    )
