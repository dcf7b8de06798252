from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import AfterValidator, BaseModel, StringConstraints

from app.api.audit import Reader
from app.api.deps import KeyFirst, PageDep, ServicesDep, page_of
from app.api.schemas import Page
from app.errors import InvalidInput
from app.services import Services
from app.storage import usage_report
from app.storage.tenancy import TenantNumber
from app.storage.usage import COUNTS
from app.storage.usage_report import GROUPS, Group, Line, Period

router = APIRouter(route_class=KeyFirst, tags=["Operations"])

USUAL_DAYS, MAX_DAYS = 30, 366
MAX_CSV_LINES = 100_000
CSV = "text/csv"


def _day(text: str) -> str:
    if not 2000 <= date.fromisoformat(text).year < 9000:
        raise ValueError("must be a day of the years 2000 to 8999")
    return text


def _groups(text: str) -> str:
    names = text.split(",")
    if not set(names) <= set(GROUPS) or len(set(names)) < len(names):
        raise ValueError(f"names some of {', '.join(GROUPS)}, each once, with commas between")
    return text


Day = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\d$"), AfterValidator(_day)]
GroupBy = Annotated[
    Annotated[str, AfterValidator(_groups)],
    Query(max_length=100, description="What is told apart: some of day, key, adapter; for the operator also tenant"),
]


class UsageOut(BaseModel):
    """What was used. `key` and `adapter` are empty where there was none, `tenant` for the service itself; a deleted
    tenant is `#` and a number. `documents` and `bytes` were stored, each version of a document."""

    day: date | None = None
    tenant: str | None = None
    key: str | None = None
    adapter: str | None = None
    requests: int
    engine_calls: int
    prompt_tokens: int
    completion_tokens: int
    embedded_tokens: int
    ocr_pages: int
    training_seconds: int
    documents: int
    bytes: int


class UnsettledOut(BaseModel):
    """Calls of engines that are under way, or whose process was killed, and what they take at most."""

    engine_calls: int
    prompt_tokens: int
    completion_tokens: int


class UsagePage(Page[UsageOut]):
    unsettled: UnsettledOut


@router.get(
    "/usage", response_model=UsagePage, response_model_exclude_unset=True, responses={200: {"content": {CSV: {}}}}
)
async def get_usage(
    request: Request,
    reader: Reader,
    services: ServicesDep,
    page: PageDep,
    since: Annotated[Day | None, Query(alias="from", description="The first day (UTC), 30 days ago by default")] = None,
    until: Annotated[Day | None, Query(alias="to", description="The day after the last, tomorrow by default")] = None,
    group_by: GroupBy = "day",
) -> Any:
    """Add up what was used: requests, tokens, pages read by OCR, training seconds, what was stored. With
    `Accept: text/csv` as CSV. The operator's key shows all tenants' and the service's own."""
    period, tenant = _period(since, until), reader.number if reader else None
    groups: list[Group] = [name for name in GROUPS if name in group_by.split(",")]
    if reader is not None and "tenant" in groups:
        raise InvalidInput("The operator's key alone tells tenants apart.", pointer="/group_by")
    await services.meter.flush()
    if CSV in request.headers.get("accept", ""):
        return Response(await _csv(services, tenant, period, groups), media_type=CSV)
    after = page.after(*[str] * len(groups))
    found = await usage_report.lines(
        services.database, tenant, period, groups, limit=page.limit + 1, after=after
    )  # fmt: skip
    shown = page_of(found, page.limit, lambda line: list(line.group.values()))
    open_ = await usage_report.unsettled(services.database, tenant, period)
    return {**shown, "data": [line.group | asdict(line.used) for line in shown["data"]], "unsettled": asdict(open_)}


def _period(since: str | None, until: str | None) -> Period:
    end = date.fromisoformat(until) if until else datetime.now(UTC).date() + timedelta(days=1)
    begin = date.fromisoformat(since) if since else end - timedelta(days=USUAL_DAYS)
    if not 0 < (end - begin).days <= MAX_DAYS:
        raise InvalidInput(f"Ask for 1 to {MAX_DAYS} days: 'to' is the day after the last.", pointer="/from")
    return Period(begin, end)


async def _csv(services: Services, tenant: TenantNumber | None, period: Period, groups: Sequence[Group]) -> str:
    found = await usage_report.lines(services.database, tenant, period, groups, limit=MAX_CSV_LINES + 1)
    if len(found) > MAX_CSV_LINES:
        raise InvalidInput(f"These are more than {MAX_CSV_LINES} lines: ask for fewer days.", pointer="/from")
    return await asyncio.to_thread(_written, found, groups)


def _written(lines: Sequence[Line], groups: Sequence[Group]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([*groups, *COUNTS])
    writer.writerows([*line.group.values(), *asdict(line.used).values()] for line in lines)
    return text.getvalue()
