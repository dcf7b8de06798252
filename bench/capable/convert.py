"""Turn the model's GGUF into the folder vLLM reads. Run by the engine's Python: convert.py GGUF OUT."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app.up.convert_smollm2 import convert

if __name__ == "__main__":
    convert(Path(sys.argv[2]), Path(sys.argv[1]))
