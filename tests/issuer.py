"""An issuer of tokens on this machine whose keys change, for tokens that no real one would make."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey


@cache
def rsa(kid: str, bits: int = 2048) -> RSAKey:
    """Made once, since that takes a while."""
    return RSAKey.generate_key(bits, {"kid": kid}, auto_kid=False)


def ec(kid: str) -> ECKey:
    return ECKey.generate_key("P-256", {"kid": kid})


def ed(kid: str) -> OKPKey:
    return OKPKey.generate_key("Ed25519", {"kid": kid})


@dataclass
class LocalIssuer:
    """`asked` are the paths that it was asked for; `document` and `listed` replace what it would answer."""

    port: int = 0
    keys: list[Key] = field(default_factory=lambda: [rsa("first")])
    asked: list[str] = field(default_factory=list)
    document: dict[str, Any] = field(default_factory=dict)
    listed: list[dict[str, Any]] | None = None
    works: bool = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Good ones, but for the changes; None takes one away."""
        now = int(time.time())
        good = {
            "iss": self.url, "aud": "kyujang", "sub": "mina", "tenant": "acme", "iat": now, "exp": now + 300,
            "scope": "openid kyujang:query kyujang:read",
        }  # fmt: skip
        return {name: value for name, value in (good | changes).items() if value is not None}

    def token(self, key: Key | None = None, alg: str = "RS256", header: dict[str, Any] | None = None, **changes) -> str:
        key = key or self.keys[0]
        head = {"alg": alg, "kid": key.kid} | (header or {})
        return jwt.encode(head, self.claims(**changes), key, [alg])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).decode().split()[1]
        self.asked.append(path)
        found: dict[str, Any] = {"keys": [key.as_dict(private=False) for key in self.keys]}
        if self.listed is not None:
            found["keys"] = self.listed
        if path.startswith("/.well-known"):
            found = {"issuer": self.url, "jwks_uri": f"{self.url}/keys"} | self.document
        body = json.dumps(found).encode()
        status = 200 if self.works else 503
        writer.write(
            f"HTTP/1.1 {status} Said\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body
        )
        await writer.drain()
        writer.close()


@asynccontextmanager
async def issuing() -> AsyncIterator[LocalIssuer]:
    issuer = LocalIssuer()
    server = await asyncio.start_server(issuer.serve, "127.0.0.1", 0)
    issuer.port = server.sockets[0].getsockname()[1]
    try:
        yield issuer
    finally:
        server.close()


def forged(header: dict[str, Any] | bytes, claims: dict[str, Any] | bytes, signature: bytes = b"") -> str:
    """A token of these parts, whatever they are."""
    parts = [each if isinstance(each, bytes) else json.dumps(each).encode() for each in (header, claims)]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (*parts, signature))
