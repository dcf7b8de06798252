"""Haystack: TextFileToDocument, RecursiveDocumentSplitter, SentenceTransformersDocumentEmbedder (torch),
InMemoryDocumentStore."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from haystack.components.converters import TextFileToDocument
from haystack.components.preprocessors import RecursiveDocumentSplitter
from haystack.components.writers import DocumentWriter
from haystack.document_stores.in_memory import InMemoryDocumentStore
from haystack_integrations.components.embedders.sentence_transformers import SentenceTransformersDocumentEmbedder
from tokenizers import Tokenizer

from bench.ingest.peers.contender import PASSAGE, TakeIn, Task, run

# Its own "sentence" fetches word lists from the network, as does its tokenizer, which is another model's besides.
SEPARATORS = ["\n\n", "\n", r"\. ", " "]


class ModelTokens:
    """In place of tiktoken's."""

    def __init__(self, task: Task) -> None:
        self.encode_ordinary = task.token_ids
        self._tokenizer: Any = Tokenizer.from_file(str(task.model / "tokenizer.json"))

    def decode(self, ids: Sequence[int]) -> str:
        return str(self._tokenizer.decode(list(ids)))


def open_framework(task: Task) -> TakeIn:
    embedder = SentenceTransformersDocumentEmbedder(model=str(task.model), prefix=PASSAGE, progress_bar=False)
    embedder.warm_up()

    def take_in(files: Sequence[Path]) -> list[str]:
        splitter = RecursiveDocumentSplitter(
            split_length=task.chunk, split_overlap=task.overlap, split_unit="token", separators=SEPARATORS
        )
        splitter.tiktoken_tokenizer = ModelTokens(task)
        splitter._is_warmed_up = True
        store = InMemoryDocumentStore(embedding_similarity_function="cosine")
        documents = TextFileToDocument().run(sources=list(files))["documents"]
        chunks = splitter.run(documents)["documents"]
        embedded = embedder.run(chunks)["documents"]
        DocumentWriter(store).run(embedded)
        return [str(each.content) for each in store.filter_documents()]

    return take_in


if __name__ == "__main__":
    run(open_framework, "haystack-ai", "sentence-transformers-haystack", "sentence-transformers", "torch")
