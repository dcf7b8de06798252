"""The dependencies of routes: the services, the tenant of the key, a page."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Annotated, Any, cast

from fastapi import Depends, Query, Request, Response
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import TypeAdapter

from app import logs
from app.api.acting import act_as
from app.api.bound_keys import refuse_bound, refuse_bound_anew
from app.api.callers import find_caller, may_be_operators
from app.api.counting import count_once, refuse_used_up
from app.api.groups import acting_for_groups, groups_asked_for
from app.api.json_bodies import check_large_body
from app.api.parameters import MAX_NAMED, parameters, refuse_other_parameters
from app.api.refusals import noted
from app.api.uploads import content_type
from app.errors import Forbidden, InvalidInput, Unauthorized, UnsupportedMediaType
from app.services import Services
from app.storage import audit
from app.storage.tenancy import part
from app.storage.tenant_records import Scope
from app.storage.tenants import SCOPES, Tenant
from app.storage.usage import payer, waits_for_count

# One holds an id of up to 512 characters, of four bytes each, in base64.
MAX_CURSOR = 3000

bearer = HTTPBearer(
    auto_error=False, description="A tenant's key `kyu_<id>_<secret>`, an issuer's token, or the operator's key"
)
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]


def get_services(request: Request) -> Services:
    return cast(Services, request.app.state.services)


ServicesDep = Annotated[Services, Depends(get_services)]


class TenantKey:
    """Returns the caller's tenant. Raises Unauthorized, or Forbidden if its key has none of `scopes`, or not `both`."""

    def __init__(self, *scopes: Scope, both: bool = False, generates: bool = False) -> None:
        self.scopes = scopes
        self.both = both
        self.generates = generates

    async def __call__(self, request: Request, services: ServicesDep, credentials: Credentials) -> Tenant:
        tenant = await _caller(request, services, credentials)
        self.check(tenant)
        refuse_bound(request, tenant)
        await count_once(request, services, tenant)
        if self.generates:
            refuse_used_up(request, tenant)
        request.app.state.refusals.let_in(request)
        request.state.caller = await acting_for_groups(request, services, tenant)
        return cast(Tenant, request.state.caller)

    def admits(self, tenant: Tenant) -> bool:
        return (all if self.both else any)(scope in tenant.scopes for scope in self.scopes)

    def check(self, tenant: Tenant) -> None:
        """Raise Forbidden unless the tenant's key is admitted."""
        if not self.admits(tenant):
            missing = [scope for scope in self.scopes if scope not in tenant.scopes]
            raise Forbidden(f"This key lacks the scope {(' and ' if self.both else ' or ').join(map(repr, missing))}.")


class AskingKey(TenantKey):
    """Returns the caller's tenant, whose request will search, or embed. Raises TooManyRequests if too many wait."""

    def __init__(self, *scopes: Scope, embeds: bool = False, generates: bool = False) -> None:
        super().__init__(*scopes, generates=generates)
        self.embeds = embeds

    async def __call__(self, request: Request, services: ServicesDep, credentials: Credentials) -> Tenant:
        tenant = await super().__call__(request, services, credentials)
        with noted(request):
            (services.spaces.current.embedder if self.embeds else services.retriever).refuse_if_full(tenant.number)
        return tenant


class OperatorKey:
    """Raises Unauthorized or Forbidden unless the caller is the operator."""

    async def __call__(self, request: Request, services: ServicesDep, credentials: Credentials) -> None:
        key = services.settings.admin_key
        if key is None:
            raise Forbidden("The operator's routes are closed: start the service with KYUJANG_ADMIN_KEY set.")
        if credentials is None:
            raise Unauthorized("The operator's key is needed: send 'Authorization: Bearer <KYUJANG_ADMIN_KEY>'.")
        if not hmac.compare_digest(credentials.credentials.encode(), key.get_secret_value().encode()):
            await request.app.state.wrong_keys.refuse(request)
        act_as(request, audit.OPERATOR)


async def operator_asks(request: Request, services: ServicesDep, credentials: Credentials) -> bool:
    """Say whether the caller may see what is the operator's: without keys, at the port for metrics, or by its key.

    A tenant's key, or a token, is as none. Raises Unauthorized for any other.
    """
    settings = services.settings
    _, port = request.scope.get("server") or (None, None)
    if settings.auth == "off" or (port is not None and port == settings.metrics_port):
        return True
    if not may_be_operators(settings, credentials):
        return False
    await OperatorKey()(request, services, credentials)
    return True


async def operator_only(request: Request, services: ServicesDep, credentials: Credentials) -> None:
    """Raise Unauthorized or Forbidden unless operator_asks()."""
    if not await operator_asks(request, services, credentials):
        await OperatorKey()(request, services, credentials)


class KeyFirst(APIRoute):
    """Checks the key, the names of the parameters and the kind of the body before the body is read, and a large body
    in a thread.

    FastAPI itself asks the dependencies afterwards, and takes any parameter.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        calls = [dependency.call for dependency in self.dependant.dependencies]
        checks = [call for call in calls if isinstance(call, TenantKey | OperatorKey)]
        known = parameters(self.dependant)
        body: TypeAdapter[Any] | None = None
        if self.body_field is not None:
            body = TypeAdapter(cast(Any, self.body_field.field_info.annotation))

        async def handle_with_key(request: Request) -> Response:
            for check in checks:
                await check(request, get_services(request), await bearer(request))
            refuse_other_parameters(request, known)
            _refuse_other_encoding(request)
            if body is not None:
                _refuse_other_kinds(request)
                await check_large_body(request, body)
            return await handle(request)

        return handle_with_key


def _refuse_other_kinds(request: Request) -> None:
    """Refuse a body that is not declared as JSON; without a body the fields are missing, which says more."""
    kind, headers = content_type(request), request.headers
    if kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json")):
        return
    if kind or "transfer-encoding" in headers or headers.get("content-length", "0") != "0":
        raise UnsupportedMediaType("Send JSON, with 'Content-Type: application/json'.")


def _refuse_other_encoding(request: Request) -> None:
    encoding = request.headers.get("content-encoding", "identity")[:MAX_NAMED]
    if encoding.lower() != "identity":
        refusal = f"Bodies in the encoding {encoding!r} are not read: send it without Content-Encoding."
        raise UnsupportedMediaType(refusal, headers={"Accept-Encoding": "identity"})


async def _caller(request: Request, services: Services, credentials: HTTPAuthorizationCredentials | None) -> Tenant:
    """Look the caller up once for each request."""
    if not hasattr(request.state, "caller"):
        find = partial(find_caller, request.app.state.key_lookups, request.app.state.issuer, services, credentials)
        found = await find()
        request.state.groups, request.state.caller = groups_asked_for(request.headers, found), found
        # A stream outlasts this look-up (app/api/sse.py). Without keys there is none to look up again.
        request.state.check_key = None if services.settings.auth == "off" else partial(refuse_bound_anew, find, found)
        logs.tenant_id.set(request.state.caller.slug)
        payer.set(request.state.caller.key_id or "")
        limits = request.state.caller.allowances
        waits_for_count.set(any(each.generated_tokens_per_day is not None for each in limits))
        part.set(request.state.caller.sees)
        act_as(request, request.state.caller.key_id or audit.NO_KEY)
    return cast(Tenant, request.state.caller)


QueryTenant = Annotated[Tenant, Depends(TenantKey("query"))]
SearchingTenant = Annotated[Tenant, Depends(AskingKey("query"))]
AskingTenant = Annotated[Tenant, Depends(AskingKey("query", generates=True))]
EmbeddingTenant = Annotated[Tenant, Depends(AskingKey("query", embeds=True))]
ReadTenant = Annotated[Tenant, Depends(TenantKey("read"))]
IngestTenant = Annotated[Tenant, Depends(TenantKey("ingest"))]
AdaptersTenant = Annotated[Tenant, Depends(TenantKey("adapters"))]
# An evaluation answers from the documents.
EvaluateTenant = Annotated[Tenant, Depends(TenantKey("query", "adapters", both=True))]
EvaluatingTenant = Annotated[Tenant, Depends(TenantKey("query", "adapters", both=True, generates=True))]
JobsTenant = Annotated[Tenant, Depends(TenantKey("read", "ingest", "adapters"))]
WorkTenant = Annotated[Tenant, Depends(TenantKey("ingest", "adapters"))]
AnyTenant = Annotated[Tenant, Depends(TenantKey(*SCOPES))]


class Page:
    """A page asked for: its `limit`, and the key after which it begins, encoded in an opaque cursor."""

    def __init__(
        self,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        cursor: Annotated[str | None, Query(max_length=MAX_CURSOR)] = None,
    ) -> None:
        self.limit = limit
        self._cursor = cursor

    def after(self, *kinds: type) -> list[Any] | None:
        """Return the cursor's values, one of each kind. Raises InvalidInput if it is not ours."""
        if self._cursor is None:
            return None
        try:
            values = json.loads(base64.urlsafe_b64decode(self._cursor.encode()))
        except (ValueError, binascii.Error, UnicodeError, RecursionError):
            values = None
        good = isinstance(values, list) and [type(value) for value in values] == list(kinds)
        if not good or not all(map(_storable, values)):
            raise InvalidInput("This cursor is not one that this service gave out.", pointer="/cursor")
        return cast(list[Any], values)


def _storable(value: Any) -> bool:
    """Tell whether PostgreSQL has such a text or such a number."""
    if isinstance(value, str):
        return "\x00" not in value and not any("\ud800" <= character <= "\udfff" for character in value)
    return not isinstance(value, int) or -(2**63) <= value < 2**63


PageDep = Annotated[Page, Depends()]


def page_of(rows: list[Any], limit: int, key: Callable[[Any], list[Any]]) -> dict[str, Any]:
    """Return the page of `limit + 1` rows asked for, and whether there is more."""
    return page_with(rows[:limit], len(rows) > limit, key)


def page_with(data: list[Any], more: bool, key: Callable[[Any], list[Any]]) -> dict[str, Any]:
    cursor = base64.urlsafe_b64encode(json.dumps(key(data[-1]), ensure_ascii=False).encode()).decode() if more else None
    return {"data": data, "has_more": more, "next_cursor": cursor}
