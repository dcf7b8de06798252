from __future__ import annotations

from app.generation.special_tokens import special_tokens

# As vLLM 0.32 tells it of Qwen 3, Ling and Mistral's families.
TEMPLATE = (
    "{% for message in messages %}{% if message['role'] == 'user' and loop.index0 < 9 %}"
    "{{ '<role>HUMAN</role>' + message['content'] }}{% else %}{{ '[INST] ' + message[0] + '[/INST]' }}{% endif %}"
)
INFO = {
    "tokenizer_class": "CachedTokenizersBackend",
    "model_max_length": 1000000000000000019884624838656,
    "bos_token": "<|im_start|>",
    "pad_token": {"content": "<pad>", "special": True},
    "unk_token": None,
    "added_tokens_decoder": {
        "0": "<|endoftext|>",
        "1": "<|im_start|>",
        "2": "\n\n",
        "3": "이야기",
        "4": "<" + "a" * 99,
    },
    "extra_special_tokens": {"image_token": "<image>"},
    "additional_special_tokens": ["[unused9]", "<｜DSML｜"],
    "name_or_path": "<not a token>",
    "chat_template": TEMPLATE,
}


def test_tokens_of_the_tokenizer_and_of_the_template():
    in_template = {"<role>", "</role>", "[INST]", "[/INST]"}
    added = {"<|im_start|>", "<|endoftext|>", "<pad>", "<image>", "[unused9]", "<｜DSML｜"}
    assert special_tokens(INFO) == added | in_template


def test_several_templates_and_none():
    templates = [{"name": "default", "template": "<a_turn>"}, {"name": "tool_use", "template": "<b_turn>"}]
    assert special_tokens({"chat_template": templates}) == {"<a_turn>", "<b_turn>"}
    assert special_tokens({"tokenizer_class": "MistralTokenizer"}) == frozenset()
