"""Text to vectors: the packaged multilingual-e5-small, any sentence-transformers model, or an embeddings endpoint."""

from app.embedding.batching import Embedder
from app.embedding.choice import identity_of, open_encoder, with_stored
from app.embedding.encoder import Encoder, Kind, Vectors

__all__ = ["Embedder", "Encoder", "Kind", "Vectors", "identity_of", "open_encoder", "with_stored"]
