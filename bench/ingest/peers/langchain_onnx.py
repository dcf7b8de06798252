"""LangChain as in langchain_faiss.py, but with Kyujang's own encoder: what is left is the framework's share."""

from __future__ import annotations

from langchain_core.embeddings import Embeddings

from app.embedding.e5 import E5Encoder
from bench.ingest.peers.contender import TakeIn, Task, run
from bench.ingest.peers.langchain_faiss import with_embeddings


class OurEncoder(Embeddings):
    def __init__(self, task: Task) -> None:
        self._encoder = E5Encoder(task.model, threads=1)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        vectors: list[list[float]] = self._encoder.encode(texts, "passage").tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        vector: list[float] = self._encoder.encode([text], "query")[0].tolist()
        return vector


def open_framework(task: Task) -> TakeIn:
    return with_embeddings(task, OurEncoder(task))


if __name__ == "__main__":
    run(open_framework, "langchain-core", "langchain-community", "onnxruntime", "openvino")
