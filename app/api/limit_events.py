"""Tells webhooks of limits that are reached: each at most once in an hour, however many requests it refuses."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

from app.errors import DatabaseUnavailable
from app.services import Services
from app.storage import webhooks
from app.storage.tenants import Tenant

log = logging.getLogger("kyujang.webhooks")

HOUR_S = 3600


class LimitEvents:
    """What this process has noted in this hour; the database knows what others have."""

    def __init__(self) -> None:
        self._hour = 0
        self._noted: set[tuple[int, str]] = set()

    async def note(self, services: Services, tenant: Tenant, limit: Mapping[str, Any]) -> None:
        """Note it before the request is answered, so that it is not lost."""
        hour = int(time.time() // HOUR_S)
        if hour != self._hour:
            self._hour, self._noted = hour, set()
        of = limit.get("of", "tenant")
        key = (tenant.key_id or "") if of == "key" else ""
        subject = f"{limit['name']}/{key}/{hour}"
        if (tenant.number, subject) in self._noted:
            return
        data = {"limit": limit["name"], "of": of, "value": limit["value"]} | ({"key": key} if key else {})
        try:
            await webhooks.note_limit(services.database, tenant.number, subject, data)
        except DatabaseUnavailable as error:
            log.warning("a limit that was reached could not be noted", extra={"cause": repr(error.__cause__)})
            return
        self._noted.add((tenant.number, subject))
