"""How files are read."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from app.settings.engine import Engine


class Reading(Engine):
    """The third of the settings."""

    load_memory_mb: int = Field(2048, ge=256)
    """Memory of the child process that reads a file."""
    load_timeout_s: float = Field(120, gt=0)
    """Seconds that reading a file may take, and seconds of processor time that cutting its text into chunks may."""
    ocr_timeout_s: float = Field(120, gt=0)
    """Seconds that reading a scanned page may take."""
    load_max_chars: int = Field(50_000_000, ge=1000)
    """The most characters of a document."""
    hidden_parts: Literal["skip", "mark"] = "skip"
    """Hidden text, rows, sheets and slides: `skip` leaves them out, `mark` reads them and marks each as hidden."""
