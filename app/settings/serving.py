"""Where the service listens and keeps its data, who may call it, and its database."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AliasChoices, BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.settings.home import Home, default_home

LimitName = Literal[
    "documents",
    "bytes",
    "chunks",
    "adapters",
    "jobs_waiting",
    "requests_per_minute",
    "generated_tokens_per_day",
    "training_seconds_per_day",
]


def _from_json(value: object) -> object:
    return json.loads(value) if isinstance(value, str) else value


class Serving(Home, BaseSettings):
    """The first of the settings."""

    # Empty is as good as absent: compose passes a line of .env on that has no value.
    model_config = SettingsConfigDict(
        env_prefix="KYUJANG_", env_ignore_empty=True, frozen=True, extra="ignore", use_attribute_docstrings=True
    )

    home: Path = Field(default_factory=default_home)
    """The data folder: embedded database, uploaded files, converted models, index files, logs. By default `~/.kyujang`,
    for root `/var/lib/kyujang`."""
    storage: str | None = None
    """Where uploaded files are kept: `s3://bucket/prefix`, `gs://bucket/prefix` or `az://container/prefix`, with
    credentials from the variables of the vendor's own tools (operations, object storage). By default in the data
    folder."""
    host: str = "127.0.0.1"
    """The address that the API listens on."""
    port: int = Field(8000, ge=1, le=65535)
    """The port that the API listens on."""
    keep_alive_s: int = Field(65, ge=1)
    """Seconds that an idle connection stays open: longer than a proxy's own, which is mostly 60."""
    drain_s: float = Field(0, ge=0, le=600)
    """Seconds for which an API process that is told to stop (SIGTERM) goes on to take requests, while `/healthz` and
    `/readyz` say 503: as long as a proxy takes to see it, and 0 without one. What is under way then has
    `KYUJANG_LLM_TIMEOUT_S` and 10 seconds more."""
    max_connections: int = Field(1000, ge=2)
    """The most connections at a time; more get 503."""
    root_path: str = Field("", pattern=r"^(/[A-Za-z0-9._~-]+)*$")
    """The path below which a reverse proxy serves the API, such as `/kyujang`, whether it takes it off or passes it
    on."""
    metrics_port: int | None = Field(None, ge=1, le=65535)
    """A second port of the API, at which `/metrics` and the details of `/readyz` need no key. Do not publish it."""
    auth: Literal["on", "off"] = "on"
    """`off` (`make up` on loopback): no key, tenant `default`; only on loopback, and not for other origins' pages."""
    admin_key: SecretStr | None = None
    """The operator's key, for `/tenants`, `/metrics` and the details of `/readyz`, of at least 24 characters. Without
    it they are closed; with `KYUJANG_AUTH=on` `make up` makes one, in `operator-key` in its data folder."""
    # Not decoded by pydantic-settings, whose error names no variable.
    limits_of_new_tenants: Annotated[
        dict[LimitName, Annotated[int, Field(ge=0, lt=2**53)]], NoDecode, BeforeValidator(_from_json)
    ] = Field(default_factory=dict)
    """The limits that a new tenant gets, as JSON: `{"documents": 10000, "requests_per_minute": 300}`. None by
    default."""
    cors_origins: str = ""
    """Origins of web pages that may call the API from a browser, with commas between: `https://app.example`. None by
    default. With `KYUJANG_AUTH=off` they are let through too."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """`debug`, `info`, `warning` or `error`. Logs are JSON lines."""

    database_url: SecretStr | None = Field(None, validation_alias=AliasChoices("DATABASE_URL", "database_url"))
    """The owner of the schema, on PostgreSQL 16 or newer with pgvector; for migrations. `make up` starts its own
    PostgreSQL without it."""
    service_database_url: SecretStr | None = None
    """The role of API and worker, bound by row-level security; else `DATABASE_URL` with the role `kyujang_app`."""
    database_pool: int = Field(10, ge=1, le=200)
    """The most database connections of a process."""
    tenant_connections: int = Field(4, ge=1, le=200)
    """Of these, the most that one tenant's requests to the API hold at a time."""
    statement_timeout_s: float = Field(15, gt=0)
    """Seconds for one statement of a request to the API. The worker, the commands, the deletion of a tenant and the
    loading of an index have no such limits."""
    lock_timeout_s: float = Field(10, gt=0)
    """Seconds that such a statement waits for a lock."""
    idle_transaction_timeout_s: float = Field(60, gt=0)
    """Seconds between two statements of a request's transaction."""
