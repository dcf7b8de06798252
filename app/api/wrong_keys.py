"""Answer wrong operator's keys later and later, so that guessing takes time. A right key never waits."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import time
from collections import OrderedDict
from typing import NoReturn

from fastapi import Request

from app.errors import TooManyRequests, Unauthorized

log = logging.getLogger("kyujang.api")

AT_ONCE = 5
FIRST_DELAY_S = 0.25
MAX_DELAY_S = 8.0
FORGOTTEN_AFTER_S = 600.0
MAX_ADDRESSES = 1000
# Each holds a connection.
MAX_WAITING = 50


class WrongKeys:
    """Counts them by address: a network of IPv6 is one, since a caller there has many."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._waiting = 0

    async def refuse(self, request: Request) -> NoReturn:
        """Raise Unauthorized, after a while; TooManyRequests where too many wait already."""
        address = _network(request.client.host if request.client else "")
        delay = self.delay(address, time.monotonic())
        log.warning("wrong operator's key", extra={"address": address, "delay_s": delay})
        if delay:
            if self._waiting >= MAX_WAITING:
                raise TooManyRequests("Too many wrong operator's keys.", retry_after_s=round(MAX_DELAY_S))
            self._waiting += 1
            try:
                await asyncio.sleep(delay)
            finally:
                self._waiting -= 1
        raise Unauthorized("This is not the operator's key.")

    def delay(self, address: str, now: float) -> float:
        """Count another wrong key; return the seconds that its answer waits."""
        count, last = self._seen.pop(address, (0, now))
        count = 1 if now - last > FORGOTTEN_AFTER_S else count + 1
        self._seen[address] = (count, now)
        if len(self._seen) > MAX_ADDRESSES:
            self._seen.popitem(last=False)
        if count <= AT_ONCE:
            return 0.0
        return min(MAX_DELAY_S, FIRST_DELAY_S * 2.0 ** min(count - AT_ONCE - 1, 30))


def _network(host: str) -> str:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else host
