"""Small models over pairs of texts for ONNX Runtime, with a tokenizer of whole words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def tokenizer_of(words: list[str]) -> Tokenizer:
    vocabulary = {word: number for number, word in enumerate([*SPECIAL, *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


def save(folder: Path, tokenizer: Tokenizer, graph: onnx.GraphProto) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.checker.check_model(model)
    onnx.save(model, folder / "model.onnx")
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def inputs() -> list[onnx.ValueInfoProto]:
    return [helper.make_tensor_value_info(name, TensorProto.INT64, ["pairs", "tokens"]) for name in INPUTS]


def cross_encoder(folder: Path, weights: Mapping[str, float], *, labels: int = 1, favoured: int = 0) -> Path:
    """The score of the favoured label is the sum of the second text's words' weights; of the others it is 0."""
    tokenizer = tokenizer_of(list(weights))
    table = np.zeros((tokenizer.get_vocab_size(), labels), np.float32)
    for word, weight in weights.items():
        table[tokenizer.token_to_id(word), favoured] = weight
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["all"]),
        helper.make_node("Mul", ["attention_mask", "token_type_ids"], ["counted"]),
        helper.make_node("Cast", ["counted"], ["shares"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["shares", "last"], ["column"]),
        helper.make_node("Mul", ["all", "column"], ["second"]),
        helper.make_node("ReduceSum", ["second", "middle"], ["logits"], keepdims=0),
    ]
    constants = [
        numpy_helper.from_array(table, "table"),
        numpy_helper.from_array(np.array([2]), "last"),
        numpy_helper.from_array(np.array([1]), "middle"),
    ]
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["pairs", labels])
    return save(folder, tokenizer, helper.make_graph(nodes, "cross-encoder", inputs(), [logits], constants))


def word_checker(folder: Path, words: list[str], weight: float, bias: float) -> Path:
    """Classifies tokens: one that the first text has gets `weight` for being supported, any gets `bias` against it."""
    nodes = [
        helper.make_node("Sub", ["attention_mask", "token_type_ids"], ["first"]),
        helper.make_node("Mul", ["input_ids", "first"], ["known"]),
        helper.make_node("Unsqueeze", ["input_ids", "last"], ["rows"]),
        helper.make_node("Unsqueeze", ["known", "middle"], ["columns"]),
        helper.make_node("Equal", ["rows", "columns"], ["equal"]),
        helper.make_node("Cast", ["equal"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["numbers"], ["found"], axes=[2], keepdims=1),
        helper.make_node("Mul", ["found", "weight"], ["supported"]),
        helper.make_node("Mul", ["found", "nothing"], ["zeros"]),
        helper.make_node("Add", ["zeros", "bias"], ["unsupported"]),
        helper.make_node("Concat", ["supported", "unsupported"], ["logits"], axis=2),
    ]
    constants = [
        numpy_helper.from_array(np.array([2]), "last"),
        numpy_helper.from_array(np.array([1]), "middle"),
        numpy_helper.from_array(np.array(weight, np.float32), "weight"),
        numpy_helper.from_array(np.array(0, np.float32), "nothing"),
        numpy_helper.from_array(np.array(bias, np.float32), "bias"),
    ]
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["pairs", "tokens", 2])
    graph = helper.make_graph(nodes, "checker", inputs(), [logits], constants)
    folder = save(folder, tokenizer_of(words), graph)
    (folder / "config.json").write_text(json.dumps({"id2label": {"0": "supported", "1": "hallucinated"}}))
    return folder
