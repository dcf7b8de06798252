"""The routes as the service describes them, which takes half a second of every process that collects the tests."""

from __future__ import annotations

from functools import cache
from typing import Any

from app.main import create_app
from app.settings import Settings


@cache
def paths() -> dict[str, Any]:
    """Return path: method: operation."""
    found: dict[str, Any] = create_app(Settings(engine="none")).openapi()["paths"]
    return found
