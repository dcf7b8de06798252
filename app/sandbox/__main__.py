"""Start one of our modules as a child: python -m app.sandbox LIMITS PROFILE MODULE ARGUMENT…"""

from __future__ import annotations

import os
import sys
from importlib import import_module

from app.sandbox.channel import Channel
from app.sandbox.confinement import confine
from app.sandbox.limits import OUT_OF_MEMORY, Limits, lacks_memory
from app.sandbox.profile import Profile


def main(limits: str, profile: str, module: str, *arguments: str, parent: int | None = None) -> int:
    """Return the exit status. A child that was forked is confined, and ends with its parent."""
    channel = Channel.open()
    bounds, confines = Limits.from_json(limits), Profile.from_json(profile) if profile else None
    if confines is None or not confines.before_imports:
        run = import_module(module).main
    if confines is None:
        bounds.apply()
    else:
        confined = confine(confines, bounds, parent)
        channel.paths, channel.protections = confined.paths, confined.protections
        for name in confines.scratch:
            # Libraries write there or nowhere.
            os.environ["HOME"] = os.environ["TMPDIR"] = str(channel.paths[name])
    if confines is not None and confines.before_imports:
        run = import_module(module).main
    try:
        run(channel, *arguments)
    except Exception as error:
        if lacks_memory(error):
            return OUT_OF_MEMORY
        raise
    return 0


if __name__ == "__main__":
    # Some parsers crash while the interpreter shuts down, and torch waits for its threads.
    os._exit(main(*sys.argv[1:]))
