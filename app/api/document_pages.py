"""Show a page of a document as it looks, and where a part of its text stands on it."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field

from app.api.deps import ReadTenant, ServicesDep
from app.api.documents import IdInPath
from app.api.original_files import SAFE
from app.api.raw_path import RawPathRoute
from app.errors import InvalidInput
from app.pages.drawing import PageDrawer
from app.pages.first_reading import FirstReading
from app.pages.rectangles import Rectangle, joined
from app.storage import documents
from app.storage.blobs import Blob
from app.storage.page_parts import PagePart, page_part

router = APIRouter(route_class=RawPathRoute, prefix="/documents", tags=["Documents"])

MAX_PAGE = 1_000_000
# What a column of integers in PostgreSQL holds.
MAX_PLACE = 2**31 - 1

PageInPath = Annotated[int, Path(ge=1, le=MAX_PAGE, description="The page's number, the first of which is 1")]
Place = Annotated[int, Query(ge=0, le=MAX_PLACE)]
WhyNone = Literal["no_places", "nothing_there", "other_characters"]


class BoxOut(BaseModel):
    """In points of the page, the origin at its top left."""

    x: float
    y: float
    width: float
    height: float


class BoxesOut(BaseModel):
    """`width` and `height` are the page's. Without boxes `reason` says why."""

    width: float
    height: float
    boxes: list[BoxOut]
    reason: WhyNone | None = Field(
        None,
        description="`no_places`: it was not kept where the page's text stands; `nothing_there`: the page has nothing "
        "of the part; `other_characters`: the file has others there",
    )


@router.get(
    "/{id:path}/pages/{n}.png", response_class=Response, responses={200: {"content": {"image/png": {}}}, 304: {}}
)
async def draw_page(
    request: Request,
    tenant: ReadTenant,
    id: IdInPath,
    n: PageInPath,
    services: ServicesDep,
    dpi: Annotated[int, Query(ge=36, le=300, description="Pixels in an inch; large pages are drawn coarser")] = 144,
) -> Response:
    """Draw a page of a PDF or a picture, as a PNG."""
    original = await documents.get_original(services.database, tenant.number, id)
    headers = {**SAFE, "ETag": f'"{original.sha256}-{n}-{dpi}"'}
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    blob = Blob(original.blob, original.size, bytes.fromhex(original.sha256))
    drawn = await _drawer(request).draw(tenant.number, services.blobs, blob, original.media_type, n, dpi)
    return Response(drawn, media_type="image/png", headers=headers)


@router.get("/{id:path}/pages/{n}/boxes", response_model_exclude_none=True)
async def find_boxes(
    request: Request, tenant: ReadTenant, id: IdInPath, n: PageInPath, services: ServicesDep, start: Place, end: Place
) -> BoxesOut:
    """Find where text[start:end] of a document stands on a page: a box for each line of it, or for each cell. Words of
    scans are whole."""
    if end <= start:
        raise InvalidInput(
            "'end' is the first code point behind the part, so it is greater than 'start'.", pointer="/end"
        )
    part = await page_part(services.database, tenant.number, id, n, start, end)
    # What OCR has read stands in no character of the file.
    kept = part.characters or [] if part.words is None else []
    sought = FirstReading(part.chunks, start, end) if part.chunks else kept
    page = await _drawer(request).find(tenant.number, services.blobs, part.blob, part.media_type, n, sought)
    found = page.rectangles if part.words is None else joined(_of_words(part))
    return BoxesOut(
        width=round(page.width, 2),
        height=round(page.height, 2),
        boxes=[_shown(box) for box in found or []],
        reason=None if found else _why_none(part, page.rectangles),
    )


def _drawer(request: Request) -> PageDrawer:
    drawer: PageDrawer = request.app.state.page_drawer
    return drawer


def _of_words(part: PagePart) -> list[Rectangle]:
    return [Rectangle(word.left, word.top, word.width, word.height) for word in part.words or []]


def _shown(box: Rectangle) -> BoxOut:
    return BoxOut(**{name: round(value, 2) for name, value in box._asdict().items()})


def _why_none(part: PagePart, found: list[Rectangle] | None) -> WhyNone:
    kept = part.characters is not None or part.words is not None
    if found is None:
        return "other_characters" if kept else "no_places"
    return "nothing_there" if kept or part.chunks else "no_places"
