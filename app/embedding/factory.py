"""Open the encoder that the settings name."""

from __future__ import annotations

from typing import Any

from app import cpu
from app.embedding.e5 import E5Encoder
from app.embedding.encoder import Encoder, identity
from app.embedding.endpoint import PASSAGES_AT_ONCE, EndpointEncoder
from app.embedding.packaged.folder import packaged_folder
from app.embedding.sentence_transformer import SentenceTransformerEncoder
from app.embedding.spare_cores import InIdleTime, SpareCores
from app.errors import NotConfigured
from app.settings import PACKAGED_EMBEDDER, Settings

STORED = ("embedder", "embedder_url", "embedder_max_tokens", "query_prefix", "passage_prefix")


def open_encoder(settings: Settings, *, beside_spare_cores: bool = False) -> Encoder:
    """Open the encoder. Blocks for seconds, longer the first time. Raises NotConfigured or EmbedderUnavailable."""
    if settings.embedder_url:
        return _endpoint(settings, settings.embedder_url)
    if uses_packaged_model(settings):
        threads = 1 if beside_spare_cores else settings.embed_threads or 1
        return E5Encoder(packaged_folder(settings.models), threads=threads, precision=settings.embed_precision)
    return SentenceTransformerEncoder(settings)


def spare_cores(settings: Settings, encoder: Encoder) -> SpareCores | None:
    """Return the cores that a worker may embed on beside the first. A sentence-transformers model uses none."""
    threads = (settings.embed_threads or cpu.cores()) - 1
    if not threads or not isinstance(encoder, InIdleTime):
        return None
    return SpareCores(settings.home, threads, encoder.in_idle_time)


def dimension_of(settings: Settings) -> int:
    """Return the length of the encoder's vectors. Opens it, unless it is the packaged one."""
    return E5Encoder.dimension if uses_packaged_model(settings) else open_encoder(settings).dimension


def identity_of(settings: Settings) -> str:
    """Return the name that the encoder will have, without opening it."""
    return PACKAGED_EMBEDDER if uses_packaged_model(settings) else identity(settings.embedder, settings.passage_prefix)


def as_stored(settings: Settings) -> dict[str, Any]:
    """Return the settings that open the encoder again, as plain values, without the endpoint's key."""
    return settings.model_dump(include=set(STORED))


def with_stored(settings: Settings, stored: dict[str, Any]) -> Settings:
    """Return this process's settings with the stored encoder settings in place of its own."""
    return settings.model_copy(update=stored)


def uses_packaged_model(settings: Settings) -> bool:
    return settings.embedder == PACKAGED_EMBEDDER and not settings.embedder_url


def _endpoint(settings: Settings, url: str) -> EndpointEncoder:
    if settings.embedder == PACKAGED_EMBEDDER:
        raise NotConfigured("KYUJANG_EMBEDDER_URL needs KYUJANG_EMBEDDER: the name of the endpoint's model.")
    return EndpointEncoder(
        url,
        key=settings.embedder_key.get_secret_value() if settings.embedder_key else None,
        model=settings.embedder,
        max_tokens=settings.embedder_max_tokens,
        query_prefix=settings.query_prefix,
        passage_prefix=settings.passage_prefix,
        passages_at_once=settings.embed_batch or PASSAGES_AT_ONCE,
    )
