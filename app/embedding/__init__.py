"""Text to vectors: the packaged multilingual-e5-small, any sentence-transformers model, or an embeddings endpoint."""

from app.embedding.embedder import Embedder
from app.embedding.encoder import Encoder, Kind, Vectors
from app.embedding.factory import dimension_of, identity_of, open_encoder, spare_cores, with_stored
from app.embedding.translation import Translation, Translator

__all__ = [
    "Embedder",
    "Encoder",
    "Kind",
    "Translation",
    "Translator",
    "Vectors",
    "dimension_of",
    "identity_of",
    "open_encoder",
    "spare_cores",
    "with_stored",
]
