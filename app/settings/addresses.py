"""Addresses: of engines, of the database, of this machine."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from app.errors import NotConfigured

SERVICE_ROLE = "kyujang_app"
# A sign that ends a part of a URL would cut the password off; psycopg and Python do not agree on what remains.
DATABASE_URL = re.compile(r"postgres(ql)?://([^:@/?#\s]*(:[^:@/?#\s]*)?@)?[^@#\s]*")
# A name, in ASCII, or an address.
WEBHOOK_HOST = re.compile(
    r"(?P<plain>http://)?(?P<host>\*|(\*\.)?[a-z0-9]([a-z0-9._-]*[a-z0-9])?|[0-9a-f:.]*:[0-9a-f:.]*)"
)
ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/?#@*]+")


@dataclass(frozen=True, slots=True)
class WebhookHost:
    """`*` is any host, `*.` and a domain every name below it; `plain` admits http, too."""

    pattern: str
    plain: bool

    def admits(self, scheme: str, host: str) -> bool:
        if scheme != "https" and not self.plain:
            return False
        if self.pattern.startswith("*."):
            return host.endswith(self.pattern[1:])
        return self.pattern in ("*", host)


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def refuse_bad_database_url(name: str, url: str) -> None:
    if not DATABASE_URL.fullmatch(url):
        raise NotConfigured(
            f"{name} is not postgresql://user:password@host:port/database. In a password, which .env puts there too, "
            "take letters and digits only, or percent-encode the others."
        )


def refuse_bad_engine_urls(urls: list[str]) -> None:
    for number, url in enumerate(urls, start=1):
        # Without the address itself, which may hold a password.
        if not _is_engine_url(url):
            raise NotConfigured(f"KYUJANG_LLM_URL: number {number} is not http://…, https://… or unix:///….")
        if url in urls[: number - 1]:
            raise NotConfigured(f"KYUJANG_LLM_URL: number {number} is there twice.")


def refuse_bad_index_url(url: str | None, *, needed: bool) -> None:
    if url is None and needed:
        raise NotConfigured("KYUJANG_INDEX=milvus needs KYUJANG_MILVUS_URL, such as http://milvus:19530.")
    if url is not None and not re.fullmatch(r"https?://[^@/?#\s]+(/\w*)?", url):
        # Without the address itself, which may hold a password.
        raise NotConfigured(
            "KYUJANG_MILVUS_URL is not http://host:port or http://host:port/database. A user and password go into "
            "KYUJANG_MILVUS_TOKEN."
        )


def cors_origins(listed: str) -> frozenset[str]:
    """Return the origins in a list with commas between. Raises NotConfigured."""
    origins = [each.strip().lower() for each in listed.split(",") if each.strip()]
    for origin in origins:
        if not ORIGIN.fullmatch(origin):
            raise NotConfigured(
                f"KYUJANG_CORS_ORIGINS: {origin!r} is not an origin such as https://app.example or "
                "http://localhost:3000, without a path."
            )
    return frozenset(origins)


def networks(setting: str, listed: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Return those in a list with commas between. Raises NotConfigured."""
    try:
        return tuple(ipaddress.ip_network(each.strip()) for each in listed.split(",") if each.strip())
    except ValueError as error:
        raise NotConfigured(f"{setting}: {error}. A network is such as 10.1.0.0/16.") from None


def webhook_hosts(listed: str) -> tuple[WebhookHost, ...]:
    """Return the patterns in a list with commas between. Raises NotConfigured."""
    found = []
    for each in (text.strip().lower() for text in listed.split(",")):
        if each and not (parts := WEBHOOK_HOST.fullmatch(each)):
            raise NotConfigured(
                f"KYUJANG_WEBHOOK_HOSTS: {each!r} is not a host such as hooks.example.com, *.example.com or *, with "
                "http:// before it where it may be called without TLS."
            )
        if each and parts:
            found.append(WebhookHost(parts["host"], plain=parts["plain"] is not None))
    return tuple(found)


def host_and_port(setting: str, address: str) -> tuple[str, int]:
    """Raises NotConfigured."""
    try:
        parts = urlsplit(f"//{address}")
        if parts.hostname and parts.port and parts.netloc == address and "@" not in address:
            return parts.hostname, parts.port
    except ValueError:
        pass
    raise NotConfigured(f"{setting} is not host:port, such as 127.0.0.1:9464 or [::1]:9464.")


def _is_engine_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return url.startswith("unix:///") or (
            parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        )
    except ValueError:
        return False


def as_service_role(owner_url: str) -> str:
    parts = urlsplit(owner_url)
    secret = unquote(parts.password or "").encode()
    password = hmac.new(secret, SERVICE_ROLE.encode(), hashlib.sha256).hexdigest()
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{SERVICE_ROLE}:{quote(password)}@{host}"))
