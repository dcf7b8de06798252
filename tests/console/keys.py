"""The keys that tests sign in with."""

from __future__ import annotations

import httpx


def key_of(client: httpx.AsyncClient) -> str:
    return client.headers["authorization"].removeprefix("Bearer ")
