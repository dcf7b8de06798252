"""Statements that are kept prepared, and a column that is added meanwhile."""

from __future__ import annotations

import pytest

from app.storage.database import fetch_all, fetch_one
from app.storage.prepared import prepared


@pytest.mark.parametrize(
    "query",
    ["select * from a", "select a.id, b.* from b", "insert into a values (1) returning *", "select id, * from a"],
)
def test_what_returns_every_column_is_not_kept(query):
    assert prepared(query) is False


@pytest.mark.parametrize("query", ["select count(*) from a", "select 2 * id from a", "select id from a"])
def test_what_names_its_columns_may_be(query):
    assert prepared(query) is None


async def test_a_column_added_meanwhile_disturbs_no_query(services):
    async with services.database.operator() as connection:
        await connection.execute("create temp table grows (id int)")
        await connection.execute("insert into grows values (1)")
        for _ in range(10):
            assert await fetch_all(connection, "select * from grows") == [{"id": 1}]
        await connection.execute("alter table grows add column name text default 'x'")
        assert await fetch_one(connection, "select * from grows") == {"id": 1, "name": "x"}
