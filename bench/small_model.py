"""A model whose time hardly counts, so that what the service adds shows: two layers of random weights.

python -m bench.small_model FOLDER/models/smollm2 SMALL    # with the tokenizer and the chat template of the first
KYUJANG_MODEL=SMALL python -m bench.serve --start FOLDER --only latency
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

SEED = 0


def write(like: Path, folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(like)
    torch.manual_seed(SEED)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=8192,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
