"""Talk to a running service over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any
from urllib.parse import quote

import httpx

from app.errors import KyujangError
from app.settings import Settings

FINISHED = frozenset({"succeeded", "partial", "failed", "cancelled"})
POLL_S = 0.3


class ServiceRefused(KyujangError):
    """The service answered with a problem, or not at all: then there is no `status_code`."""

    def __init__(
        self, detail: str, status_code: int | None = None, *, code: str | None = None, retry_after_s: float = 0
    ) -> None:
        super().__init__(detail)
        self.status_code = status_code
        self.problem_code = code
        self.retry_after_s = retry_after_s


def open_client(settings: Settings, *, url: str | None = None, key: str | None = None) -> httpx.Client:
    return httpx.Client(**_connection(settings, url, key))


def open_async_client(settings: Settings, *, url: str | None = None, key: str | None = None) -> httpx.AsyncClient:
    return httpx.AsyncClient(**_connection(settings, url, key))


def call(client: httpx.Client, method: str, path: str, **options: Any) -> Any:
    """Return the answer's JSON. Raises ServiceRefused with the service's own words."""
    try:
        response = client.request(method, path, **options)
    except httpx.HTTPError as error:
        raise _broken(client.base_url, error) from None
    return _answer(response)


async def call_async(client: httpx.AsyncClient, method: str, path: str, **options: Any) -> Any:
    """Do what `call` does."""
    try:
        response = await client.request(method, path, **options)
    except httpx.HTTPError as error:
        raise _broken(client.base_url, error) from None
    return _answer(response)


def document_path(document_id: str) -> str:
    """Return the path of the document's route; its dots are encoded too, since clients take `..` for a step up."""
    return f"/documents/{quote(document_id, safe='').replace('.', '%2E')}"


def list_all(client: httpx.Client, path: str, **params: Any) -> Iterator[Any]:
    """Yield what a list holds, page by page."""
    while True:
        page = call(client, "GET", path, params=params)
        yield from page["data"]
        if page["next_cursor"] is None:
            return
        params["cursor"] = page["next_cursor"]


async def list_all_async(request: Callable[..., Awaitable[Any]], path: str, **params: Any) -> AsyncIterator[Any]:
    """Do what `list_all` does, through `request(method, path, params=…)`, which may retry."""
    while True:
        page = await request("GET", path, params=params)
        for each in page["data"]:
            yield each
        if page["next_cursor"] is None:
            return
        params["cursor"] = page["next_cursor"]


def _connection(settings: Settings, url: str | None, key: str | None) -> dict[str, Any]:
    key = key or (settings.key.get_secret_value() if settings.key else None)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return {"base_url": url or settings.url, "headers": headers, "timeout": 180}


def _broken(url: httpx.URL, error: httpx.HTTPError) -> ServiceRefused:
    if isinstance(error, httpx.ConnectError):
        return ServiceRefused(
            f"Nothing answers at {url}. Start it with 'make up', or name it with --url or KYUJANG_URL."
        )
    return ServiceRefused(f"{url} broke off: {type(error).__name__}.")


def _answer(response: httpx.Response) -> Any:
    if response.is_success:
        return response.json() if response.content else None
    try:
        problem = response.json()
        detail, code = f"{response.status_code}: {problem['detail']}", problem.get("code")
    except (ValueError, KeyError, TypeError, AttributeError):
        detail, code = f"{response.status_code} from {response.url}", None
    wait = response.headers.get("retry-after", "")
    raise ServiceRefused(detail, response.status_code, code=code, retry_after_s=float(wait) if wait.isdecimal() else 0)
