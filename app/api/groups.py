"""The header Kyujang-Groups, by which a key with the scope `delegate` says for whom it asks."""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import unquote_to_bytes

from fastapi import Request
from starlette.datastructures import Headers

from app.errors import Forbidden, InvalidInput
from app.services import Services
from app.storage.groups import as_group, parts_of_groups, refuse_too_many
from app.storage.tenancy import groups, part
from app.storage.tenants import DELEGATE, Tenant

HEADER = "Kyujang-Groups"
BROKEN = re.compile(r"%(?![0-9A-Fa-f]{2})")
WRITES = ("/ingest", "/documents")


def groups_asked_for(headers: Headers, tenant: Tenant) -> tuple[str, ...]:
    """Return the groups that a request acts for. Raises InvalidInput, or Forbidden if it may not name any, or has to
    and does not."""
    sent = headers.getlist(HEADER)
    if tenant.delegation is None or tenant.delegation.groups is not None:
        if sent:
            # Passed over, the header would seem to narrow what it does not.
            raise Forbidden(f"{HEADER} is for keys with the scope {DELEGATE!r}, and this is none.")
        return tenant.delegation.groups or () if tenant.delegation else ()
    if not sent:
        raise Forbidden(f"This key acts for groups: name them in the header {HEADER}, with commas between.")
    return _names(sent)


async def acting_for_groups(request: Request, services: Services, tenant: Tenant) -> Tenant:
    """Return the caller with what the groups see that it asked for, which its transactions see from now on. Raises
    Conflict for too many."""
    if tenant.delegation is None or tenant.parts_of_groups is not None:
        return tenant
    names: tuple[str, ...] = request.state.groups
    path = getattr(request.scope.get("route"), "path", request.url.path)
    writes = "ingest" in tenant.scopes and request.method in ("POST", "PATCH") and path.startswith(WRITES)
    found = await parts_of_groups(services.database, tenant.number, tenant.delegation, names, writes=writes)
    known = replace(tenant, parts_of_groups=found)
    part.set(known.sees)
    groups.set(names)
    return known


def _names(sent: list[str]) -> tuple[str, ...]:
    """Return the names, each once. Raises InvalidInput."""
    try:
        if len(sent) > 1:
            # One of them may be the user's own, passed on beside the application's.
            raise ValueError("comes more than once")
        listed = [text for each in sent[0].split(",") if (text := each.strip())]
        refuse_too_many(listed)
        return tuple(sorted({as_group(_decoded(each)) for each in listed}))
    except ValueError as error:
        raise InvalidInput(f"{HEADER} {error}.", pointer=f"/{HEADER}") from None


def _decoded(text: str) -> str:
    if not text.isascii() or BROKEN.search(text):
        raise ValueError("is not percent-encoded UTF-8")
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise ValueError("is not percent-encoded UTF-8") from None
