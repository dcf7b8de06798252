"""The shapes of a base model's layers, off the headers of its weights: plain and in each form of quantisation."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from app.settings import Settings
from ingest.adapters.base_model import BaseUnknown, open_base
from ingest.adapters.checking import NoBaseModel, base_model
from tests.ingest.adapters.made import BASE_CONFIG, write_base

Q = "model.layers.0.self_attn.q_proj"
OUT, INTO = 256, 512


def stored(folder, tensors, **config):
    write_base(folder)
    (folder / "config.json").write_text(json.dumps({"model_type": "odd", **config}))
    halves = dict(list(tensors.items())[::2]), dict(list(tensors.items())[1::2])
    for number, part in enumerate(halves, start=1):
        save_file(part, folder / f"model-{number:05}-of-00002.safetensors")
    return open_base(folder, ["odd"])


LAYOUTS = {
    "plain": ({f"{Q}.weight": np.ones((OUT, INTO), np.float16)}, None),
    "fp8": ({f"{Q}.weight": np.ones((OUT, INTO), np.uint8), f"{Q}.weight_scale": np.ones(1, np.float32)}, None),
    "awq": (
        {f"{Q}.qweight": np.ones((INTO, OUT // 8), np.int32), f"{Q}.scales": np.ones((INTO // 128, OUT), np.float16)},
        {"quant_method": "awq", "bits": 4},
    ),
    "gptq": (
        {f"{Q}.qweight": np.ones((INTO // 8, OUT), np.int32), f"{Q}.scales": np.ones((INTO // 128, OUT), np.float16)},
        {"quant_method": "gptq", "bits": 4},
    ),
    "gptq of 3 bits": (
        {
            f"{Q}.qweight": np.ones((INTO * 3 // 32, OUT), np.int32),
            f"{Q}.scales": np.ones((INTO // 128, OUT), np.float16),
        },
        {"quant_method": "gptq", "bits": 3},
    ),
    "compressed-tensors": (
        {
            f"{Q}.weight_packed": np.ones((OUT, INTO // 8), np.int32),
            f"{Q}.weight_shape": np.array([OUT, INTO], np.int64),
        },
        {"quant_method": "compressed-tensors"},
    ),
    "4-bit floats": ({f"{Q}.weight_packed": np.ones((OUT, INTO // 2), np.uint8)}, None),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layer_s_shape_however_it_is_stored(tmp_path, layout):
    tensors, quantization = LAYOUTS[layout]
    # Both tensors of a layer are in one file, as savers write them.
    base = stored(tmp_path, {**tensors}, quantization_config=quantization) if len(tensors) == 1 else None
    if base is None:
        write_base(tmp_path)
        (tmp_path / "config.json").write_text(json.dumps({"model_type": "odd", "quantization_config": quantization}))
        save_file(tensors, tmp_path / "model.safetensors")
        base = open_base(tmp_path, ["odd"])
    assert base.modules == {Q: (OUT, INTO)}


def test_weights_in_several_files_and_tied_embeddings(tmp_path):
    base = stored(
        tmp_path,
        {
            "model.embed_tokens.weight": np.ones((1000, INTO), np.float16),
            f"{Q}.weight": np.ones((OUT, INTO), np.float16),
            "model.norm.weight": np.ones(INTO, np.float16),
        },
    )
    assert base.embeddings == {"model.embed_tokens": (1000, INTO)}
    assert base.modules == {Q: (OUT, INTO), "lm_head": (1000, INTO)}


def test_without_weights_the_configuration_of_a_llama_will_do(tmp_path):
    base = open_base(write_base(tmp_path), ["smollm2"])
    assert len(base.modules) == 30 * 7 + 1
    assert base.modules["model.layers.29.self_attn.k_proj"] == (192, 576)
    assert base.modules["model.layers.0.mlp.down_proj"] == (576, 1536)


@pytest.mark.parametrize("config", ["{", "[]", '{"model_type": "mamba"}', '{"model_type": "llama"}'])
def test_what_cannot_be_known_is_the_service_s_own_fault(tmp_path, config):
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(BaseUnknown):
        open_base(tmp_path, ["x"])


def test_where_the_base_model_is_and_what_it_is_called(tmp_path, monkeypatch):
    packaged = write_base(tmp_path / "models" / "smollm2")
    folder, names = base_model(Settings(home=tmp_path, base_model_names="ours/one, two"))
    assert (folder, names[:4]) == (packaged, ["smollm2", "HuggingFaceTB/SmolLM2-135M-Instruct", "ours/one", "two"])
    own = write_base(tmp_path / "own-model")
    assert base_model(Settings(home=tmp_path, model=str(own))) == (own, ["own-model", str(own)])
    explicit = Settings(home=tmp_path, model="org/name", base_model=own)
    assert base_model(explicit) == (own, ["org/name", str(own)])
    with pytest.raises(NoBaseModel, match="KYUJANG_BASE_MODEL"):
        base_model(Settings(home=tmp_path, model="org/name"))


def test_a_model_of_the_hub_s_cache_is_found_without_the_network(tmp_path, monkeypatch):
    model = tmp_path / "hub" / "models--org--name"
    snapshot = write_base(model / "snapshots" / "1234")
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text("1234")
    elsewhere = Settings(home=tmp_path / "home", model="org/name", base_model=tmp_path)
    assert base_model(elsewhere) == (snapshot, ["org/name"])
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    assert base_model(Settings(home=tmp_path / "home", model="org/name")) == (snapshot, ["org/name"])
    assert json.loads((snapshot / "config.json").read_text()) == BASE_CONFIG
