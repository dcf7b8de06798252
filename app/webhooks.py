"""Delivers what the outbox of webhooks holds, signed as Standard Webhooks 1.0 has it.

Of several API processes the one that holds the lease delivers. What it had sent when it was killed is sent once more,
with the same `webhook-id`. The answer's body is not read, and its redirect not followed (app/outbound.py).
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

import httpx
import standardwebhooks

from app.errors import DatabaseUnavailable, InvalidInput
from app.metrics import Metrics
from app.outbound import NotFetched, OutboundClient
from app.settings import Settings
from app.settings.addresses import WebhookHost
from app.storage import webhook_outbox
from app.storage.database import Database
from app.storage.tenancy import TenantNumber
from app.storage.webhook_outbox import Due
from app.storage.webhooks import Status

log = logging.getLogger("kyujang.webhooks")

# A round takes little longer than one request may.
TIMEOUT_S, LEASE_S = 10.0, 30.0
EVERY_S, ASK_EVERY_S = 1.0, 5.0
AT_ONCE, PER_TENANT = 32, 4
# After each attempt in vain, the last again and again.
DELAYS_S = (5, 30, 120, 600, 1800, 3600, 7200, 14400)
GIVEN_UP_AFTER_S = 24 * 3600
GONE = 410
MAX_URL = 2000
HOST = re.compile(r"[a-z0-9._:-]+")


def webhook_url(text: str, hosts: Sequence[WebhookHost]) -> str:
    """Return the address as it will be called. Raises InvalidInput."""
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        raise InvalidInput("This is not an address of https.", pointer="/url") from None
    if url.scheme not in ("http", "https") or not url.host or url.userinfo or url.fragment:
        raise InvalidInput("An address is https://host/path, without a user and a fragment.", pointer="/url")
    if not _is_allowed(url, hosts):
        raise InvalidInput(
            "The operator does not let webhooks go to this host (KYUJANG_WEBHOOK_HOSTS).", pointer="/url"
        )
    return str(url)


def _is_allowed(url: httpx.URL, hosts: Sequence[WebhookHost]) -> bool:
    name = url.raw_host.decode("ascii").strip("[]")
    return HOST.fullmatch(name) is not None and any(host.admits(url.scheme, name) for host in hosts)


class WebhookDelivery:
    """That of an API process."""

    def __init__(
        self, settings: Settings, database: Database, metrics: Metrics, client: OutboundClient | None = None
    ) -> None:
        self._hosts = settings.allowed_webhook_hosts
        self._database = database
        self._metrics = metrics
        self._client = client or OutboundClient(settings.allowed_webhook_networks)
        self._name = secrets.token_hex(8)

    async def run(self) -> None:
        """Deliver what is due while this process holds the lease, until cancelled."""
        while True:
            try:
                pause_s = await self.turn()
            except DatabaseUnavailable as error:
                log.warning("webhooks wait for the database", extra={"cause": repr(error.__cause__)})
                pause_s = ASK_EVERY_S
            await asyncio.sleep(pause_s)

    async def turn(self) -> float:
        """Deliver once what is due, if this process holds the lease; return the seconds until the next time."""
        if not await webhook_outbox.hold_lease(self._database, self._name, lease_s=LEASE_S):
            self._metrics.webhooks_waiting.set(0)
            return ASK_EVERY_S
        due = await webhook_outbox.list_due(self._database, most=AT_ONCE, per_tenant=PER_TENANT)
        await asyncio.gather(*(self._deliver(tenant, seq) for tenant, seq in due))
        self._metrics.webhooks_waiting.set(await webhook_outbox.count_waiting(self._database))
        return 0 if len(due) == AT_ONCE else EVERY_S

    async def _deliver(self, tenant: TenantNumber, seq: int) -> None:
        due = await webhook_outbox.read(self._database, tenant, seq)
        if due is None:
            return
        code, error = await self._send(due)
        status, delay_s = _outcome(due, code)
        outcome = "failed" if status == "waiting" else status
        self._metrics.webhook_deliveries.labels(outcome).inc()
        if status != "delivered":
            log.info("a webhook was not delivered", extra={"delivery": due.id, "status": code, "cause": error})
        await webhook_outbox.settle(self._database, due, status, code=code, error=error, delay_s=delay_s)

    async def _send(self, due: Due) -> tuple[int | None, str | None]:
        """Return the status of the answer, or why there is none."""
        if not _is_allowed(httpx.URL(due.url), self._hosts):
            return None, "The operator does not let webhooks go to its host any more."
        body = json.dumps({"type": due.event, "timestamp": due.created_at.isoformat(), "data": due.data})
        now = datetime.now(UTC)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Kyujang",
            "webhook-id": due.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": standardwebhooks.Webhook(due.secret).sign(due.id, now, body),
        }
        try:
            answer = await self._client.fetch(
                "POST", due.url, timeout_s=TIMEOUT_S, most_bytes=0, headers=headers, content=body.encode()
            )
        except NotFetched as error:
            return None, str(error)
        return answer.status, None


def _outcome(due: Due, code: int | None) -> tuple[Status, float]:
    """Return what becomes of a delivery after this answer, and in how many seconds it is tried again."""
    if code is not None and 200 <= code < 300:
        return "delivered", 0
    if code == GONE or due.age_s >= GIVEN_UP_AFTER_S:
        return "given_up", 0
    return "waiting", DELAYS_S[min(due.attempts, len(DELAYS_S) - 1)]
