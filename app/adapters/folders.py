"""The folders of adapters' versions."""

from __future__ import annotations

from pathlib import Path

from app.generation.adapter_cache import Adapter
from app.settings import Settings
from app.storage.tenancy import TenantNumber


def version_folder(settings: Settings, tenant: TenantNumber, engine_name: str) -> Path:
    """Return the folder as this process sees it."""
    return _below(settings.adapters, tenant, engine_name)


def adapter_of(settings: Settings, tenant: TenantNumber, engine_name: str) -> Adapter:
    """Return the version with its folder as the engine sees it."""
    return Adapter(engine_name, str(_below(settings.adapters_at or settings.adapters, tenant, engine_name)))


def _below(root: Path, tenant: TenantNumber, engine_name: str) -> Path:
    return root / str(tenant) / engine_name
