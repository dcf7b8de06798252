"""Check an adapter in a sandboxed child process."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, get_args

from app.adapters.engine_model import base_names
from app.adapters.version import Check
from app.errors import KyujangError
from app.sandbox.limits import Limits
from app.sandbox.profile import Profile
from app.sandbox.subprocesses import ChildProcess, OutputError, open_child
from app.settings import PACKAGED_MODEL, Settings
from ingest.adapters.rejection import CheckName, Rejected
from ingest.jobs.queue import TaskFailed

log = logging.getLogger("kyujang.adapters")

TIMEOUT_S = 300
# Processor time for what a tenant's patterns are tried on: tens of thousands of names take less than one second.
PATTERNS_S = 20
CHECKS: tuple[CheckName, ...] = get_args(CheckName)


class NoBaseModel(TaskFailed):
    """The adapter is not at fault."""

    def __init__(self) -> None:
        super().__init__(
            "no_base_model",
            "The service has no copy of the engine's base model to check adapters against. Its operator must set "
            "KYUJANG_BASE_MODEL to the model's folder; then send the adapter again.",
        )


class CheckFailed(KyujangError):
    """Kyujang failed to check this adapter; the log says why."""


def base_model(settings: Settings) -> tuple[Path, list[str]]:
    """Return the base model's folder and its names for adapters, the engine's own first. Raises NoBaseModel."""
    packaged = settings.serves_packaged_model
    model = settings.model_name
    names = base_names(settings)
    for folder in (settings.base_model, settings.models / PACKAGED_MODEL if packaged else Path(model)):
        if folder is not None and (folder / "config.json").is_file():
            return folder.absolute(), [*names, str(folder.absolute())]
    cached = None if packaged else _cached(model, settings.base_model / "hub" if settings.base_model else None)
    if cached is None:
        raise NoBaseModel
    return cached, names


def _cached(model: str, cache: Path | None) -> Path | None:
    """Return the model's snapshot in this cache, or in Hugging Face's own."""
    # Here, since it takes a good part of a second and most commands check no adapter.
    from huggingface_hub import try_to_load_from_cache

    try:
        found = try_to_load_from_cache(model, "config.json", cache_dir=cache)
    except ValueError:
        return None
    return Path(found).parent if isinstance(found, str) else None


async def check_archive(
    settings: Settings, archive: Path, folder: Path, report: Callable[[Check], Awaitable[None]]
) -> dict[str, Any]:
    """Check the adapter, unpack its weights to `folder`, and return the configuration that engines are to read.

    `report` gets each check that has passed. Raises Rejected.
    """
    base, names = await asyncio.to_thread(base_model, settings)
    order = {
        "names": names,
        "max_rank": settings.max_lora_rank,
        "max_bytes": settings.max_adapter_mb << 20,
        "patterns_s": PATTERNS_S,
    }
    # The weights are mapped while their header is checked.
    memory_mb = settings.load_memory_mb + settings.max_adapter_mb
    limits = Limits(address_space=memory_mb << 20, cpu_s=TIMEOUT_S, file_size=settings.max_adapter_mb << 20)
    profile = Profile(read={"archive": archive, "base": base}, scratch={"folder": folder})
    passed: list[Check] = []
    try:
        async with open_child(
            "ingest.adapters.check_child", json.dumps(order), limits=limits, profile=profile, timeout_s=TIMEOUT_S
        ) as child:
            return await _follow(child, passed, report)
    except TimeoutError:
        raise Rejected(_next(passed), f"Checking takes more than {TIMEOUT_S} s.") from None
    except OutputError:
        raise _crashed(_next(passed)) from None


async def _follow(
    child: ChildProcess, passed: list[Check], report: Callable[[Check], Awaitable[None]]
) -> dict[str, Any]:
    async for message in child.messages():
        if "adapter" in message:
            adapter: dict[str, Any] = message["adapter"]
            return adapter
        if "unknown_base" in message:
            log.error("adapters cannot be checked", extra={"cause": message["unknown_base"]})
            raise NoBaseModel
        one = Check(**message["check"])
        if not one.ok:
            raise Rejected(message["check"]["name"], one.detail)
        passed.append(one)
        await report(one)
    raise await _explain(child, _next(passed))


async def _explain(child: ChildProcess, check: CheckName) -> Exception:
    match await child.exit_reason():
        case "out of memory" | "killed":
            return Rejected(check, "Checking the adapter takes more memory than this service gives it.")
        case "out of time":
            return Rejected(check, "Checking the adapter takes too much processor time.")
        case "crashed":
            return _crashed(check)
        case "failed":
            log.error("the check failed", extra=await child.exit_report())
            return CheckFailed()


def _crashed(check: CheckName) -> Rejected:
    return Rejected(check, "The adapter is damaged: its reader crashed.")


def _next(passed: list[Check]) -> CheckName:
    """Return the check that was running: the first that has not passed."""
    done = {check.name for check in passed}
    return next(name for name in CHECKS if name not in done)
