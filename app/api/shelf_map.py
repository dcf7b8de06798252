"""The map of the shelf: where the chunks' vectors lie in two dimensions."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from app.api.chunk_schemas import SpanOut
from app.api.deps import KeyFirst, ReadTenant, SearchingTenant, ServicesDep
from app.api.schemas import Body, CollectionId, Input
from app.language.unicode import CLEAN_LINE
from app.retrieval.search import SearchOptions
from app.storage import map_axes
from app.storage.filter_json import in_collection
from app.timings import StepTimer

router = APIRouter(route_class=KeyFirst, prefix="/map", tags=["Operations"])

MAX_NEAREST = 20
Status = Literal["ready", "computing", "empty"]
Name = Annotated[str, CLEAN_LINE, Query(max_length=600)]


class PointsOut(BaseModel):
    """A list for each column: `document` is a `number` of `documents`, `start` and `end` the span in its text."""

    chunk: list[str] = []
    document: list[int] = []
    x: list[float] = []
    y: list[float] = []
    start: list[int | None] = []
    end: list[int | None] = []


class MappedDocumentOut(BaseModel):
    number: int
    id: str
    title: str | None
    collection: str
    value: Annotated[str | None, Field(description="Of the metadata that was asked for")]


class MapOut(BaseModel):
    """`computing`: a worker makes the axes, ask again. `sampled`: there are more chunks than are shown."""

    status: Status
    chunks: int
    sampled: bool = False
    points: PointsOut = PointsOut()
    documents: list[MappedDocumentOut] = []


class PlaceBody(Body):
    input: Input
    top_k: Annotated[int, Field(ge=1, le=MAX_NEAREST)] = 5


class NearestOut(BaseModel):
    chunk_id: str
    document_id: str
    title: str | None
    page: int | None
    text: str
    score: float
    span: SpanOut
    x: float | None
    y: float | None


class PlaceOut(BaseModel):
    status: Status
    x: float | None = None
    y: float | None = None
    nearest: list[NearestOut]


@router.get("", responses={200: {"model": MapOut}})
async def get_map(
    tenant: ReadTenant,
    services: ServicesDep,
    collection: CollectionId | None = None,
    metadata: Name | None = None,
) -> Response:
    """Show the chunks in two dimensions, those in which their vectors differ most: at most 50,000 of them, with their
    documents' titles, collections and one value of their `metadata`. A worker makes the axes at the first request, and
    again when a tenth of the chunks have changed."""
    space = services.spaces.current.number
    axes, chunks = await map_axes.read_axes(services.database, tenant.number, space)
    if axes is None:
        return _json({"status": "computing" if chunks else "empty", "chunks": chunks})
    where = in_collection([collection]) if collection is not None else None
    async with services.database.snapshot(tenant.number) as snapshot:
        drawn = await map_axes.draw(snapshot, tenant.number, axes, where, metadata)
    told = json.dumps({"status": "ready", "chunks": drawn.chunks, "sampled": drawn.chunks > map_axes.MAX_POINTS})
    written = f'{told[:-1]}, "points": {drawn.points}, "documents": {drawn.documents}}}'
    return Response(await asyncio.to_thread(written.encode), media_type="application/json")


def _json(answer: dict[str, object]) -> Response:
    return Response(MapOut.model_validate(answer).model_dump_json(), media_type="application/json")


@router.post("/place")
async def place(body: PlaceBody, tenant: SearchingTenant, services: ServicesDep) -> PlaceOut:
    """Place a question on the map among its nearest chunks by meaning."""
    space = services.spaces.current
    options = SearchOptions(top_k=body.top_k, mode="dense", copies=False, rerank=False)
    found = await services.retriever.search(tenant.number, body.input, options, StepTimer())
    axes, chunks = await map_axes.read_axes(services.database, tenant.number, space.number)
    at: dict[str, tuple[float, float]] = {}
    x = y = None
    if axes is not None:
        vector = (await space.embedder.embed([body.input], "query", tenant.number))[0]
        x, y = axes.place(vector)
        async with services.database.snapshot(tenant.number) as snapshot:
            at = await map_axes.places(snapshot, tenant.number, axes, [each.chunk_id for each in found.matches])
    nearest = [
        NearestOut(
            chunk_id=each.chunk_id,
            document_id=each.document_id,
            title=each.title,
            page=each.page,
            text=each.text,
            score=each.score,
            span=SpanOut(start=each.start, end=each.stop),
            x=at.get(each.chunk_id, (None, None))[0],
            y=at.get(each.chunk_id, (None, None))[1],
        )
        for each in found.matches
    ]
    return PlaceOut(status="ready" if axes else "computing" if chunks else "empty", x=x, y=y, nearest=nearest)
