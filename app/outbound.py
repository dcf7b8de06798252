"""HTTP to hosts that others name, such as an issuer of tokens: never to an address inside, whatever a name resolves to.

A name is resolved once, each of its addresses is checked, and one of these is connected to; TLS still asks for the
name. Redirects and the environment's proxies are not followed.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from socket import SOCK_STREAM, getaddrinfo

import httpx

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

PUBLIC_IPV6 = IPv6Network("2000::/3")
# These stand for an address of IPv4, which a gateway connects to.
NAT64 = IPv6Network("64:ff9b::/96")
MAX_ADDRESSES = 4
PORTS = {"http": 80, "https": 443}
# Its own, so that names which no server resolves hold up none of the service's threads.
RESOLVERS = ThreadPoolExecutor(8, "resolve")


class NotFetched(Exception):
    """Nothing was fetched. The text says why in words that tell nothing of the network here."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is what was read of it."""

    status: int
    body: bytes


class OutboundClient:
    """Connects to public addresses, and to those of `private` networks."""

    def __init__(self, private: Sequence[Network] = (), tls: ssl.SSLContext | None = None) -> None:
        self._private = private
        self._tls = tls or ssl.create_default_context()

    async def fetch(
        self,
        method: str,
        url: str,
        *,
        timeout_s: float,
        most_bytes: int,
        headers: Mapping[str, str] | None = None,
        content: bytes = b"",
    ) -> Answer:
        """Return the answer, of whatever status. Raises NotFetched."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._fetch(method, httpx.URL(url), dict(headers or {}), content, most_bytes)
        except TimeoutError:
            raise NotFetched(f"It took longer than {timeout_s:g} s.") from None
        except ssl.SSLCertVerificationError:
            raise NotFetched("Its certificate is not valid for this name.") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise NotFetched(_reason(error)) from None

    async def _fetch(
        self, method: str, url: httpx.URL, headers: dict[str, str], content: bytes, most_bytes: int
    ) -> Answer:
        addresses = await self._addresses(url)
        headers |= {"Host": url.netloc.decode("ascii"), "Accept-Encoding": "identity", "Connection": "close"}
        name = url.raw_host.decode("ascii")
        # A client for each request: a connection that is kept would serve every name with its address.
        async with httpx.AsyncClient(verify=self._tls, trust_env=False, timeout=httpx.Timeout(None)) as client:
            for address in addresses:
                request = client.build_request(
                    method,
                    url.copy_with(host=str(address)),
                    headers=headers,
                    content=content,
                    extensions={"sni_hostname": name},
                )
                try:
                    response = await client.send(request, stream=True, follow_redirects=False)
                except httpx.ConnectError:
                    if address == addresses[-1]:
                        raise
                    continue
                return Answer(response.status_code, await _some(response, most_bytes))
        raise NotFetched("Its name has no address.")

    async def _addresses(self, url: httpx.URL) -> list[Address]:
        port = url.port or PORTS.get(url.scheme)
        if port is None or not url.host:
            raise NotFetched("It is not an address of http or https.")
        try:
            found = await resolve(url.raw_host.decode("ascii").strip("[]"), port)
        except OSError:
            raise NotFetched("Its name cannot be resolved.") from None
        if not all(self.is_allowed(address) for address in found):
            raise NotFetched("Its address is private; the operator would have to allow that.")
        return found[:MAX_ADDRESSES]

    def is_allowed(self, address: Address) -> bool:
        meant = _meant(address)
        return _is_public(meant) or any(meant in network for network in self._private)


async def resolve(host: str, port: int) -> list[Address]:
    """Raises OSError."""
    loop = asyncio.get_running_loop()
    found = await loop.run_in_executor(RESOLVERS, lambda: getaddrinfo(host, port, type=SOCK_STREAM))
    # What belongs to an interface of this machine names it after a percent sign.
    return list(dict.fromkeys(ip_address(str(each[4][0]).partition("%")[0]) for each in found))


def _meant(address: Address) -> Address:
    """Return the address of IPv4 that an address of IPv6 stands for, else itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address) and address not in PUBLIC_IPV6:
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


async def _some(response: httpx.Response, most_bytes: int) -> bytes:
    body = b""
    try:
        if most_bytes:
            async for part in response.aiter_raw():
                body += part
                if len(body) > most_bytes:
                    raise NotFetched(f"It answers with more than {most_bytes} bytes.")
    finally:
        await response.aclose()
    return body


def _reason(error: Exception) -> str:
    """Say what went wrong without an address."""
    if isinstance(error, httpx.ConnectError):
        refused = "CERTIFICATE_VERIFY_FAILED" in str(error)
        return "Its certificate is not valid for this name." if refused else "There is no connection to it."
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
        return "It is not an address of http or https."
    return "The connection broke off."
