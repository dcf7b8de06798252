"""Which protections hold on this machine. A child that confines itself, as parsers do, says so."""

from __future__ import annotations

import logging

from app.sandbox.channel import Channel
from app.sandbox.confinement import OFF
from app.sandbox.profile import Profile
from app.sandbox.subprocesses import OutputError, open_child

log = logging.getLogger("kyujang.sandbox")

TIMEOUT_S = 30
# Without these a parser that is taken over reaches other files, the network or other processes.
NEEDED = ("landlock", "system_calls", "no_new_privileges")


def main(channel: Channel) -> None:
    channel.send(channel.protections)


async def log_protections() -> dict[str, str]:
    """Return the state of each, and log it: as a warning if one that is needed does not hold."""
    found: dict[str, str] = {}
    try:
        async with open_child("app.sandbox.protections", profile=Profile(), timeout_s=TIMEOUT_S) as child:
            found = await child.message() or {}
    except (TimeoutError, OutputError):
        log.exception("the sandbox did not say what it holds")
    lacking = [name for name in NEEDED if found.get(name, OFF).startswith(OFF)]
    if lacking:
        log.warning("the kernel holds a part of the sandbox only", extra={"lacking": lacking, "sandbox": found})
    else:
        log.info("sandbox", extra={"sandbox": found})
    return found
