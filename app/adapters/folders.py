"""Where the files of adapters' versions lie: in a folder that engines see too, or in object storage."""

from __future__ import annotations

from pathlib import Path

from app.adapters.version import Published
from app.errors import NotConfigured
from app.generation.adapter_cache import Adapter
from app.settings import Settings
from app.storage.adapter_archives import AdapterArchive
from app.storage.object_storage import ObjectStorage
from app.storage.tenancy import TenantNumber


def version_folder(settings: Settings, tenant: TenantNumber, engine_name: str) -> Path:
    """Return the folder as this process sees it."""
    return _below(settings.adapters, tenant, engine_name)


def adapter_of(settings: Settings, storage: ObjectStorage | None, version: Published) -> Adapter:
    """Return what an engine loads: the folder as the engine sees it, or the .tar that is sent to it.

    Raises NotConfigured.
    """
    tenant, name, digest = version
    if digest is None:
        return Adapter(name, str(_below(settings.adapters_at or settings.adapters, tenant, name)))
    if storage is None:
        raise NotConfigured("The files of adapters lie in object storage: set KYUJANG_STORAGE to its URL.")
    return Adapter(name, AdapterArchive(storage, tenant, name, digest))


def _below(root: Path, tenant: TenantNumber, engine_name: str) -> Path:
    return root / str(tenant) / engine_name
