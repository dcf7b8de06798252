"""Prove that an adapter changes what the engine says: the next-token probabilities on probes differ from the base's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.errors import EngineUnavailable
from app.generation.adapter_cache import Adapter
from app.generation.messages import Message
from app.generation.replica import EngineReplica
from app.prompting.elements import ENGLISH, build_messages
from app.prompting.fencing import Fence
from app.prompting.source import Passage

# For each place of an answer, the log-probabilities of the likeliest tokens.
Distributions = list[dict[str, float]]

LIBRARY = Passage("The library keeps 3,000 books of the royal court.")
# As questions come, and as a bare one.
PROBES: tuple[list[Message], ...] = (
    build_messages(ENGLISH, [LIBRARY], "What is kept in the library?", Fence("source")),
    [{"role": "user", "content": "도서관에는 무엇이 보관되어 있습니까?"}],
)
TOKENS = 8
# Total variation. One model on one machine differs from itself by some 0.00001 in single precision and 0.02 in bfloat16
# (batches are rounded in other ways).
DIFFERS = 0.05
# Far above rounding, far below another model's or adapter's.
DRIFTED = 0.5


@dataclass(frozen=True, slots=True)
class Proof:
    """`difference` is the largest from the base model, from 0 to 1."""

    difference: float
    answers: list[Distributions]

    @property
    def differs(self) -> bool:
        return self.difference >= DIFFERS

    def as_json(self) -> dict[str, Any]:
        return {"difference": self.difference, "answers": self.answers}


def proof_from(stored: dict[str, Any]) -> Proof:
    return Proof(stored["difference"], stored["answers"])


async def prove(replica: EngineReplica, adapter: Adapter) -> Proof:
    """Ask the replica with the adapter and without. Raises EngineUnavailable."""
    answers, base = [], []
    async with replica.adapters.pinned(adapter):
        # One after the other, since tenants' questions wait for the batch that these are in.
        for number in range(len(PROBES)):
            answers.append(await distributions(replica, number, adapter))
            base.append(await distributions(replica, number, None))
    return Proof(max(difference(mine, its) for mine, its in zip(answers, base, strict=True)), answers)


async def distributions(
    replica: EngineReplica, number: int, adapter: Adapter | None, tokens: int = TOKENS
) -> Distributions:
    """Return how the answer to one of PROBES begins. Raises EngineUnavailable, at NaN too."""
    found = [
        {_storable(token): value for token, value in place.items()}
        for place in await replica.next_tokens(PROBES[number], tokens, adapter)
    ]
    if not found or not all(math.isfinite(each) for place in found for each in place.values()):
        raise EngineUnavailable("The engine returned NaN probabilities.")
    return found


def difference(one: Sequence[dict[str, float]], other: Sequence[dict[str, float]]) -> float:
    """Return the total variation distance of the likeliest tokens: the largest of the places up to which both agree."""
    largest = 0.0
    for mine, its in zip(one, other, strict=False):
        largest = max(
            largest, sum(abs(_probability(mine, token) - _probability(its, token)) for token in mine | its) / 2
        )
        if max(mine, key=mine.__getitem__) != max(its, key=its.__getitem__):
            break
    return largest


def _storable(token: str) -> str:
    """Some tokens are bytes that PostgreSQL's JSON has no place for: NUL, and halves of a pair."""
    return token.replace("\0", "\ufffd").encode(errors="replace").decode()


def _probability(place: dict[str, float], token: str) -> float:
    return math.exp(place.get(token, -math.inf))
