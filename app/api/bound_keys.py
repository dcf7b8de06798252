"""What a key that is bound to a part of its tenant may not do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import Request

from app.errors import Forbidden
from app.storage.tenants import Tenant

# What such a key uses, but does not change.
OF_THE_TENANT = ("/prompts", "/adapters", "/tune", "/collections")
# Of documents inside the part.
OF_THE_PART = ("/collections/{id}/documents",)


def refuse_bound(request: Request, tenant: Tenant) -> None:
    """Raise Forbidden if a key that is bound to a part would change what belongs to the whole tenant."""
    path = getattr(request.scope.get("route"), "path", request.url.path)
    is_change = request.method in ("POST", "PUT", "PATCH", "DELETE") and not path.endswith("/evaluate")
    changes_tenant = is_change and path.startswith(OF_THE_TENANT) and path not in OF_THE_PART
    # Webhooks are told of all documents.
    is_of_tenant = changes_tenant or path.startswith("/webhooks")
    if tenant.is_bound and is_of_tenant:
        raise Forbidden("This key is bound to a part of its tenant, and this belongs to the whole.")
    if tenant.delegation is not None and tenant.delegation.groups is None and path.startswith("/audit"):
        raise Forbidden("This key acts for several, and the audit trail does not tell what it did for whom.")


async def refuse_bound_anew(find: Callable[[], Awaitable[Tenant]], before: Tenant) -> None:
    """Look the caller up again. Raise Forbidden if its key sees something else by now than when its request began."""
    now = await find()
    if (now.part, now.delegation) != (before.part, before.delegation):
        raise Forbidden("Which documents this key sees was changed meanwhile. Send the request again.")
