"""Times as requests send them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

# RFC 3339, which asks for an offset, knows leap seconds, and takes any fraction: .NET writes seven digits, Go nine.
TIME = re.compile(r"(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d):([0-5]\d|60)(?:\.(\d{1,18}))?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def parse_time(value: Any) -> datetime:
    """Return the time to the nearest microsecond. Raises ValueError unless it has an offset."""
    found = TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("must be a time with an offset (RFC 3339), like 2027-01-31T09:00:00Z")
    try:
        minute, second, fraction, offset = found.groups()
        return datetime.fromisoformat(f"{minute}{offset}".upper()) + timedelta(
            seconds=int(second), microseconds=round(float(f"0.{fraction or 0}") * 1e6)
        )
    except (ValueError, OverflowError) as error:
        raise ValueError(f"is not a time: {error}") from None
