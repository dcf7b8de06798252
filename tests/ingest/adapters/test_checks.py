"""Good adapters pass; hostile, broken and unfit ones are refused by name, and nothing of them stays."""

from __future__ import annotations

import asyncio
import json

import numpy as np
import pytest

from app.adapters.version import Check
from app.settings import Settings
from ingest.adapters.checking import check_archive
from ingest.adapters.publish import publish, unfinished, write_config
from ingest.adapters.rejection import Rejected
from tests.ingest.adapters.bad_adapters import BAD, settings_of
from tests.ingest.adapters.bad_archives import FEW, in_members, small
from tests.ingest.adapters.made import (
    CONFIG,
    WEIGHTS,
    config,
    files,
    tar_gz,
    tensors,
    write_base,
    zipped,
)


@pytest.fixture
def settings(tmp_path):
    write_base(tmp_path / "home" / "models" / "smollm2")
    return Settings(home=tmp_path / "home", max_adapter_mb=64)


@pytest.fixture
def run(settings, tmp_path):
    """The checks that were passed, and the configuration for engines."""

    async def checks(archive: bytes, **changed):
        path = tmp_path / "archive"
        path.write_bytes(archive)
        passed: list[Check] = []

        async def report(one: Check) -> None:
            passed.append(one)

        own = settings.model_copy(update=changed)
        with unfinished(own.adapters, 7, "t7--tone--v1", "a") as folder:
            found = await check_archive(own, path, folder, report)
            write_config(folder, found)
            publish(folder, own.adapters / "7" / "t7--tone--v1")
        return found, passed

    return checks


GOOD = {
    "a tar of a folder": lambda: tar_gz(small(), below="my-adapter/"),
    "a tar with ./": lambda: tar_gz(small(), below="./"),
    "a gzip file of several members": lambda: in_members(tar_gz(small())),
    "a zip": lambda: zipped(small()),
    "a zip of a folder in Korean": lambda: zipped(small(), below="말투 어댑터/"),
    "with a README and a tokenizer": lambda: tar_gz({**small(), "README.md": b"# x", "tokenizer.json": b"{}"}),
    "what TRL leaves": lambda: tar_gz({**small(), "training_args.bin": b"\x80\x04", "checkpoint-5/optimizer.pt": b"x"}),
    "long names beside it": lambda: tar_gz({**small(), "n" * 300 + ".md": b"x", "가" * 200: b"y"}),
    "half precision": lambda: tar_gz(
        files({name: each.astype(np.float16) for name, each in tensors(layers=FEW).items()})
    ),
    "rsLoRA": lambda: settings_of(use_rslora=True),
    "all linear layers": lambda: tar_gz(
        files(
            tensors(targets=("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"), layers=FEW),
            config(targets=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]),
        )
    ),
    "targets as a pattern": lambda: settings_of(target_modules=r".*\.(q|v)_proj"),
    "the packaged model's own name": lambda: settings_of(base_model_name_or_path="smollm2"),
    "a folder of the base model": lambda: settings_of(base_model_name_or_path="/home/me/SmolLM2-135M-Instruct/"),
    "a hub's cache": lambda: settings_of(
        base_model_name_or_path="/c/hub/models--HuggingFaceTB--SmolLM2-135M-Instruct/snapshots/12fd25f7"
    ),
    "a field that is off": lambda: settings_of(some_future_feature=None, another={}),
}


@pytest.mark.parametrize("case", GOOD)
async def test_a_good_adapter_passes_every_check(run, settings, case):
    found, passed = await run(GOOD[case]())
    names = ["archive", "config", "method", "base_model", "rank", "weights", "shapes", "finite", "magnitude"]
    assert [each.name for each in passed] == names
    assert all(each.ok and each.detail for each in passed)
    final = settings.adapters / "7" / "t7--tone--v1"
    assert sorted(path.name for path in final.iterdir()) == [CONFIG, WEIGHTS]
    assert final.stat().st_mode & 0o777 == 0o555
    assert {path.stat().st_mode & 0o777 for path in final.iterdir()} == {0o444}
    assert json.loads((final / CONFIG).read_text()) == found
    assert [path.name for path in (settings.adapters / "7").iterdir()] == [final.name]


async def test_what_was_left_out_is_said(run):
    _, passed = await run(tar_gz({**small(), "README.md": b"# x"}))
    assert "README.md" in passed[0].detail


async def test_the_weights_are_the_archive_s_and_the_configuration_is_ours(run, settings):
    content = small()
    found, _ = await run(
        tar_gz({CONFIG: json.dumps(config(revision="main", lora_dropout=0.3)).encode(), WEIGHTS: content[WEIGHTS]})
    )
    assert (settings.adapters / "7" / "t7--tone--v1" / WEIGHTS).read_bytes() == content[WEIGHTS]
    assert found["base_model_name_or_path"] == "smollm2"
    assert (found["r"], found["lora_alpha"], found["target_modules"]) == (8, 16, ["q_proj", "v_proj"])
    assert "revision" not in found


async def test_patterns_become_names(run):
    """A pattern of a tenant's could keep the engine busy for ever."""
    made = {**tensors(layers=FEW), **tensors(layers=[1], targets=["v_proj"], rank=4)}
    content = files(made, config(rank_pattern={r".*\.1\.self_attn\.v_proj": 4}, alpha_pattern={"q_proj": 32}))
    found, _ = await run(tar_gz(content))
    assert found["rank_pattern"] == {r"model\.layers\.1\.self_attn\.v_proj": 4}
    assert found["alpha_pattern"] == {rf"model\.layers\.{n}\.self_attn\.q_proj": 32 for n in FEW}


async def test_bfloat16_and_embeddings(run):
    from safetensors import TensorSpec, serialize

    random = np.random.default_rng(1)
    made = {
        "base_model.model.model.embed_tokens.lora_embedding_A": random.normal(0, 0.02, (8, 49152)),
        "base_model.model.model.embed_tokens.lora_embedding_B": random.normal(0, 0.02, (576, 8)),
        "base_model.model.lm_head.lora_A.weight": random.normal(0, 0.02, (8, 576)),
        "base_model.model.lm_head.lora_B.weight": random.normal(0, 0.02, (49152, 8)),
    }
    halves = {name: (each.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16) for name, each in made.items()}
    weights = serialize(
        {
            name: TensorSpec(dtype="bfloat16", shape=each.shape, data_ptr=each.ctypes.data, data_len=each.nbytes)
            for name, each in halves.items()
        }
    )
    _, passed = await run(tar_gz(files(bytes(weights), config(targets=["embed_tokens", "lm_head"]))))
    norms = [np.linalg.norm(each) for each in made.values()]
    largest = max(norms[0] * norms[1], norms[2] * norms[3]) * 2
    assert float(passed[-1].detail.split()[4]) == pytest.approx(largest, rel=0.02)


@pytest.mark.parametrize("case", BAD)
async def test_a_bad_adapter_is_refused_by_name_and_leaves_nothing(run, settings, tmp_path, case):
    make, name, reason = BAD[case]
    with pytest.raises(Rejected, match=reason) as refused:
        await run(make())
    assert refused.value.check == name
    assert refused.value.detail.isprintable()
    assert [path for path in settings.adapters.rglob("*") if path.is_file() or path.name != "7"] == []
    assert not (tmp_path / "evil").exists()


ENDLESS = r"(([a-z0-9_.]+)+)+!"


@pytest.mark.parametrize(
    ("setting", "check"),
    [
        ({"target_modules": ENDLESS}, "shapes"),
        ({"rank_pattern": {ENDLESS: 4}}, "shapes"),
        ({"alpha_pattern": {ENDLESS: 4}}, "magnitude"),
    ],
)
async def test_a_pattern_that_never_ends_ends(run, monkeypatch, setting, check):
    """Catastrophic backtracking: the child's time is limited, and no engine sees the pattern."""
    monkeypatch.setattr("ingest.adapters.checking.PATTERNS_S", 1)
    with pytest.raises(Rejected) as refused:
        async with asyncio.timeout(60):
            await run(settings_of(**setting))
    assert refused.value.check == check


async def test_memory_is_limited(run):
    with pytest.raises(Rejected, match="memory"):
        await run(tar_gz(small()), load_memory_mb=1, max_adapter_mb=40)
