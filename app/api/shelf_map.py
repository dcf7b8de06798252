"""The map of the shelf: where the chunks' vectors lie in two dimensions."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import statistics
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from app.api.chunk_schemas import SpanOut
from app.api.deps import KeyFirst, ReadTenant, SearchingTenant, ServicesDep
from app.api.schemas import Body, CollectionId, Input
from app.errors import Conflict, MissingExtra
from app.language.unicode import CLEAN_LINE
from app.retrieval.search import SearchOptions
from app.services import Services
from app.storage import shelf_map
from app.storage.filter_json import in_collection
from app.storage.map_axes import Axes
from app.storage.map_chunks import MAX_POINTS
from app.storage.shelf_map import Placing, Projection
from app.storage.tenants import Tenant
from app.timings import StepTimer

router = APIRouter(route_class=KeyFirst, prefix="/map", tags=["Operations"])

MAX_NEAREST = 20
# Amid how many of its nearest a question is placed.
PLACED_AMID = 10
PROJECTIONS: list[Projection] = ["pca", "neighbours"] if importlib.util.find_spec("sklearn") else ["pca"]
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
    """`computing`: a worker makes it, ask again. `sampled`: there are more chunks than are shown."""

    status: Status
    projection: Projection = "pca"
    chunks: int
    projections: Annotated[list[Projection], Field(description="Which this service can make")] = PROJECTIONS
    sampled: bool = False
    points: PointsOut = PointsOut()
    documents: list[MappedDocumentOut] = []


class PlaceBody(Body):
    input: Input
    top_k: Annotated[int, Field(ge=1, le=MAX_NEAREST)] = 5
    projection: Projection = "pca"


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
    projection: Projection = "pca",
) -> Response:
    """Show the chunks in two dimensions: at most 50,000 of them, with their documents' titles, collections and one
    value of their `metadata`. `pca`: those in which their vectors differ most. `neighbours`: each near those that are
    alike (t-SNE; needs the extra `map`). A worker makes either at the first request, and again when a tenth of the
    chunks have changed."""
    placing, chunks = await _read(services, tenant, projection)
    if placing is None:
        waits = MapOut(status="computing" if chunks else "empty", projection=projection, chunks=chunks)
        return Response(waits.model_dump_json(), media_type="application/json")
    where = in_collection([collection]) if collection is not None else None
    async with services.database.snapshot(tenant.number) as snapshot:
        drawn = await shelf_map.draw(snapshot, tenant.number, placing, where, metadata)
    head = {"status": "ready", "projection": projection, "chunks": drawn.chunks, "projections": PROJECTIONS}
    told = json.dumps({**head, "sampled": drawn.chunks > MAX_POINTS})
    written = f'{told[:-1]}, "points": {drawn.points}, "documents": {drawn.documents}}}'
    return Response(await asyncio.to_thread(written.encode), media_type="application/json")


@router.post("/place")
async def place(body: PlaceBody, tenant: SearchingTenant, services: ServicesDep) -> PlaceOut:
    """Place a question on the map among its nearest chunks by meaning."""
    placing, chunks = await _read(services, tenant, body.projection)
    options = SearchOptions(top_k=max(body.top_k, PLACED_AMID), mode="dense", copies=False, rerank=False)
    found = await services.retriever.search(tenant.number, body.input, options, StepTimer())
    at: dict[str, tuple[float, float]] = {}
    if placing is not None:
        async with services.database.snapshot(tenant.number) as snapshot:
            at = await shelf_map.places(snapshot, tenant.number, placing, [each.chunk_id for each in found.matches])
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
        for each in found.matches[: body.top_k]
    ]
    x: float | None
    y: float | None
    if isinstance(placing, Axes):
        vector = (await services.spaces.current.embedder.embed([body.input], "query", tenant.number))[0]
        x, y = placing.place(vector)
    else:
        x, y = _amid(list(at.values()))
    status: Status = "ready" if placing else "computing" if chunks else "empty"
    return PlaceOut(status=status, x=x, y=y, nearest=nearest)


def _amid(places: list[tuple[float, float]]) -> tuple[float | None, float | None]:
    """Return the median, which no far one draws away."""
    if not places:
        return None, None
    return statistics.median(x for x, _ in places), statistics.median(y for _, y in places)


async def _read(services: Services, tenant: Tenant, projection: Projection) -> tuple[Placing | None, int]:
    if projection not in PROJECTIONS:
        raise Conflict(MissingExtra("projection=neighbours", "map").detail)
    return await shelf_map.read_placing(services.database, tenant.number, services.spaces.current.number, projection)
