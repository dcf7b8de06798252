"""What the commands use to talk to a running service."""

from __future__ import annotations

from typing import Any

import httpx

from app.errors import KyujangError
from app.settings import Settings

FINISHED = frozenset({"succeeded", "partial", "failed", "cancelled"})
POLL_S = 0.3


class ServiceRefused(KyujangError):
    """The service answered with a problem, or not at all: then there is no `status_code`."""

    def __init__(self, detail: str, status_code: int | None = None) -> None:
        super().__init__(detail)
        self.status_code = status_code


def open_client(settings: Settings, *, url: str | None = None, key: str | None = None) -> httpx.Client:
    key = key or (settings.key.get_secret_value() if settings.key else None)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return httpx.Client(base_url=url or settings.url, headers=headers, timeout=180)


def call(client: httpx.Client, method: str, path: str, **options: Any) -> Any:
    """The answer's JSON. Raises ServiceRefused with the service's own words."""
    try:
        response = client.request(method, path, **options)
    except httpx.ConnectError:
        raise ServiceRefused(
            f"Nothing answers at {client.base_url}. Start it with 'make up', or name it with --url or KYUJANG_URL."
        ) from None
    except httpx.HTTPError as error:
        raise ServiceRefused(f"{client.base_url} broke off: {type(error).__name__}.") from None
    if response.is_success:
        return response.json() if response.content else None
    try:
        detail = f"{response.status_code}: {response.json()['detail']}"
    except (ValueError, KeyError, TypeError):
        detail = f"{response.status_code} from {client.base_url}{path}"
    raise ServiceRefused(detail, response.status_code)
