"""What make up chooses where a setting is not given, and the address that follows from the settings."""

from __future__ import annotations

from app.settings import Settings
from app.settings.addresses import is_loopback

MAX_WORKERS = 4


def default_workers(cores: int) -> int:
    """Leave cores to the API, PostgreSQL and perhaps an engine; each worker takes 0.6 GB."""
    return min(MAX_WORKERS, max(1, cores // 4))


def fallback(settings: Settings) -> str:
    """Answer with quotations while the engine restarts, unless the setting says otherwise."""
    return settings.fallback if "fallback" in settings.model_fields_set else "extract"


def auth(settings: Settings) -> str:
    """Ask for no keys on loopback, where it is one person's machine, unless the setting says otherwise."""
    if "auth" in settings.model_fields_set or not is_loopback(settings.host):
        return settings.auth
    return "off"


def base_url(settings: Settings) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)  # noqa: S104
    return f"http://{host}:{settings.port}"
