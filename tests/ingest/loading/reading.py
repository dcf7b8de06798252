"""The way every test here takes to a file's text: the real child process."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest

from app.errors import DocumentError
from ingest.loading.load import Loaded, load


async def take(path: Path, **limits) -> Loaded:
    options = {"filename": path.name, "media_type": None, "memory_mb": 2048, "timeout_s": 60, "max_chars": 50_000_000}
    return await load(path, **(options | limits))


async def refusal(path: Path, **limits) -> DocumentError:
    with pytest.raises(DocumentError) as caught:
        await take(path, **limits)
    assert str(path) not in caught.value.detail
    return caught.value


def squeezed(text: str) -> str:
    return re.sub(r"\s", "", unicodedata.normalize("NFC", text))
