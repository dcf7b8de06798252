"""Start one of our modules as a sandboxed child: python -m app.sandbox LIMITS MODULE ARGUMENT…"""

from __future__ import annotations

import os
import sys
from importlib import import_module

from app.sandbox.channel import Channel
from app.sandbox.limits import OUT_OF_MEMORY, Limits


def main(limits: str, module: str, *arguments: str) -> int:
    channel = Channel.open()
    run = import_module(module).main
    # What confines a child belongs here: it has imported its code and has not seen its input.
    Limits.from_json(limits).apply()
    try:
        run(channel, *arguments)
    except MemoryError:
        return OUT_OF_MEMORY
    return 0


if __name__ == "__main__":
    # Some parsers crash while the interpreter shuts down, and torch waits for its threads.
    os._exit(main(*sys.argv[1:]))
