"""Says of a document why the child that read it ended before it was done."""

from __future__ import annotations

import logging

from app.errors import DocumentError
from app.sandbox.subprocesses import ChildProcess

log = logging.getLogger("kyujang.load")


async def explain(child: ChildProcess, memory_mb: int) -> DocumentError:
    """Return what is said of a document whose reader ended before it was done."""
    match await child.exit_reason():
        case "out of memory" | "killed":
            why = f"Reading the document needs more than {memory_mb} MB (KYUJANG_LOAD_MEMORY_MB). Split it."
            return DocumentError("too_large", why)
        case "out of time":
            why = "Reading the document took too much processor time (KYUJANG_LOAD_TIMEOUT_S)."
            return DocumentError("timeout", why)
        case "crashed":
            return crashed()
        case "failed":
            log.error("the reader failed", extra=await child.exit_report())
            return DocumentError("internal", "Kyujang failed to read this document; the log says why.")


def crashed() -> DocumentError:
    return DocumentError("corrupt", "The file is damaged: its reader crashed. Open it, save it again and send that.")
