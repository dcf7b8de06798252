"""Models of random weights, in the architectures of known embedders and rerankers."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import (
    AutoTokenizer,
    PreTrainedModel,
    Qwen3Config,
    Qwen3ForCausalLM,
    XLMRobertaConfig,
    XLMRobertaForSequenceClassification,
    XLMRobertaModel,
)

SMALL = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 128}


def write_models(folder: Path, tokenizer_folder: Path) -> dict[str, Path]:
    """Write one as BAAI/bge-m3, one as Qwen3-Embedding and one as BAAI/bge-reranker-v2-m3."""
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    torch.manual_seed(5)
    words = {"vocab_size": len(tokenizer), "initializer_range": 0.3}
    like_bge = {**SMALL, **words, "max_position_embeddings": 514, "pad_token_id": tokenizer.pad_token_id}
    # As the published configurations have it. vLLM asks for it, and transformers no longer writes it by itself.
    like_bge |= {"position_embedding_type": "absolute"}
    like_qwen = {**SMALL, **words, "num_key_value_heads": 2, "head_dim": 32, "max_position_embeddings": 512}
    made: dict[str, PreTrainedModel] = {
        "bge": XLMRobertaModel(XLMRobertaConfig(**like_bge)),
        "qwen": Qwen3ForCausalLM(Qwen3Config(**like_qwen, eos_token_id=tokenizer.eos_token_id)),
        "reranker": XLMRobertaForSequenceClassification(XLMRobertaConfig(**like_bge, num_labels=1)),
    }
    for name, model in made.items():
        model.save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
    return {name: folder / name for name in made}
