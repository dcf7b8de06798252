"""Documents of several pages, made of real paragraphs, in as many languages as there are sources, by turns."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

from app.embedding import Encoder

# What a chunk of at most 400 tokens adds, after its overlap and the end of its last sentence.
TOKENS_A_CHUNK = 330
CHUNKS_A_DOCUMENT = (10, 50)

Counted = list[tuple[str, int]]


def read(sources: Sequence[Path], encoder: Encoder) -> list[Counted]:
    """Of each source its paragraphs, with their tokens. A source is a .jsonl with `text` or a folder of texts."""
    found = []
    for source in sources:
        texts = [text for text in _paragraphs(source) if text.strip()]
        if not texts:
            raise SystemExit(
                f"{source} holds no text: name .jsonl files with a field 'text', or folders of .txt or .md."
            )
        found.append(list(zip(texts, encoder.count_tokens(texts), strict=True)))
    return found


def _paragraphs(source: Path) -> Iterator[str]:
    if source.is_dir():
        for file in sorted([*source.rglob("*.txt"), *source.rglob("*.md")]):
            yield from file.read_text("utf-8").split("\n\n")
        return
    for line in source.read_text("utf-8").splitlines():
        yield json.loads(line)["text"]


def write(folder: Path, sources: Sequence[Counted], chunks: int, seed: int) -> list[Path]:
    """About `chunks` chunks. The same for the same seed; for another one, other documents of the same paragraphs."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = Random(seed)
    streams = [_endless(source, rng) for source in sources]
    files, left = list[Path](), chunks
    while left > 0:
        size = min(left, rng.randint(*CHUNKS_A_DOCUMENT))
        file = folder / f"{seed}-{len(files):05}.txt"
        file.write_text(_document(streams[len(files) % len(streams)], size * TOKENS_A_CHUNK), "utf-8")
        files.append(file)
        left -= size
    return files


def _endless(source: Counted, rng: Random) -> Iterator[tuple[str, int]]:
    while True:
        yield from rng.sample(source, len(source))


def _document(paragraphs: Iterator[tuple[str, int]], tokens: int) -> str:
    taken: list[str] = []
    for text, count in paragraphs:
        taken.append(text)
        tokens -= count
        if tokens <= 0:
            break
    return "\n\n".join(taken)
