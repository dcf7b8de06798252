"""What the API says about itself, asked while everything starts."""

from __future__ import annotations

import httpx


def not_ready(url: str, operator_key: str | None) -> str | None:
    """Return None once the API is ready, else what it waits for."""
    answer = _ask(url, operator_key)
    if answer is None:
        return "waiting for the API"
    if answer.status_code == 200:
        return None
    late = {name: state for name, state in _dependencies(answer).items() if state != "ok"}
    return "waiting for " + ("; ".join(f"{name}: {state}" for name, state in late.items()) or str(answer.status_code))


def engine_answers(url: str, operator_key: str | None) -> bool:
    """Say whether the API has had a token from the engine."""
    answer = _ask(url, operator_key)
    return answer is not None and _dependencies(answer).get("engine") == "ok"


def _ask(url: str, operator_key: str | None) -> httpx.Response | None:
    headers = {"Authorization": f"Bearer {operator_key}"} if operator_key else {}
    try:
        return httpx.get(f"{url}/readyz", headers=headers, timeout=15, trust_env=False)
    except httpx.HTTPError:
        return None


def _dependencies(answer: httpx.Response) -> dict[str, str]:
    found: dict[str, str] = answer.json().get("dependencies", {})
    return found
