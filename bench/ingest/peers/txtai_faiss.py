"""txtai: Segmentation by chonkie's sentences, Embeddings (torch) with content, FAISS."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer
from txtai import Embeddings
from txtai.pipeline import Segmentation

from bench.ingest.peers.contender import PASSAGE, QUERY, TakeIn, Task, run


def open_framework(task: Task) -> TakeIn:
    tokenizer = Tokenizer.from_file(str(task.model / "tokenizer.json"))
    segmentation = Segmentation(
        chunker="sentence", tokenizer=tokenizer, chunk_size=task.chunk, chunk_overlap=task.overlap
    )
    embeddings = Embeddings(
        path=str(task.model), content=True, gpu=False, instructions={"query": QUERY, "data": PASSAGE}
    )

    def take_in(files: Sequence[Path]) -> list[str]:
        texts = [chunk for file in files for chunk in segmentation(file.read_text("utf-8"))]
        embeddings.index(texts)
        assert embeddings.count() == len(texts)
        return texts

    return take_in


if __name__ == "__main__":
    run(open_framework, "txtai", "chonkie", "transformers", "torch")
