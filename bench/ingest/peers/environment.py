"""The frameworks' own virtual environment, and a script run in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.up.environments import TORCH
from app.up.sources import PYTORCH_CPU_INDEX
from bench.retrieval.progress import say
from bench.service import ROOT

REQUIREMENTS = Path(__file__).parents[1] / "peers.txt"
FOLDER = "peers"
# From the model's folder alone, and nobody is told.
QUIET = {
    "HF_HUB_OFFLINE": "1",
    "HAYSTACK_TELEMETRY_ENABLED": "False",
    "ORT_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}


def python(home: Path) -> Path:
    return home / FOLDER / "bin" / "python"


def install(home: Path) -> None:
    """Every package is pinned, none is fetched that is not named, and torch is the build without GPUs."""
    home.mkdir(parents=True, exist_ok=True)
    say(f"installing the frameworks in {home / FOLDER}")
    subprocess.run([sys.executable, "-m", "venv", "--clear", home / FOLDER], check=True)
    pip = [str(python(home)), "-m", "pip", "install", "--quiet", "--no-deps"]
    attempts = [[], ["--extra-index-url", PYTORCH_CPU_INDEX]] if sys.platform == "linux" else []
    for more in attempts:
        if subprocess.run([*pip, f"{TORCH}+cpu", *more], check=False).returncode == 0:
            break
    subprocess.run([*pip, "--requirement", str(REQUIREMENTS)], check=True)


def run(home: Path, name: str, arguments: Sequence[str]) -> dict[str, Any]:
    command = [str(python(home)), "-m", f"bench.ingest.peers.{name}", *arguments]
    # LlamaIndex would fetch and keep word lists elsewhere.
    env = os.environ | QUIET | {"LLAMA_INDEX_CACHE_DIR": str(home / FOLDER / "cache"), "HOME": str(home / FOLDER)}
    done = subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{name} fails (exit code {done.returncode}); its last lines are above.")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures
