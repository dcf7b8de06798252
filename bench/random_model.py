"""A Llama of random weights in the size of a known model, and adapters for it: nothing is fetched.

Run by the engine's Python, whose torch makes the weights on the GPU: random_model.py FOLDER SHAPE ADAPTERS RANK
The tokenizer is the packaged model's. Speed depends on sizes alone, so random weights measure as real ones do.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

if TYPE_CHECKING:
    import torch

SEED = 20261127
WEAK, STRONG, STRONG_COUNT = 0.0001, 0.1, 4
POSITIONS = 131_072


@dataclass(frozen=True)
class Shape:
    hidden: int
    feed_forward: int
    layers: int
    heads: int
    kv_heads: int
    head: int

    @property
    def linears(self) -> dict[str, tuple[int, int]]:
        """Name to (out, in), within a layer."""
        hidden, query, key = self.hidden, self.heads * self.head, self.kv_heads * self.head
        attention = {
            "q_proj": (query, hidden),
            "k_proj": (key, hidden),
            "v_proj": (key, hidden),
            "o_proj": (hidden, query),
        }
        wide = {"gate_proj": (self.feed_forward, hidden), "up_proj": (self.feed_forward, hidden)}
        feed_forward = {**wide, "down_proj": (hidden, self.feed_forward)}
        return {f"self_attn.{name}": shape for name, shape in attention.items()} | {
            f"mlp.{name}": shape for name, shape in feed_forward.items()
        }


# As Qwen3-4B, Llama-3.1-8B, Qwen3-14B and Qwen3-32B, but for the vocabulary.
SHAPES = {
    "tiny": Shape(64, 128, 2, 2, 2, 32),
    "4b": Shape(2560, 9728, 36, 32, 8, 128),
    "8b": Shape(4096, 14336, 32, 32, 8, 128),
    "14b": Shape(5120, 17408, 40, 40, 8, 128),
    "32b": Shape(5120, 25600, 64, 64, 8, 128),
}


class Writer:
    def __init__(self, folder: Path, shape: Shape) -> None:
        import torch

        self.folder, self.shape = folder, shape
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._random = torch.Generator(self._device).manual_seed(SEED)

    def model(self) -> None:
        """Write one file for each layer, so that no more than a layer is in memory."""
        import torch
        from transformers import AutoTokenizer

        from app.up.convert_smollm2 import packaged_gguf

        folder = self.folder / "model"
        folder.mkdir()
        gguf = packaged_gguf()
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        tokenizer.save_pretrained(folder)
        hidden, words = self.shape.hidden, len(tokenizer)
        ones = torch.ones(hidden, dtype=torch.bfloat16)
        held: dict[str, str] = {}
        for number in range(self.shape.layers):
            layer = f"model.layers.{number}"
            tensors = {f"{layer}.{name}.weight": self._some(size, 0.02) for name, size in self.shape.linears.items()}
            tensors |= {
                f"{layer}.{name}.weight": ones.clone() for name in ("input_layernorm", "post_attention_layernorm")
            }
            held |= self._shard(f"layer-{number:03}.safetensors", tensors)
        ends = {f"{name}.weight": self._some((words, hidden), 0.02) for name in ("model.embed_tokens", "lm_head")}
        held |= self._shard("ends.safetensors", {**ends, "model.norm.weight": ones})
        (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": held}))
        (folder / "config.json").write_text(
            json.dumps(self._config(words, tokenizer.bos_token_id, tokenizer.eos_token_id))
        )

    def adapters(self, count: int, rank: int) -> None:
        """Write `count` weak adapters, too weak to change a text, and a few strong ones. The weak share one file."""
        folder = self.folder / "adapters"
        folder.mkdir()
        self._adapter(folder / "weak-0", rank, WEAK)
        for number in range(1, count):
            (folder / f"weak-{number}").mkdir()
            for file in (folder / "weak-0").iterdir():
                os.link(file, folder / f"weak-{number}" / file.name)
        for number in range(STRONG_COUNT):
            self._adapter(folder / f"strong-{number}", rank, STRONG)

    def _adapter(self, folder: Path, rank: int, strength: float) -> None:
        from safetensors.torch import save_file

        folder.mkdir()
        tensors = {}
        for number in range(self.shape.layers):
            for name, (out, into) in self.shape.linears.items():
                key = f"base_model.model.model.layers.{number}.{name}"
                tensors[f"{key}.lora_A.weight"] = self._some((rank, into), 0.01)
                tensors[f"{key}.lora_B.weight"] = self._some((out, rank), strength)
        save_file(tensors, folder / "adapter_model.safetensors")
        targets = [name.partition(".")[2] for name in self.shape.linears]
        config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": rank, "lora_alpha": rank, "bias": "none"}
        (folder / "adapter_config.json").write_text(json.dumps({**config, "target_modules": targets}))

    def _some(self, size: tuple[int, int], deviation: float) -> torch.Tensor:
        import torch

        made = torch.randn(size, generator=self._random, device=self._device, dtype=torch.bfloat16)
        return (made * deviation).cpu()

    def _shard(self, name: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, str]:
        from safetensors.torch import save_file

        save_file(dict(tensors), self.folder / "model" / name, metadata={"format": "pt"})
        return dict.fromkeys(tensors, name)

    def _config(self, words: int, begin: int | None, end: int | None) -> dict[str, object]:
        shape = self.shape
        return {
            **{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": shape.hidden},
            **{"intermediate_size": shape.feed_forward, "num_hidden_layers": shape.layers, "head_dim": shape.head},
            **{"num_attention_heads": shape.heads, "num_key_value_heads": shape.kv_heads, "vocab_size": words},
            **{"max_position_embeddings": POSITIONS, "rms_norm_eps": 1e-5, "rope_theta": 500000.0},
            **{"hidden_act": "silu", "tie_word_embeddings": False, "bos_token_id": begin, "eos_token_id": end},
            "dtype": "bfloat16",
        }


def main() -> None:
    folder, shape, count, rank = Path(sys.argv[1]), SHAPES[sys.argv[2]], int(sys.argv[3]), int(sys.argv[4])
    writer = Writer(folder, shape)
    writer.model()
    writer.adapters(count, rank)


if __name__ == "__main__":
    main()
