"""What the sandbox costs a child: wall-clock and processor time from its start to its end, plain and confined."""

from __future__ import annotations

import asyncio
import resource
import statistics
import tempfile
import time
from pathlib import Path

from app.sandbox.profile import Profile
from app.sandbox.subprocesses import open_child

RUNS = 60


async def cost(profile: Profile | None) -> tuple[float, float]:
    """Return (wall-clock, processor) milliseconds of one child that answers at once."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    async with open_child("app.sandbox.protections", profile=profile) as child:
        await child.message()
        await child.wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return (time.perf_counter() - began) * 1000, spent * 1000


async def measure() -> None:
    with tempfile.NamedTemporaryFile() as file:
        kinds = {"plain": None, "confined": Profile(read={"document": Path(file.name)})}
        costs: dict[str, list[tuple[float, float]]] = {name: [] for name in kinds}
        for _ in range(RUNS):
            for name, profile in kinds.items():
                costs[name].append(await cost(profile))
    for name, found in costs.items():
        wall, spent = (statistics.median(each) for each in zip(*found, strict=True))
        print(f"{name:>8}: {wall:.0f} ms wall-clock, {spent:.0f} ms processor time (medians of {RUNS})")


if __name__ == "__main__":
    asyncio.run(measure())
