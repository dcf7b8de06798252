"""LlamaIndex: SimpleDirectoryReader, SentenceSplitter, HuggingFaceEmbedding (torch), FaissVectorStore."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import faiss
from llama_index.core import SimpleDirectoryReader, StorageContext, VectorStoreIndex
from llama_index.core.node_parser import SentenceSplitter
from llama_index.embeddings.huggingface import HuggingFaceEmbedding
from llama_index.vector_stores.faiss import FaissVectorStore

from bench.ingest.peers.contender import PASSAGE, QUERY, TakeIn, Task, run

DIMENSION = 384


def open_framework(task: Task) -> TakeIn:
    splitter = SentenceSplitter(chunk_size=task.chunk, chunk_overlap=task.overlap, tokenizer=task.token_ids)
    model = HuggingFaceEmbedding(str(task.model), query_instruction=QUERY, text_instruction=PASSAGE)

    def take_in(files: Sequence[Path]) -> list[str]:
        documents = SimpleDirectoryReader(input_files=files).load_data()
        nodes = splitter.get_nodes_from_documents(documents)
        store = FaissVectorStore(faiss_index=faiss.IndexFlatIP(DIMENSION))
        storage = StorageContext.from_defaults(vector_store=store)
        index = VectorStoreIndex(nodes, storage_context=storage, embed_model=model)
        assert len(index.docstore.docs) == len(nodes)
        return [node.get_content() for node in nodes]

    return take_in


if __name__ == "__main__":
    run(
        open_framework,
        "llama-index-core", "llama-index-embeddings-huggingface", "llama-index-vector-stores-faiss", "torch",
    )  # fmt: skip
