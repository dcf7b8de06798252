"""Transactions whose statements wait for each other only where an answer is read, by the pipeline mode of PostgreSQL's
protocol: what is sent before it, the begin and the settings included, shares its round trip.

There each statement is sent by itself, and COPY is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import psycopg
from psycopg.pq import PipelineStatus
from psycopg.rows import DictRow

from app.storage.prepared import prepared

Connection: TypeAlias = psycopg.AsyncConnection[DictRow]


@asynccontextmanager
async def pipelined(connection: Connection, begin: str, settings: Mapping[str, str]) -> AsyncIterator[None]:
    """Let the block be a transaction with these settings, which end with it."""
    async with connection.pipeline():
        await connection.execute(begin.encode())
        await set_local(connection, settings)
        yield
        await connection.execute(b"commit")


@asynccontextmanager
async def left_out_of_pipelines(connection: Connection) -> AsyncIterator[None]:
    """Close a connection that is in a pipeline after the block: psycopg leaves it there where a task is cancelled at
    the moment at which one begins."""
    try:
        yield
    except AssertionError:
        # So says psycopg's executemany() then.
        if (task := asyncio.current_task()) and task.cancelling():
            raise asyncio.CancelledError from None
        raise
    finally:
        if connection.pgconn.pipeline_status != PipelineStatus.OFF:
            await connection.close()


async def set_local(connection: Connection, settings: Mapping[str, str]) -> None:
    """Set them until the transaction ends."""
    if settings:
        # The values are parameters, so that it is prepared once for all tenants.
        calls = ", ".join(f"set_config('{name}', %s, true)" for name in settings)
        await connection.execute(f"select {calls}".encode(), list(settings.values()))


async def rows_of_last(
    connection: Connection, settings: Mapping[str, str], statements: Sequence[str], parameters: Mapping[str, Any]
) -> list[DictRow]:
    """Do these statements in a transaction of their own, in one round trip; return the rows of the last."""
    async with pipelined(connection, "begin", settings):
        for statement in statements:
            cursor = await connection.execute(statement.encode(), parameters, prepare=prepared(statement))
    return await cursor.fetchall() if cursor.description else []
