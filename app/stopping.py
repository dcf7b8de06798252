"""How far a process has come that was told to stop."""

from __future__ import annotations


class Stopping:
    """Set by the server: `told` to stop, and then `closed` to new requests."""

    def __init__(self) -> None:
        self.told = False
        self.closed = False
