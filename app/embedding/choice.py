"""Settings to encoder."""

from __future__ import annotations

from app.embedding.e5 import E5Encoder
from app.embedding.e5_folder import packaged_folder
from app.embedding.encoder import Encoder
from app.embedding.endpoint import EndpointEncoder
from app.embedding.local import SentenceTransformerEncoder
from app.errors import NotConfigured
from app.settings import PACKAGED_EMBEDDER, Settings


def open_encoder(settings: Settings) -> Encoder:
    """Blocking: seconds, and some more the very first time. Raises NotConfigured or EmbedderUnavailable."""
    if settings.embedder_url:
        return _endpoint(settings, settings.embedder_url)
    if uses_packaged_model(settings):
        return E5Encoder(packaged_folder(settings.models), threads=settings.embed_threads)
    return SentenceTransformerEncoder(
        settings.embedder,
        query_prefix=settings.query_prefix,
        passage_prefix=settings.passage_prefix,
        threads=settings.embed_threads,
    )


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
    )
