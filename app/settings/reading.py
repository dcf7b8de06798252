"""How files are read."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from app.errors import NotConfigured
from app.settings.engine import Engine


class Reading(Engine):
    """The third of the settings."""

    load_memory_mb: int = Field(2048, ge=256)
    """Memory of the child process that reads a file."""
    load_timeout_s: float = Field(120, gt=0)
    """Seconds that reading a file may take, and seconds of processor time that cutting its text into chunks may."""
    ocr_timeout_s: float = Field(120, gt=0)
    """Seconds that reading a scanned page may take."""
    ocr_url: str | None = None
    """An OpenAI-compatible endpoint, such as `http://…/v1`, of a vision model that reads scanned pages instead of
    Tesseract: it is sent a picture of each."""
    ocr_model: str = ""
    """The model's name at `KYUJANG_OCR_URL`, which goes with it."""
    ocr_key: SecretStr | None = None
    """The bearer key that this endpoint expects."""
    describe_pictures: bool = False
    """`1`: this model describes the pictures in documents too; what it says is searched, and marked as made by a
    model."""
    load_max_chars: int = Field(50_000_000, ge=1000)
    """The most characters of a document."""
    max_members: int = Field(10_000, ge=1)
    """The most documents that a mail or an archive may hold, what they hold themselves included."""
    max_unpacked_mb: int = Field(1024, ge=1)
    """The most that they may unpack to. None may be larger than an upload."""
    hidden_parts: Literal["skip", "mark"] = "skip"
    """Hidden text, rows, sheets and slides: `skip` leaves them out, `mark` reads them and marks each as hidden."""

    @model_validator(mode="after")
    def _require_what_ocr_needs(self) -> Self:
        if self.ocr_url is not None and not self.ocr_model:
            raise NotConfigured("KYUJANG_OCR_URL needs KYUJANG_OCR_MODEL, the model's name there.")
        if self.describe_pictures and self.ocr_url is None:
            raise NotConfigured("KYUJANG_DESCRIBE_PICTURES needs KYUJANG_OCR_URL, the address of the model.")
        return self
