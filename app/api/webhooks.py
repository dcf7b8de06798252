"""Webhooks: where a tenant is told of what happens."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from app.api.async_work import IdempotencyKey, idempotency
from app.api.deps import IngestTenant, KeyFirst, PageDep, ServicesDep, page_of
from app.api.schemas import Body, Page
from app.language.unicode import CLEAN_LINE, clean_line
from app.storage import webhooks
from app.storage.webhooks import EVENTS, Event, Status, WebhooksOff
from app.webhooks import MAX_URL, webhook_url

router = APIRouter(route_class=KeyFirst, prefix="/webhooks", tags=["Webhooks"])

IdInPath = Annotated[str, AfterValidator(clean_line), Path(alias="id", max_length=100)]


def _each_once(events: list[Event]) -> list[Event]:
    if len(set(events)) < len(events):
        raise ValueError("names an event twice")
    return events


class WebhookBody(Body):
    """`events` without names is all of them."""

    url: Annotated[str, StringConstraints(min_length=1, max_length=MAX_URL), CLEAN_LINE]
    events: Annotated[list[Event], Field(min_length=1), AfterValidator(_each_once)] = Field(
        default_factory=lambda: list(EVENTS)
    )


class NewWebhookOut(BaseModel):
    """`secret` signs what is delivered and is shown here alone."""

    id: str
    url: str
    events: list[Event]
    secret: str
    created_at: datetime


class DeliveryOut(BaseModel):
    """`id` is the header `webhook-id`. `last_status` is of the last answer; without one `last_error` says why."""

    id: str
    event: Event
    created_at: datetime
    status: Status
    attempts: int
    next_at: datetime | None
    last_at: datetime | None
    last_status: int | None
    last_error: str | None


class DeliveriesOut(BaseModel):
    """How many of the last 7 days' there are, and which was tried last."""

    waiting: int
    delivered: int
    given_up: int
    last: DeliveryOut | None


class WebhookOut(BaseModel):
    id: str
    url: str
    events: list[Event]
    created_at: datetime
    deliveries: DeliveriesOut


@router.post("", status_code=201)
async def create_webhook(
    body: WebhookBody,
    tenant: IngestTenant,
    services: ServicesDep,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> NewWebhookOut:
    """Create a webhook: an address that is told when a job has ended, a document has failed, or a limit is reached.
    409 `webhooks_off` where the operator names no hosts for it. The secret is shown once."""
    hosts = services.settings.allowed_webhook_hosts
    if not hosts:
        raise WebhooksOff
    request = idempotency(idempotency_key, "POST /webhooks", [body.model_dump(mode="json")])
    url = webhook_url(body.url, hosts)
    id, secret, created_at, new = await webhooks.create_webhook(
        services.database, tenant.number, url, body.events, request
    )
    if not new:
        response.headers["Idempotency-Replayed"] = "true"
    return NewWebhookOut(id=id, url=url, events=body.events, secret=secret, created_at=created_at)


@router.get("", response_model=Page[WebhookOut])
async def list_webhooks(tenant: IngestTenant, services: ServicesDep, page: PageDep) -> dict[str, Any]:
    """List the webhooks, each with how its deliveries went."""
    after = page.after(str)
    rows = await webhooks.list_webhooks(
        services.database, tenant.number, limit=page.limit + 1, after=after[0] if after else None
    )
    shown = [
        WebhookOut(
            id=each.id,
            url=each.url,
            events=each.events,
            created_at=each.created_at,
            deliveries=DeliveriesOut.model_validate(each, from_attributes=True),
        )
        for each in rows
    ]
    return page_of(shown, page.limit, lambda row: [row.id])


@router.get("/{id}/deliveries", response_model=Page[DeliveryOut])
async def list_deliveries(webhook: IdInPath, tenant: IngestTenant, services: ServicesDep, page: PageDep) -> Any:
    """List what was and is to be delivered to a webhook, newest first, of the last 7 days."""
    after = page.after(int)
    rows = await webhooks.list_deliveries(
        services.database, tenant.number, webhook, limit=page.limit + 1, before=after[0] if after else None
    )
    shown = page_of(rows, page.limit, lambda row: [row.seq])
    return shown | {"data": [DeliveryOut.model_validate(each, from_attributes=True) for each in shown["data"]]}


@router.delete("/{id}", status_code=204)
async def delete_webhook(webhook: IdInPath, tenant: IngestTenant, services: ServicesDep) -> None:
    """Delete a webhook, and what waits to be delivered to it."""
    await webhooks.delete_webhook(services.database, tenant.number, webhook)
