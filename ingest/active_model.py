"""The active embedding model, and what it sees of a document's title."""

from __future__ import annotations

from app.embedding import Encoder
from app.retrieval.live_spaces import OpenSpace
from app.services import Services
from app.storage.spaces import OtherSpace


async def current_space(services: Services) -> OpenSpace:
    """Return the active space. Raises OtherSpace if its model cannot be opened here."""
    await services.spaces.refresh(include_building=False)
    if services.spaces.stale_reason:
        raise OtherSpace(services.spaces.stale_reason)
    return services.spaces.current


def heading(encoder: Encoder, title: str | None) -> str:
    """Return what is put before each chunk for embedding: what it is about often stands in the title alone. Empty if
    the title would take more than a quarter of what the model sees."""
    line = f"{title}\n" if title else ""
    return line if encoder.count_tokens([line])[0] <= encoder.max_tokens // 4 else ""
