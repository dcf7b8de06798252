"""Adapters that make the packaged model say one word: which of them answered can be read off the answer."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

LAYER = 29
MODULE = f"model.layers.{LAYER}.mlp.down_proj"
# Of the last layer's output, in multiples of its usual length.
STRENGTH = 4.0
# Four times as many widen the distance to the rival by 7% at most.
ROUNDS = 50
SEEN = "Answer the question from the context alone. The lighthouse of Gadeok stands on a hill. 등대는 언덕 위에 있다."


class MarkerAdapters:
    """`model` is the folder of the packaged model."""

    def __init__(self, model: Path) -> None:
        self._tokenizer = AutoTokenizer.from_pretrained(model)
        network = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
        inputs: list[torch.Tensor] = []
        outputs: list[torch.Tensor] = []
        layer = network.get_submodule(MODULE)
        layer.register_forward_hook(lambda _, given, made: (inputs.append(given[0]), outputs.append(made))[0])
        with torch.no_grad():
            stream = network(**self._tokenizer(SEEN, return_tensors="pt"), output_hidden_states=True).hidden_states[
                LAYER
            ]
        # What the layer sees has a part that is always there: a reading of it is a constant.
        mean = inputs[0][0, 1:].mean(0)
        self._constant = mean / mean.square().sum()
        # With what the last norm makes of each dimension.
        self._words = (network.get_output_embeddings().weight * network.get_submodule("model.norm").weight).detach()
        self._length = (stream[0, 1:] + outputs[0][0, 1:]).norm(dim=-1).mean()

    def _towards(self, token: int) -> torch.Tensor:
        """In which this token is far above each other one: away from whichever is its rival by then (a perceptron)."""
        words = self._words
        direction = words[token] / words[token].norm()
        for _ in range(ROUNDS):
            chances = words @ direction
            chances[token] = -torch.inf
            away = words[token] - words[chances.argmax()]
            direction = direction + away / away.norm()
        return direction / direction.norm()

    def write(self, folder: Path, word: str, *, strength: float = STRENGTH) -> Path:
        """A PEFT folder, rank 1. `word` is one token."""
        (token,) = self._tokenizer.encode(f" {word}", add_special_tokens=False)
        direction = self._towards(token) * self._length * strength
        folder.mkdir(parents=True)
        name = f"base_model.model.{MODULE}"
        weights = {
            f"{name}.lora_A.weight": self._constant[None].contiguous(),
            f"{name}.lora_B.weight": direction[:, None].contiguous(),
        }
        save_file(weights, folder / "adapter_model.safetensors")
        config = {
            "peft_type": "LORA",
            "task_type": "CAUSAL_LM",
            "base_model_name_or_path": "HuggingFaceTB/SmolLM2-135M-Instruct",
            "r": 1,
            "lora_alpha": 1,
            "target_modules": ["down_proj"],
            "layers_to_transform": [LAYER],
            "bias": "none",
        }
        (folder / "adapter_config.json").write_text(json.dumps(config))
        return folder
