"""Which statements a connection keeps prepared."""

from __future__ import annotations

import re
from functools import lru_cache

EVERY_COLUMN = re.compile(r"(\b(select|distinct|returning)\s+|[.,]\s*)\*", re.IGNORECASE)


@lru_cache(maxsize=1000)
def prepared(query: str) -> bool | None:
    """Leave it to psycopg (None), but for what returns all columns of a table, whatever they are: PostgreSQL refuses
    a kept statement whose columns have changed, and a migration adds one while the version of before runs on."""
    return False if EVERY_COLUMN.search(query) else None
