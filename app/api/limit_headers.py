"""What is left of limits, in the headers of an answer (IETF draft draft-ietf-httpapi-ratelimit-headers-10)."""

from __future__ import annotations

from fastapi import Request

from app.storage.allowances import Allowed


def show(request: Request, *allowed: Allowed) -> None:
    """Have the answer say what is left."""
    known = request.scope["state"].setdefault("allowed", {})
    known |= {each.policy: each for each in allowed}


def headers(state: dict[str, dict[str, Allowed]]) -> dict[str, str]:
    known = state.get("allowed") or {}
    if not known:
        return {}
    return {
        "RateLimit-Policy": ", ".join(each.policy for each in known.values()),
        "RateLimit": ", ".join(each.left for each in known.values()),
    }
