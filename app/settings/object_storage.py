"""Where object storage is, from its URL and the variables that its own tools read."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

from app.errors import NotConfigured

Scheme = Literal["s3", "gs", "az"]

URL = re.compile(r"(?P<scheme>s3|gs|az)://(?P<bucket>[A-Za-z0-9][A-Za-z0-9._-]*)(?:/(?P<prefix>[A-Za-z0-9._/-]*))?")
# One row is enough. Without one the client would ask the machine's metadata service, a host that is not named.
CREDENTIALS: dict[Scheme, tuple[tuple[str, ...], ...]] = {
    "s3": (
        ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"),
        ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI",),
        ("AWS_METADATA_ENDPOINT",),
    ),
    "gs": (
        ("GOOGLE_APPLICATION_CREDENTIALS",),
        ("GOOGLE_SERVICE_ACCOUNT_KEY",),
        ("GOOGLE_SERVICE_ACCOUNT",),
        ("GOOGLE_BEARER_TOKEN",),
        ("GCE_METADATA_HOST",),
    ),
    "az": (
        ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT_KEY"),
        ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_SAS_KEY"),
        ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_TENANT_ID"),
        ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_TENANT_ID"),
        ("AZURE_STORAGE_ACCOUNT_NAME", "IDENTITY_ENDPOINT"),
        ("AZURE_STORAGE_USE_EMULATOR",),
    ),
}
SECRETS = frozenset(name for rows in CREDENTIALS.values() for names in rows for name in names) | {"AWS_SESSION_TOKEN"}
ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT", "GOOGLE_BASE_URL", "AZURE_STORAGE_ENDPOINT")
PREFIXES: dict[Scheme, str] = {"s3": "AWS_", "gs": "GOOGLE_", "az": "AZURE_"}


@dataclass(frozen=True, slots=True)
class StorageUrl:
    """`prefix` has no slash at its ends."""

    scheme: Scheme
    bucket: str
    prefix: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}/{self.prefix}".rstrip("/")


def storage_url(url: str) -> StorageUrl:
    """Take the URL apart. Raises NotConfigured."""
    found = URL.fullmatch(url)
    if found is None or ".." in url:
        # Without the URL itself, which may hold a password.
        raise NotConfigured(
            "The URL of object storage (KYUJANG_STORAGE, or where a backup goes) is s3://bucket/prefix, "
            "gs://bucket/prefix or az://container/prefix. Credentials and the endpoint are not part of it: they come "
            "from the variables that docs/operations/object-storage.md names."
        )
    parts = [part for part in (found["prefix"] or "").split("/") if part]
    return StorageUrl(cast(Scheme, found["scheme"]), found["bucket"], "/".join(parts))


def refuse_missing_credentials(url: StorageUrl, environment: Mapping[str, str] = os.environ) -> None:
    rows = CREDENTIALS[url.scheme]
    if not any(all(environment.get(name) for name in names) for names in rows):
        raise NotConfigured(f"{url} needs credentials: set {' and '.join(rows[0])}, or another way to name them.")


def endpoint(url: StorageUrl, environment: Mapping[str, str] = os.environ) -> str | None:
    """Return the address that the operator has named in place of the vendor's."""
    named = (environment.get(name) for name in ENDPOINTS if name.startswith(PREFIXES[url.scheme]))
    return next((each for each in named if each), None)
