"""The engine's base model: which one it is, and its names."""

from __future__ import annotations

from pathlib import Path

from app.generation.engine import Engine
from app.settings import Settings

PACKAGED_ID = "HuggingFaceTB/SmolLM2-135M-Instruct"


async def with_engine_model(settings: Settings, engine: Engine | None) -> Settings:
    """Ask the engine which model it serves where KYUJANG_MODEL names none. Raises EngineUnavailable."""
    if settings.model is not None or engine is None:
        return settings
    return settings.model_copy(update={"model": (await engine.served()).model})


def base_names(settings: Settings) -> list[str]:
    """Return the names that adapters may give for the base model, the engine's own first."""
    model = settings.model_name
    # A path on this machine is not shown to tenants.
    public = Path(model).name if Path(model).is_dir() else model
    named = [name.strip() for name in settings.base_model_names.split(",") if name.strip()]
    return [public, *([PACKAGED_ID] if settings.serves_packaged_model else []), *named]
