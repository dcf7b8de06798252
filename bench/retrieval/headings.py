"""Compare dense searches with and without headings in the embedded text.

Command: python -m bench.retrieval.headings DATA MODELS [PARAGRAPHS]

DATA holds the evaluation data, of each language of which so many paragraphs are taken, or all. Eight articles make a
document, with their titles as its headings; a chunk counts as the paragraph that most of it is of. Neither a database
nor a service runs.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from app.embedding.e5 import E5Encoder
from app.embedding.encoder import Vectors
from app.embedding.packaged.folder import packaged_folder
from app.evaluation.metrics import MEASURES, Values, bootstrap, measure
from app.language.headings import heading_path
from ingest.loading.load import Loaded
from ingest.loading.parsed import Page
from ingest.split import Chunk, split_text

ARTICLES = 8
BATCH = 64

Paragraph = tuple[int, int, str]
"""Where it is in its document, and its id."""


def main(data: Path, models: Path, paragraphs: int | None) -> None:
    encoder = E5Encoder(packaged_folder(models), threads=2)
    for language in ("en", "ko"):
        corpus, queries = (_rows(data / language / name) for name in ("corpus.jsonl", "queries.jsonl"))
        corpus = corpus[:paragraphs]
        known = {row["doc_id"] for row in corpus}
        queries = [query for query in queries if known.issuperset(query["gold_doc_ids"])]
        gold = [query["gold_doc_ids"] for query in queries]
        asked = _vectors(encoder, [query["text"] for query in queries], "query")
        found = [each for text, there in _documents(corpus) for each in _chunks(encoder, text, there)]
        texts = {
            "without": [chunk.text for chunk, _ in found],
            "with": ["\n".join([*heading_path(None, chunk.headings), chunk.text]) for chunk, _ in found],
        }
        values = {name: _values(encoder, embedded, found, asked, gold) for name, embedded in texts.items()}
        values["with - without"] = values["with"] - values["without"]
        for name, rows in values.items():
            low, high = bootstrap(rows)
            figures = zip(MEASURES, rows.mean(axis=0), low, high, strict=True)
            cells = (f"{of} {mean:.3f} [{a:.3f}, {b:.3f}]" for of, mean, a, b in figures)
            print(language, name, len(found), len(queries), *cells, flush=True)


def _values(
    encoder: E5Encoder,
    embedded: Sequence[str],
    found: Sequence[tuple[Chunk, str]],
    asked: Vectors,
    gold: Sequence[Sequence[str]],
) -> Values:
    scores = asked @ _vectors(encoder, embedded, "passage").T
    rankings = [[found[at][1] for at in np.argsort(-row)] for row in scores]
    return np.array(
        [
            list(measure(list(dict.fromkeys(ranking)), right).values())
            for ranking, right in zip(rankings, gold, strict=True)
        ]
    )


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _documents(corpus: Sequence[dict[str, Any]]) -> Iterator[tuple[str, list[Paragraph]]]:
    """Yield each document's text and its paragraphs."""
    articles = [(title, list(rows)) for title, rows in groupby(corpus, key=lambda row: row["title"])]
    for first in range(0, len(articles), ARTICLES):
        text, there = "", list[Paragraph]()
        for title, rows in articles[first : first + ARTICLES]:
            text += f"# {title}\n\n" if title else ""
            for row in rows:
                there.append((len(text), len(text) + len(row["text"]), row["doc_id"]))
                text += f"{row['text']}\n\n"
        yield text, there


def _chunks(encoder: E5Encoder, text: str, there: Sequence[Paragraph]) -> Iterator[tuple[Chunk, str]]:
    loaded = Loaded("text/markdown", None, [Page(None, text)])
    for chunk in split_text(loaded, count_tokens=encoder.count_tokens, max_tokens=400, overlap_tokens=60):
        shares = [(min(stop, chunk.stop) - max(start, chunk.start), id_) for start, stop, id_ in there]
        yield chunk, max(shares)[1]


def _vectors(encoder: E5Encoder, texts: Sequence[str], kind: Any) -> Vectors:
    parts = [encoder.encode(texts[first : first + BATCH], kind) for first in range(0, len(texts), BATCH)]
    return np.concatenate(parts)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else None)
