"""Read and route on a path as it was sent: a slash that is encoded belongs to an id, a plain one may separate."""

from __future__ import annotations

from urllib.parse import quote

from starlette.routing import Match
from starlette.types import Scope

from app.api.deps import KeyFirst


def raw_path(scope: Scope) -> str:
    """Return the path with its percent-encoding."""
    sent: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    return sent.decode(errors="surrogateescape")


class RawPathRoute(KeyFirst):
    """Matches the path as it was sent; its parameters are still encoded."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return super().matches({**scope, "path": raw_path(scope)})
