"""The database of a command that uses it without the API."""

from __future__ import annotations

from pydantic import SecretStr

from app.settings import Settings
from app.up.owner import running_owner_url


def with_database_url(settings: Settings) -> Settings:
    """Return settings that name a database: without DATABASE_URL the embedded one, which 'make up' has started."""
    if settings.database_url is not None:
        return settings
    return settings.model_copy(update={"database_url": SecretStr(running_owner_url(settings.home / "postgres"))})
