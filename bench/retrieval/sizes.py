"""How large things are on disk."""

from __future__ import annotations

import psycopg

from bench.retrieval.home import Place


def sizes(where: Place) -> dict[str, int]:
    """On disk, of all partitions together."""
    like = {
        "HNSW": "vectors\\_%embedding%",
        "vectors": "vectors\\_%",
        "chunks with TOAST": "chunks\\_%",
        "raw HNSW": "raw\\_embedding\\_idx",
    }
    found = {}
    with psycopg.connect(where.owner_url, autocommit=True) as connection:
        for name, pattern in like.items():
            kinds, size = ("i", "pg_relation_size") if "HNSW" in name else ("r", "pg_table_size")
            query = f"select coalesce(sum({size}(oid)), 0) from pg_class where relkind = %s and relname like %s"  # noqa: S608
            row = connection.execute(query.encode(), [kinds, pattern]).fetchone()
            assert row is not None
            found[name] = int(row[0])
        row = connection.execute(
            "select coalesce(sum(pg_total_relation_size(oid)), 0) from pg_class "
            "where relkind = 'r' and (relname like 'posting%' or relname = 'lexicon')"
        ).fetchone()
        assert row is not None
        found["postings with indexes"] = int(row[0])
    found["FAISS file"] = sum(file.stat().st_size for file in where.settings.index_files.glob("*/*.faiss"))
    return found
