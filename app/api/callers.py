"""Who sends a request: the tenant of a key, or of a token."""

from __future__ import annotations

from fastapi.security import HTTPAuthorizationCredentials

from app.errors import Unauthorized
from app.oidc import Issuer, TokenRefused, is_token
from app.services import Services
from app.settings import Settings
from app.storage.key_lookups import KeyLookups
from app.storage.tenants import DEFAULT_TENANT, KEY_PREFIX, Delegation, Tenant, tenant_by_slug


async def find_caller(
    lookups: KeyLookups,
    issuer: Issuer | None,
    services: Services,
    credentials: HTTPAuthorizationCredentials | None,
) -> Tenant:
    """Raises Unauthorized."""
    if services.settings.auth == "off":
        return await tenant_by_slug(services.database, DEFAULT_TENANT)
    if credentials is None:
        raise Unauthorized
    if issuer is None or not is_token(credentials.credentials):
        return await lookups.authenticate(services.database, credentials.credentials)
    return await _of_token(lookups, issuer, services, credentials.credentials)


async def _of_token(lookups: KeyLookups, issuer: Issuer, services: Services, token: str) -> Tenant:
    """Count the token by what becomes of it. Raises Unauthorized, or Unavailable without the issuer's keys."""
    outcome = "unavailable"
    try:
        principal = await issuer.principal(token)
        outcome = "tenant"
        acts_for = None
        if principal.groups is not None:
            acts_for = Delegation(services.settings.oidc_groups_list, groups=principal.groups)
        tenant = await lookups.tenant_of(
            services.database, principal.tenant, principal.scopes, principal.subject, acts_for
        )
        outcome = "accepted"
        return tenant
    except TokenRefused as error:
        outcome = error.reason
        raise
    finally:
        services.metrics.tokens.labels(outcome).inc()


def may_be_operators(settings: Settings, credentials: HTTPAuthorizationCredentials | None) -> bool:
    """Tell whether it could be the operator's key: neither a tenant's key nor, where there is an issuer, a token."""
    if settings.admin_key is None or credentials is None or credentials.credentials.startswith(f"{KEY_PREFIX}_"):
        return False
    return settings.oidc_issuer is None or not is_token(credentials.credentials)
