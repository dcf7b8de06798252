"""What is connected to outside: the issuer of tokens, webhooks, the receiver of traces."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from typing import Self
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, model_validator

from app.errors import NotConfigured
from app.settings.addresses import WebhookHost, is_loopback, networks, webhook_hosts
from app.settings.answering import Answering


class Outside(Answering):
    """The sixth of the settings."""

    private_networks: str = ""
    """Networks of private addresses, with commas between, that the issuer of tokens may lie in: `10.1.0.0/16`. None by
    default."""
    oidc_issuer: str | None = None
    """The issuer of tokens (OpenID Connect) that are accepted beside keys: `https://login.example.com/realms/acme`. Its
    keys are found below `/.well-known/openid-configuration`."""
    oidc_audience: str = ""
    """What the claim `aud` of its tokens has to name. It goes with `KYUJANG_OIDC_ISSUER`."""
    oidc_tenant_claim: str = "tenant"
    """The claim with the tenant's id; of one inside another, the path with dots between."""
    oidc_scopes_claim: str = "scope"
    """The claim with the scopes, as a list or with spaces between, such as `kyujang:query kyujang:read`. Others are
    passed over."""
    oidc_scope_prefix: str = "kyujang:"
    """What stands before the name of a scope there."""
    oidc_groups_claim: str = ""
    """The claim with the caller's groups, a list: a token then sees the documents of its groups alone, and one without
    the claim is refused."""
    oidc_groups_list: str = "metadata.groups"
    """The metadata list of a document that says which of these groups see it."""
    otlp_endpoint: str | None = Field(
        None, validation_alias=AliasChoices("OTEL_EXPORTER_OTLP_ENDPOINT", "otlp_endpoint")
    )
    """Where API and workers send traces, by OTLP over HTTP: `http://collector:4318`. None are made by default. The
    other variables of OpenTelemetry's SDK hold too (operations, observe)."""

    @model_validator(mode="after")
    def _refuse_what_receives_no_traces(self) -> Self:
        if self.otlp_endpoint is not None and not self.otlp_endpoint.startswith(("http://", "https://")):
            raise NotConfigured(
                "OTEL_EXPORTER_OTLP_ENDPOINT is not http://… or https://…, such as http://collector:4318."
            )
        return self

    webhook_hosts: str = ""
    """Hosts that webhooks may go to, with commas between: `hooks.example.com`, `*.example.com`, or `*` for any. With
    `http://` before it a host may be called without TLS. Without it there are no webhooks."""
    webhook_networks: str = ""
    """Networks of private addresses, with commas between, that these hosts may lie in: `10.1.0.0/16`. None by
    default."""

    @model_validator(mode="after")
    def _refuse_what_is_no_issuer(self) -> Self:
        if self.oidc_issuer is None:
            return self
        parts = urlsplit(self.oidc_issuer)
        if not parts.hostname or not (
            parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))
        ):
            raise NotConfigured("KYUJANG_OIDC_ISSUER is not an address of https (or of http on this machine).")
        if not self.oidc_audience:
            raise NotConfigured("KYUJANG_OIDC_ISSUER needs KYUJANG_OIDC_AUDIENCE: tokens for others are not accepted.")
        if not self.oidc_groups_list.removeprefix("metadata.") or not self.oidc_groups_list.startswith("metadata."):
            raise NotConfigured("KYUJANG_OIDC_GROUPS_LIST is not metadata. and the name of a list: metadata.groups.")
        return self

    @property
    def allowed_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        return networks("KYUJANG_PRIVATE_NETWORKS", self.private_networks)

    @property
    def allowed_webhook_hosts(self) -> tuple[WebhookHost, ...]:
        return webhook_hosts(self.webhook_hosts)

    @property
    def allowed_webhook_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        return networks("KYUJANG_WEBHOOK_NETWORKS", self.webhook_networks)
