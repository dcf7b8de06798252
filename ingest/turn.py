"""A document's turn: between two of its pages or pictures a long one lets another tenant's document pass."""

from __future__ import annotations

import time
from dataclasses import dataclass

from app.storage.database import Database
from app.storage.jobs import JobKind
from ingest.jobs import queue
from ingest.jobs.queue import ClaimedDocument


@dataclass(frozen=True, slots=True)
class Turn:
    """`ends`: when, by the monotonic clock. It gives way to jobs of a kind, or to none."""

    gives_way: JobKind | None
    ends: float

    async def give_way(self, database: Database, claim: ClaimedDocument) -> None:
        """Raises TurnOver if it is over and another tenant's document waits."""
        if self.gives_way and time.monotonic() > self.ends:
            await queue.give_way(database, claim.tenant, self.gives_way)
