"""The folder that PEFT's save_pretrained writes: which files an adapter is made of, and how they are packed."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import BinaryIO

CONFIG, WEIGHTS = FILES = ("adapter_config.json", "adapter_model.safetensors")


def pack(folder: Path, archive: BinaryIO) -> None:
    """Write the two files as a .tar.gz, as an upload has them."""
    # Weights are as good as random: packing them tightly takes minutes for a few per cent.
    with tarfile.open(fileobj=archive, mode="w:gz", compresslevel=1) as tar:
        for name in FILES:
            tar.add(folder / name, arcname=name)
