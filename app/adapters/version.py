"""A version of a LoRA adapter, and the names that adapters can have."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

from app.errors import InvalidInput, NotFound
from app.storage.tenancy import TenantNumber

AdapterStatus = Literal["checking", "loading", "proving", "ready", "rejected", "failed"]

# Without two hyphens in a row and none at the end: they set the parts of an engine's name apart.
NAME = re.compile(r"[a-z0-9](?:-?[a-z0-9_]){0,62}")
MAX_NAME = 63
REFERENCE = re.compile(rf"(?P<name>{NAME.pattern})(?:@(?P<version>[1-9][0-9]{{0,8}}))?")
# What `adapter` of a query means already, and paths beside the names.
RESERVED = frozenset({"auto", "none", "activations", "deactivate", "rollback"})


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    ok: bool
    detail: str


class Published(NamedTuple):
    """What it takes to find a version's files: `digest` as in AdapterVersion."""

    tenant: TenantNumber
    engine_name: str
    digest: str | None


@dataclass(frozen=True, slots=True)
class AdapterVersion:
    """`engine_name` is what engines know it by: never shown to a caller, never taken from one."""

    name: str
    version: int
    engine_name: str
    status: AdapterStatus
    base_model: str | None
    rank: int | None
    target_modules: list[str] | None
    bytes: int
    checks: list[Check]
    proof: dict[str, Any] | None
    error_detail: str | None
    created_at: datetime
    ready_at: datetime | None
    active: bool
    sha256: str
    """Of the archive, in hex digits; `blob` is where it is until it has been checked."""
    blob: str | None
    digest: str | None
    """Of its .tar in object storage; None if its files lie in the folder that engines read."""

    def published(self, tenant: TenantNumber) -> Published:
        return Published(tenant, self.engine_name, self.digest)

    @property
    def reference(self) -> str:
        return f"{self.name}@{self.version}"


def refuse_name(name: str) -> None:
    """Raise InvalidInput for a name that an adapter cannot have."""
    if not NAME.fullmatch(name) or len(name) > MAX_NAME or name in RESERVED:
        raise InvalidInput(
            f"An adapter's name is of a-z, 0-9, '_' and single '-', at most {MAX_NAME} characters, "
            f"and none of {', '.join(sorted(RESERVED))}.",
            pointer="/name",
        )


def unknown() -> NotFound:
    """Say the same of another tenant's adapter and of one that does not exist."""
    return NotFound("There is no adapter of this name and version. GET /adapters lists them.")
