"""Run the child that trains. It continues from its last checkpoint when it is run again."""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.sandbox.profile import Profile
from app.sandbox.subprocesses import ENVIRONMENT, ChildProcess, OutputError, open_child
from app.settings import gpu_environment
from ingest.jobs.queue import TaskFailed

log = logging.getLogger("kyujang.tune")

NEEDED = ("trl", "peft", "accelerate", "datasets")
MAX_THREADS = 8


class TrainingDied(Exception):
    """The training was killed or crashed; it may be run again."""


def require_installed() -> None:
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        raise TaskFailed(
            "not_installed",
            f"The worker cannot train: {', '.join(missing)} is not installed. Its operator installs the extra 'tune' "
            "(make up EXTRAS=tune; EXTRAS=tune in .env for the image) and restarts the worker.",
        )


async def train(
    folder: Path, base: Path, on_message: Callable[[dict[str, Any]], None], *, threads: int | None, memory_mb: int
) -> None:
    """Run the child, which ends when this is cancelled. Raises TaskFailed, TrainingDied."""
    profile = Profile(read={"base": base}, scratch={"folder": folder}, gpu=True, before_imports=True)
    async with open_child("ingest.tune.train", profile=profile, environment=_environment(threads)) as child:
        refusal = None
        try:
            async for message in child.messages():
                refusal = message.get("error", refusal)
                on_message(message)
        except OutputError:
            raise TrainingDied("the training sent what is not a message") from None
        if refusal:
            raise TaskFailed("refused", refusal)
        if await child.wait() != 0:
            raise await _explain(child, memory_mb)


async def _explain(child: ChildProcess, memory_mb: int) -> Exception:
    match await child.exit_reason():
        case "out of memory":
            return TaskFailed(
                "too_large",
                f"The training needs more memory than it may have ({memory_mb} MB on a CPU, KYUJANG_TUNE_MEMORY_MB). "
                "Take a smaller batch_size or max_length.",
            )
        case "killed":
            log.warning("the training was killed")
        case _:
            log.error("the training failed", extra=await child.exit_report())
    return TrainingDied(f"the training ended with {await child.wait()}")


def _environment(threads: int | None) -> dict[str, str]:
    return {
        **ENVIRONMENT,
        **gpu_environment(),
        "OMP_NUM_THREADS": str(threads or min(MAX_THREADS, len(os.sched_getaffinity(0)))),
        # Spinning threads would take the engine's time.
        "OMP_WAIT_POLICY": "PASSIVE",
        "TOKENIZERS_PARALLELISM": "false",
        "TQDM_DISABLE": "1",
        "HF_HUB_OFFLINE": "1",
    }
