"""What a sandboxed child may reach besides its own program and libraries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self


@dataclass(frozen=True, slots=True)
class Profile:
    """Files and folders by the names under which the child finds them in `channel.paths`."""

    read: Mapping[str, Path] = field(default_factory=dict)
    scratch: Mapping[str, Path] = field(default_factory=dict)
    """Folders in which the child may write, too."""
    gpu: bool = False
    before_imports: bool = False
    """Confine the child before it imports its code, which starts threads; else afterwards, so that bytecode is kept."""

    @classmethod
    def from_json(cls, text: str) -> Self:
        values = json.loads(text)
        folders = {kind: {name: Path(path) for name, path in values[kind].items()} for kind in ("read", "scratch")}
        return cls(**{**values, **folders})

    def to_json(self) -> str:
        return json.dumps(asdict(self), default=str)
