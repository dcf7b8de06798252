"""The checks of an adapter, in a child process that may crash, hang or eat memory without harm to the worker."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, get_args

from app.adapters.registry import Check
from app.errors import KyujangError
from app.sandbox.subprocesses import ENVIRONMENT, end_of
from app.services import Services
from app.settings import PACKAGED_MODEL, Settings
from ingest.adapters.refusal import CheckName, Refused
from ingest.jobs.tasks import TaskFailed

log = logging.getLogger("kyujang.adapters")

PACKAGED_ID = "HuggingFaceTB/SmolLM2-135M-Instruct"
TIMEOUT_S = 300
MAX_LINE = 1 << 20
CHECKS: tuple[CheckName, ...] = get_args(CheckName)


class NothingToCheckAgainst(TaskFailed):
    """No fault of the adapter's."""

    def __init__(self) -> None:
        super().__init__(
            "no_base_model",
            "The service has no copy of the engine's base model to check adapters against. Its operator must set "
            "KYUJANG_BASE_MODEL to the model's folder; then send the adapter again.",
        )


class ChildFailed(KyujangError):
    """Kyujang failed on this adapter; the log says why."""


async def of_the_engine_s_model(services: Services) -> Settings:
    """Where KYUJANG_MODEL names none, the engine says what it serves. Raises EngineUnavailable."""
    settings = services.settings
    if settings.model is not None or services.engine is None:
        return settings
    return settings.model_copy(update={"model": (await services.engine.served()).model})


def base_model(settings: Settings) -> tuple[Path, list[str]]:
    """Its folder, and what adapters may call it; first the engine's own name. Raises NothingToCheckAgainst."""
    packaged = settings.serves_packaged_model
    model = settings.model_name
    # A folder of this machine is nobody's business.
    public = Path(model).name if Path(model).is_dir() else model
    named = [name.strip() for name in settings.base_model_names.split(",") if name.strip()]
    names = [public, *([PACKAGED_ID] if packaged else []), *named]
    for folder in (settings.base_model, settings.models / PACKAGED_MODEL if packaged else Path(model)):
        if folder is not None and (folder / "config.json").is_file():
            return folder.absolute(), [*names, str(folder.absolute())]
    cached = None if packaged else _cached(model, settings.base_model / "hub" if settings.base_model else None)
    if cached is None:
        raise NothingToCheckAgainst
    return cached, names


def _cached(model: str, cache: Path | None) -> Path | None:
    """The snapshot of a hub's model on this machine, in that cache or Hugging Face's own."""
    # Here, since it takes a good part of a second and most commands check no adapter.
    from huggingface_hub import try_to_load_from_cache

    try:
        found = try_to_load_from_cache(model, "config.json", cache_dir=cache)
    except ValueError:
        return None
    return Path(found).parent if isinstance(found, str) else None


async def check(
    settings: Settings, archive: Path, folder: Path, report: Callable[[Check], Awaitable[None]]
) -> dict[str, Any]:
    """The adapter's configuration as engines are to read it; its weights lie in `folder` then.

    `report` hears of each check that is over. Raises Refused.
    """
    base, names = await asyncio.to_thread(base_model, settings)
    order = {
        "archive": str(archive),
        "folder": str(folder),
        "base": str(base),
        "names": names,
        "max_rank": settings.max_lora_rank,
        "max_bytes": settings.max_adapter_mb << 20,
        # The weights are mapped while their header is checked.
        "memory_mb": settings.load_memory_mb + settings.max_adapter_mb,
        "seconds": TIMEOUT_S,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "ingest.adapters.check_child"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=MAX_LINE,
        env=ENVIRONMENT,
        start_new_session=True,
    )
    passed: list[Check] = []
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return await _converse(process, order, passed, report)
    except TimeoutError:
        raise Refused(_next(passed), f"Checking takes more than {TIMEOUT_S} s.") from None
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _converse(
    process: asyncio.subprocess.Process,
    order: dict[str, Any],
    passed: list[Check],
    report: Callable[[Check], Awaitable[None]],
) -> dict[str, Any]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(order).encode() + b"\n")
    process.stdin.close()
    complaint = asyncio.create_task(_complaint(process))
    async for line in process.stdout:
        said = json.loads(line)
        if "adapter" in said:
            await process.wait()
            adapter: dict[str, Any] = said["adapter"]
            return adapter
        if "unknown_base" in said:
            log.error("adapters cannot be checked", extra={"cause": said["unknown_base"]})
            raise NothingToCheckAgainst
        one = Check(**said["check"])
        if not one.ok:
            raise Refused(said["check"]["name"], one.detail)
        passed.append(one)
        await report(one)
    raise _crash(await process.wait(), await complaint, _next(passed))


async def _complaint(process: asyncio.subprocess.Process) -> bytes:
    kept = b""
    while process.stderr is not None and (part := await process.stderr.read(1 << 16)):
        kept = (kept + part)[-2000:]
    return kept


def _crash(code: int, complaint: bytes, check: CheckName) -> Exception:
    match end_of(code, complaint):
        case "out of memory":
            return Refused(check, "Checking the adapter takes more memory than this service gives it.")
        case "out of time":
            return Refused(check, "Checking the adapter takes too much processor time.")
        case "crashed":
            return Refused(check, "The adapter is damaged: its reader crashed.")
        case "failed":
            log.error("the check failed", extra={"code": code, "complaint": complaint.decode(errors="replace")})
            return ChildFailed()


def _next(passed: list[Check]) -> CheckName:
    """The check that was under way; `method` is seen before `config` is through."""
    done = {check.name for check in passed}
    return next(name for name in CHECKS if name not in done)
