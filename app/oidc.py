"""Tokens of an issuer (OpenID Connect, RFC 9068): who sent them, once their signature and claims have been checked.

The issuer's keys are fetched from checked addresses alone (app/outbound.py), kept, and fetched again when a token
names another one: at most once in REFETCH_S, however many such tokens come.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import httpx

from app.errors import Unauthorized, Unavailable
from app.language.unicode import clean_line
from app.outbound import NotFetched, OutboundClient
from app.settings import Settings
from app.storage.groups import as_group, refuse_too_many
from app.storage.tenant_records import Scope
from app.storage.tenants import SCOPES, SLUG

if TYPE_CHECKING:
    from joserfc.jwk import KeySet

log = logging.getLogger("kyujang.oidc")

# Signatures by a secret that both sides know (HS256), or by none, are not among them.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA")
KEY_TYPES = ("RSA", "EC", "OKP")
MIN_RSA_BITS = 2048
TYPES = ("jwt", "at+jwt", "application/at+jwt")
# A clock may be wrong by so much.
LEEWAY_S = 60
KEPT_S, REFETCH_S = 600.0, 30.0
# Of an issuer that does not answer they are used so long.
STALE_S = 3600.0
TIMEOUT_S, MAX_BYTES = 5.0, 256 << 10
MAX_TOKEN, MAX_SUBJECT = 8192, 255


class TokenRefused(Unauthorized):
    """The token is not accepted."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a token speaks for: `subject` at the issuer, in the tenant with this public id. `groups` are None where the
    settings name no claim with them."""

    subject: str
    tenant: str
    scopes: frozenset[Scope]
    groups: tuple[str, ...] | None = None


def is_token(text: str) -> bool:
    """Tell whether it has the form of a token: each begins with the Base64 of `{`."""
    return text.startswith("ey") and text.count(".") == 2


class Issuer:
    """The one that the settings name."""

    def __init__(self, settings: Settings, client: OutboundClient | None = None) -> None:
        self._settings = settings
        self._url = settings.oidc_issuer or ""
        self._client = client or OutboundClient(settings.allowed_networks)
        self._keys: KeySet | None = None
        self._fetched = self._tried = float("-inf")
        self._one_at_a_time = asyncio.Lock()

    async def principal(self, token: str) -> Principal:
        """Raises Unauthorized, which says what is wrong and repeats nothing of the token; Unavailable without keys."""
        if len(token) > MAX_TOKEN:
            raise TokenRefused("too_long", f"The token is longer than {MAX_TOKEN} characters.")
        return self._principal(await self._claims(token))

    async def _claims(self, token: str) -> dict[str, Any]:
        from joserfc.errors import InvalidKeyIdError

        asked = time.monotonic()
        keys = await self._current_keys()
        try:
            return _verified(token, keys, self._url, self._settings.oidc_audience)
        except InvalidKeyIdError:
            keys = await self._current_keys(fetched_since=asked)
        try:
            return _verified(token, keys, self._url, self._settings.oidc_audience)
        except InvalidKeyIdError:
            raise TokenRefused(
                "key", "The token is signed with a key (kid) that its issuer does not publish."
            ) from None

    async def _current_keys(self, *, fetched_since: float | None = None) -> KeySet:
        """Return the issuer's keys, of late or if possible `fetched_since` then. Raises Unavailable."""
        may_wait = self._is_stale or fetched_since is not None
        if not self._is_due(fetched_since) or (self._one_at_a_time.locked() and not may_wait):
            return cast("KeySet", self._keys)
        async with self._one_at_a_time:
            now = time.monotonic()
            # Another request may have fetched them while this one waited.
            if self._is_due(fetched_since) and now - self._tried >= REFETCH_S:
                self._tried = now
                try:
                    self._keys, self._fetched = await self._fetch_keys(), now
                except NotFetched as error:
                    log.warning("the issuer's keys were not fetched", extra={"cause": str(error)})
        if self._is_stale:
            raise Unavailable("The keys of the tokens' issuer cannot be fetched; the log says why.")
        return cast("KeySet", self._keys)

    @property
    def _is_stale(self) -> bool:
        return self._keys is None or time.monotonic() - self._fetched > KEPT_S + STALE_S

    def _is_due(self, fetched_since: float | None) -> bool:
        if self._keys is None or time.monotonic() - self._fetched > KEPT_S:
            return True
        return fetched_since is not None and self._fetched < fetched_since

    async def _fetch_keys(self) -> KeySet:
        """Raises NotFetched."""
        found = await self._json(f"{self._url.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != self._url:
            raise NotFetched("It calls itself by another name than KYUJANG_OIDC_ISSUER.")
        address = found.get("jwks_uri")
        if not isinstance(address, str) or httpx.URL(address).scheme != httpx.URL(self._url).scheme:
            raise NotFetched("Its jwks_uri is not an address of the same kind as its own.")
        return _key_set((await self._json(address)).get("keys"))

    async def _json(self, url: str) -> dict[str, Any]:
        answer = await self._client.fetch("GET", url, timeout_s=TIMEOUT_S, most_bytes=MAX_BYTES)
        try:
            found = json.loads(answer.body) if answer.status == 200 else None
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise NotFetched(f"It answered {answer.status} and not with a JSON object.")
        return found

    def _principal(self, claims: dict[str, Any]) -> Principal:
        settings = self._settings
        try:
            subject = clean_line(claims["sub"])
        except ValueError:
            subject = ""
        if not 0 < len(subject) <= MAX_SUBJECT:
            raise TokenRefused("claim", f"The token's claim 'sub' is not a line of 1 to {MAX_SUBJECT} characters.")
        tenant = _claim(claims, settings.oidc_tenant_claim)
        if not isinstance(tenant, str) or not SLUG.fullmatch(tenant):
            raise TokenRefused("tenant", f"The token's claim {settings.oidc_tenant_claim!r} names no tenant.")
        scopes = _scopes(_claim(claims, settings.oidc_scopes_claim), settings.oidc_scope_prefix)
        named = settings.oidc_groups_claim
        return Principal(subject, tenant, scopes, _groups(_claim(claims, named), named) if named else None)


def _verified(token: str, keys: KeySet, issuer: str, audience: str) -> dict[str, Any]:
    """Return the claims. Raises Unauthorized, or InvalidKeyIdError if no key has the token's id."""
    from joserfc import errors, jwt

    try:
        read = jwt.decode(token, keys, list(ALGORITHMS))
        if str(read.header.get("typ", "JWT")).lower() not in TYPES:
            raise TokenRefused("kind", "The token is of another kind (typ) than JWT and at+jwt.")
        registry = jwt.JWTClaimsRegistry(
            leeway=LEEWAY_S,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
            sub={"essential": True},
        )
        registry.validate(read.claims)
    except errors.InvalidKeyIdError:
        raise
    except errors.UnsupportedAlgorithmError:
        raise TokenRefused("algorithm", f"The token's algorithm is none of {', '.join(ALGORITHMS)}.") from None
    except errors.BadSignatureError:
        raise TokenRefused("signature", "The token's signature is not its issuer's.") from None
    except errors.ExpiredTokenError:
        raise TokenRefused("expired", "The token has expired.") from None
    except errors.MissingClaimError as error:
        raise TokenRefused("claim", f"The token lacks the claim {error.claim!r}.") from None
    except errors.InvalidClaimError as error:
        raise TokenRefused(
            "claim", f"The token's claim {error.claim!r} is not what it has to be here and now."
        ) from None
    except (errors.JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise TokenRefused("unreadable", "The token cannot be read, or its key is not for its algorithm.") from None
    return read.claims


def _key_set(listed: Any) -> KeySet:
    """Return the keys that sign. What is not one is left out. Raises NotFetched if nothing is left."""
    from joserfc.jwk import KeySet, RSAKey, import_key

    found = []
    for each in listed if isinstance(listed, list) else []:
        if not isinstance(each, dict) or each.get("kty") not in KEY_TYPES or each.get("use", "sig") != "sig":
            continue
        try:
            key = import_key({name: value for name, value in each.items() if name != "d"})
        except Exception:
            log.warning("a key of the issuer cannot be read", exc_info=True)
            continue
        if not isinstance(key, RSAKey) or key.raw_value.key_size >= MIN_RSA_BITS:
            found.append(key)
    if not found:
        raise NotFetched("It publishes no key that signs.")
    return KeySet(found)


def _claim(claims: dict[str, Any], name: str) -> Any:
    """Return the claim of this name, or what is at the end of a path with dots between; None if it is not there."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _scopes(value: Any, prefix: str) -> frozenset[Scope]:
    """Return our scopes among what the claim lists, with spaces between or as a list."""
    listed = value.split() if isinstance(value, str) else value if isinstance(value, list) else []
    given = {each.removeprefix(prefix) for each in listed if isinstance(each, str) and each.startswith(prefix)}
    return frozenset(scope for scope in SCOPES if scope in given)


def _groups(value: Any, claim: str) -> tuple[str, ...]:
    """Return the groups of a claim, one or a list. Without the claim a token would see more than its groups may."""
    listed = [value] if isinstance(value, str) else value
    try:
        if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
            raise ValueError("is neither a text nor a list of texts")
        refuse_too_many(listed)
        return tuple(dict.fromkeys(as_group(each) for each in listed))
    except ValueError as error:
        raise TokenRefused("groups", f"The token's claim {claim!r} {error}.") from None
