"""Who a request acts for, as the audit trail names it."""

from __future__ import annotations

from fastapi import Request

from app.storage import audit


def act_as(request: Request, name: str) -> None:
    """Let what the request changes be recorded as done by this one."""
    route = f"{request.method} {getattr(request.scope.get('route'), 'path', request.url.path)}"
    audit.actor.set(audit.Actor(name, route, request.scope["state"]["request_id"]))
