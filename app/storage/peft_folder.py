"""The folder that PEFT's save_pretrained writes: which files an adapter is made of, and how they are packed."""

from __future__ import annotations

import shutil
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


def pack_version(folder: Path, archive: BinaryIO) -> None:
    """Write the two files as a .tar that is the same wherever it is made, so that its SHA-256 can name them."""
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in FILES:
            entry = tarfile.TarInfo(name)
            entry.size = (folder / name).stat().st_size
            with (folder / name).open("rb") as file:
                tar.addfile(entry, file)


def unpack_version(archive: BinaryIO, folder: Path) -> None:
    """Write the two files to a folder. Raises tarfile.TarError or KeyError if the .tar is not of pack_version()."""
    with tarfile.open(fileobj=archive, mode="r:") as tar:
        for name in FILES:
            source = tar.extractfile(name)
            if source is None:
                raise KeyError(name)
            with source, (folder / name).open("xb") as target:
                shutil.copyfileobj(source, target)
