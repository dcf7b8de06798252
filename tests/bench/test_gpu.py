"""The bench of a GPU: its shapes and its sums. `python -m bench.gpu --tiny` serves and asks, on a CPU too."""

from __future__ import annotations

import json
from argparse import Namespace

import pytest

from app.up.model_size import model_size
from bench.engine_load import Served
from bench.gpu import _row, _settings
from bench.random_model import SHAPES, Writer


@pytest.mark.parametrize(("name", "billions"), [("4b", 4.0), ("8b", 8.0), ("14b", 14.8), ("32b", 32.8)])
def test_a_shape_has_the_size_of_its_name(name, billions, tmp_path):
    size = model_size(Writer(tmp_path, SHAPES[name])._config(151_936, 1, 2))
    assert size.weights / 2e9 == pytest.approx(billions, rel=0.12)
    assert size.cache(1) == 4 * SHAPES[name].layers * SHAPES[name].kv_heads * SHAPES[name].head


def test_an_adapter_is_what_the_worker_would_check(tmp_path):
    """In PEFT's form, each weak one by the first one's file."""
    writer = Writer(tmp_path, SHAPES["tiny"])
    writer.adapters(2, 8)
    folders = sorted(path.name for path in (tmp_path / "adapters").iterdir())
    assert folders == [*(f"strong-{number}" for number in range(4)), "weak-0", "weak-1"]
    first, second = (tmp_path / "adapters" / name / "adapter_model.safetensors" for name in ("weak-0", "weak-1"))
    assert first.samefile(second)
    config = json.loads((tmp_path / "adapters" / "weak-1" / "adapter_config.json").read_text())
    assert (config["r"], len(config["target_modules"])) == (8, 7)


def test_a_row_compares_with_the_base_model_at_as_many_users():
    base = Served(waits=[0.1] * 20, rates=[100.0, 300.0])
    mine = Served(waits=[0.1] * 18 + [0.5, 0.9], rates=[150.0, 170.0])
    row = _row("8b", 8192, 16, 64, {0: base, 64: mine})
    assert (row.first_token_p50_ms, row.first_token_p95_ms) == (100.0, 500.0)
    assert (row.tokens_s, row.tokens_s_a_user, row.of_base) == (160.0, 10.0, 0.8)


def test_the_engine_holds_all_adapters_of_the_bench(tmp_path):
    settings = _settings(tmp_path, tmp_path, 8192, Namespace(adapters=[0, 64], rank=12))
    assert (settings.max_loras, settings.max_lora_rank, settings.engine_context_tokens) == (64, 16, 8192)
    assert settings.max_cpu_loras >= 64 + 4
