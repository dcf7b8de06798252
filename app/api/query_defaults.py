"""What a collection says for the fields that a question in it leaves out."""

from __future__ import annotations

from typing import TypeVar

from app.api.query_schemas import QueryBody, SearchBody
from app.services import Services
from app.storage import collections
from app.storage.tenants import Tenant

Asking = TypeVar("Asking", SearchBody, QueryBody)


async def with_defaults(services: Services, tenant: Tenant, body: Asking) -> Asking:
    """Return the body with its collection's defaults. Raises InvalidInput for a collection that is not there."""
    if body.collection is None:
        return body
    defaults = await collections.get_defaults(services.database, tenant.number, body.collection)
    left_out = type(body).model_fields.keys() - body.model_fields_set
    return body.model_copy(update={name: value for name, value in defaults.items() if name in left_out})
