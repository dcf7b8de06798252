"""LangChain: DirectoryLoader, RecursiveCharacterTextSplitter, HuggingFaceEmbeddings (torch), FAISS."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from langchain_community.document_loaders import TextLoader
from langchain_community.vectorstores import FAISS
from langchain_core.embeddings import Embeddings
from langchain_huggingface import HuggingFaceEmbeddings
from langchain_text_splitters import RecursiveCharacterTextSplitter

from bench.ingest.peers.contender import PASSAGE, QUERY, TakeIn, Task, run


def with_torch(task: Task) -> TakeIn:
    embeddings = HuggingFaceEmbeddings(
        model_name=str(task.model),
        encode_kwargs={"prompt": PASSAGE},
        query_encode_kwargs={"prompt": QUERY},
    )
    return with_embeddings(task, embeddings)


def with_embeddings(task: Task, embeddings: Embeddings) -> TakeIn:
    splitter = RecursiveCharacterTextSplitter(
        chunk_size=task.chunk, chunk_overlap=task.overlap, length_function=lambda text: len(task.token_ids(text))
    )

    def take_in(files: Sequence[Path]) -> list[str]:
        loaded = [document for file in files for document in TextLoader(file, encoding="utf-8").load()]
        chunks = splitter.split_documents(loaded)
        store = FAISS.from_documents(chunks, embeddings)
        assert store.index.ntotal == len(chunks)
        return [chunk.page_content for chunk in chunks]

    return take_in


if __name__ == "__main__":
    run(with_torch, "langchain-core", "langchain-community", "langchain-huggingface", "sentence-transformers", "torch")
