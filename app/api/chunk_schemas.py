"""Bodies of chunks, with where each is in its document and what it stands under."""

from __future__ import annotations

from typing import Annotated, Any, Protocol

from pydantic import BaseModel, Field


class SpanOut(BaseModel):
    """Unicode code points."""

    start: int
    end: int


class InPages(Protocol):
    @property
    def page(self) -> int | None: ...

    @property
    def last_page(self) -> int | None: ...


def pages_of(chunk: InPages) -> list[int] | None:
    return None if chunk.page is None else [chunk.page, chunk.last_page or chunk.page]


def header_out(header: tuple[int, int] | None) -> SpanOut | None:
    return SpanOut(start=header[0], end=header[1]) if header else None


Pages = Annotated[list[int] | None, Field(description="The first and the last page; `page` is the first")]
Headings = Annotated[list[str], Field(description="What it stands under: the document's title and the headings")]
Header = Annotated[SpanOut | None, Field(description="The header of its table, which it repeats before its rows")]


class ChunkOut(BaseModel):
    """`text` is the document's text[span] or, where it begins among the rows of a table, text[header] + text[span]."""

    chunk_id: str
    ord: int
    page: int | None
    pages: Pages
    headings: Headings
    text: str
    tokens: int
    span: SpanOut
    header: Header


class ContextOut(BaseModel):
    """`text` is the document's text[span] or, where it begins among the rows of a table, text[header] + text[span]."""

    chunk_id: str
    document_id: str
    source: str | None
    title: str | None
    page: int | None
    pages: Pages
    headings: Headings
    text: str
    score: float
    rank: int
    metadata: dict[str, Any]
    span: SpanOut
    header: Header
    rerank_score: Annotated[float | None, Field(description="The reranker's, of those that it has ranked")] = None
    neighbour_of: Annotated[
        str | None, Field(description="The hit that it stands beside, where it is none itself; `score` is that hit's")
    ] = None
