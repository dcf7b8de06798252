"""The splitter of langchain-text-splitters, for those who want its separators: KYUJANG_SPLITTER=langchain.

Neither its `start_index` nor its overlap is used. It subtracts the overlap, in tokens here, from a position in
characters, and was wrong for 56 of 281 chunks. Without an overlap its chunks follow one another, so that each is found
exactly where the one before ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.errors import DocumentError, MissingExtra, NotConfigured
from ingest.blocks import Structure
from ingest.loading.load import Loaded
from ingest.packing import CountTokens
from ingest.split import Chunk

if TYPE_CHECKING:
    from langchain_text_splitters import RecursiveCharacterTextSplitter

# Paragraphs, lines, the ends of English and Korean sentences, words, characters.
SEPARATORS = [r"\n{2,}", r"\n", r"(?<=[.!?。])\s+", r"\s+", ""]


def split_text(loaded: Loaded, *, count_tokens: CountTokens, max_tokens: int) -> list[Chunk]:
    """Return chunks that have at most `max_tokens` by `count_tokens`; none crosses a page, and none overlap.

    Raises NotConfigured without the library or if chunks leave no room for text, and DocumentError for a chunk that is
    not in the text at its place.
    """
    splitter = _splitter(count_tokens, max_tokens)
    text, structure, chunks = loaded.text, Structure(loaded), list[Chunk]()
    for page, at in zip(loaded.pages, loaded.page_starts(), strict=True):
        for content in splitter.split_text(page.text):
            start = _first_letter(text, at)
            at = start + len(content)
            if text[start:at] != content:
                raise DocumentError("internal", "The LangChain splitter made a chunk that is not in the document.")
            tokens = count_tokens([content])[0]
            if tokens > max_tokens:
                raise NotConfigured(f"Chunks of {max_tokens} tokens leave no room for text (KYUJANG_CHUNK_TOKENS).")
            headings = structure.outline.under(start, at)
            chunks.append(Chunk(len(chunks), start, at, content, tokens, structure.pages(start, at), headings))
    return chunks


def _first_letter(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def import_library() -> type[RecursiveCharacterTextSplitter]:
    """Return the library's splitter. Raises NotConfigured where the extra is not installed."""
    try:
        from langchain_text_splitters import RecursiveCharacterTextSplitter
    except ModuleNotFoundError:
        raise MissingExtra("KYUJANG_SPLITTER=langchain", "langchain") from None
    return RecursiveCharacterTextSplitter


def _splitter(count_tokens: CountTokens, max_tokens: int) -> RecursiveCharacterTextSplitter:
    return import_library()(
        chunk_size=max_tokens,
        chunk_overlap=0,
        length_function=lambda text: count_tokens([text])[0],
        separators=SEPARATORS,
        is_separator_regex=True,
        keep_separator="end",
    )
