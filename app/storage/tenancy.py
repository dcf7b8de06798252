"""Who data belongs to, as the database counts it."""

from __future__ import annotations

from typing import NewType

# tenants.id. Not the slug, which callers know; and a type of its own, so that no top_k or version is passed for it.
TenantNumber = NewType("TenantNumber", int)
