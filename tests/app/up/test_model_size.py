"""Shapes of published models, whose parameters and cache their cards tell."""

from __future__ import annotations

import pytest

from app.up.gpus import GIB
from app.up.model_size import SizeUnknown, model_size

QWEN3_4B = {
    "hidden_size": 2560, "num_hidden_layers": 36, "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128,
    "intermediate_size": 9728, "vocab_size": 151936, "tie_word_embeddings": True, "max_position_embeddings": 262144,
}  # fmt: skip
LLAMA_8B = {
    "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
    "intermediate_size": 14336, "vocab_size": 128256, "tie_word_embeddings": False, "max_position_embeddings": 131072,
    "rope_scaling": {"factor": 8.0, "rope_type": "llama3"},
}  # fmt: skip
QWEN3_30B_A3B = {
    "hidden_size": 2048, "num_hidden_layers": 48, "num_attention_heads": 32, "num_key_value_heads": 4, "head_dim": 128,
    "intermediate_size": 6144, "moe_intermediate_size": 768, "num_experts": 128, "vocab_size": 151936,
    "tie_word_embeddings": False, "max_position_embeddings": 40960,
}  # fmt: skip


@pytest.mark.parametrize(
    ("config", "billions", "kib_a_token"),
    [(QWEN3_4B, 4.02, 144), (LLAMA_8B, 8.03, 128), (QWEN3_30B_A3B, 30.5, 96)],
    ids=["Qwen3-4B", "Llama-3.1-8B", "Qwen3-30B-A3B"],
)
def test_parameters_and_cache_are_those_of_the_model_s_card(config, billions, kib_a_token):
    size = model_size(config)
    assert size.weights / 2e9 == pytest.approx(billions, rel=0.01)
    assert size.cache(1) == kib_a_token * 1024


def test_the_longest_context_of_qwen3_4b_takes_36_gib():
    size = model_size(QWEN3_4B)
    assert (size.longest, size.cache(262_144) / GIB) == (262_144, 36.0)
    assert size.tokens_in(36 * GIB) == 262_144
    assert size.tokens_in(36 * GIB, value_bytes=1) == 2 * 262_144
    assert size.tokens_in(0) == size.tokens_in(-GIB) == 0


def test_a_context_that_is_stretched_is_not_guessed():
    assert model_size(LLAMA_8B).longest is None


@pytest.mark.parametrize(
    ("quantization", "share"),
    [
        ({"quant_method": "awq", "bits": 4}, 0.27),
        ({"quant_method": "gptq", "bits": 8}, 0.53),
        ({"quant_method": "fp8"}, 0.53),
        ({"quant_method": "compressed-tensors", "config_groups": {"group_0": {"weights": {"num_bits": 4}}}}, 0.27),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True}, 0.53),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, 0.27),
    ],
)
def test_quantised_weights_are_smaller_and_embeddings_are_not(quantization, share):
    plain, packed = model_size(LLAMA_8B), model_size({**LLAMA_8B, "quantization_config": quantization})
    embedded = 2 * 128256 * 4096 * 2
    assert (packed.weights - embedded) / (plain.weights - embedded) == pytest.approx(share, abs=0.01)
    assert packed.cache(100) == plain.cache(100)


def test_the_setting_quantises_a_model_that_is_not():
    assert model_size(LLAMA_8B, "fp8").weights < 0.65 * model_size(LLAMA_8B).weights
    with pytest.raises(SizeUnknown, match="how many bits"):
        model_size(LLAMA_8B, "unheard-of")


def test_layers_with_a_window_or_without_a_cache_take_less():
    local = {**LLAMA_8B, "layer_types": ["sliding_attention"] * 24 + ["full_attention"] * 8, "sliding_window": 1024}
    size, whole = model_size(local), model_size(LLAMA_8B)
    assert size.cache(1024) == whole.cache(1024)
    assert size.cache(8192) == whole.cache(8192) // 4 + whole.cache(1024) * 3 // 4
    assert size.tokens_in(size.cache(8192)) == 8192
    hybrid = model_size({**LLAMA_8B, "layer_types": ["linear_attention"] * 24 + ["full_attention"] * 8})
    assert hybrid.cache(8192) == whole.cache(8192) // 4


def test_an_adapter_has_the_sum_of_its_matrices_sides():
    """Rank 16 of Llama-3.1-8B: 41.9 million parameters on all linear layers."""
    assert model_size(LLAMA_8B).lora * 16 / 2 == pytest.approx(41.94e6, rel=0.001)


def test_a_model_with_pictures_has_its_text_model_s_size():
    assert model_size({"text_config": LLAMA_8B, "vision_config": {}}) == model_size(LLAMA_8B)


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"hidden_size": 10},
        {**LLAMA_8B, "vocab_size": None},
        {**LLAMA_8B, "hidden_size": "wide"},
        {**LLAMA_8B, "num_attention_heads": 0},
        {**LLAMA_8B, "kv_lora_rank": 512},
        {**LLAMA_8B, "text_config": 5},
    ],
)
def test_what_cannot_be_computed_says_so(config):
    with pytest.raises(SizeUnknown):
        model_size(config)
