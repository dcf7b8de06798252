"""Real training of a model that is small enough: what it writes, when it ends, and that it goes on after a kill."""

from __future__ import annotations

import asyncio
import io
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.adapters.training_request import Hyperparameters, validated_rows
from app.sandbox.channel import Channel
from app.sandbox.limits import UNLIMITED
from app.sandbox.profile import Profile
from ingest.jobs.queue import TaskFailed
from ingest.tune.instructions import examples
from ingest.tune.plan import RESULT, TRAIN, Plan, TrainingRefused, read_examples
from ingest.tune.run import train
from tests.conftest import ROOT

FEW = {"rank": 2, "batch_size": 2, "learning_rate": 1e-2, "max_length": 1500, "target_modules": ["q_proj"]}


def rows_for(method: str, count: int = 12) -> list[dict[str, Any]]:
    answers = {"sft": {"output": "예."}, "dpo": {"chosen": "Yes.", "rejected": "아니요."}}
    return [{"instruction": f"Question number {number}?", **answers[method]} for number in range(count)]


def write_plan(folder: Path, base: Path, method: str = "sft", memory_mb: int = 8192, **parameters: Any) -> Path:
    chosen = Hyperparameters(**{**FEW, "eval_share": 0, **parameters})
    made = examples(validated_rows(method, rows_for(method)), seed=chosen.seed, eval_share=chosen.eval_share)
    plan = Plan(method=method, base=str(base), base_name="served-name", hyperparameters=chosen, memory_mb=memory_mb)
    plan.write(folder, made)
    return folder


def trained_here(folder: Path) -> list[dict[str, Any]]:
    """In this process, which saves the ten seconds that the libraries take to load; collecting takes none of them."""
    from ingest.tune import train as child

    said = io.BytesIO()
    child.run_training(Plan.read(folder), folder, Channel(io.BytesIO(), said))
    return [json.loads(line) for line in said.getvalue().splitlines()]


def config_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / RESULT / "adapter_config.json").read_text())


def weights_of(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(folder / RESULT / "adapter_model.safetensors")


def test_an_adapter_is_its_two_files_and_names_the_served_model(tmp_path, tiny_model):
    said = trained_here(write_plan(tmp_path / "job", tiny_model, kind="rslora", rank=4, max_steps=2))
    assert [message["step"] for message in said if "step" in message] == [1, 2]
    assert said[-1]["done"]["steps"] == 2
    assert sorted(os.listdir(tmp_path / "job" / RESULT)) == ["adapter_config.json", "adapter_model.safetensors"]
    config = config_of(tmp_path / "job")
    expected = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "use_rslora": True, "use_dora": False, "bias": "none"}
    assert expected.items() <= config.items()
    assert config["base_model_name_or_path"] == "served-name"
    weights = weights_of(tmp_path / "job")
    assert len(weights) == 4
    assert any(abs(tensor).max() > 0 for name, tensor in weights.items() if "lora_B" in name)


def test_the_answer_alone_is_learnt(tmp_path, tiny_model):
    from transformers import AutoTokenizer

    from ingest.tune import trainer

    folder = write_plan(tmp_path / "job", tiny_model)
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    built = trainer.make_trainer(Plan.read(folder), folder, tokenizer, read_examples(folder / TRAIN), [])
    batch = next(iter(built.get_train_dataloader()))
    for tokens, labels in zip(batch["input_ids"], batch["labels"], strict=True):
        assert "?" in tokenizer.decode(tokens)
        assert tokenizer.decode(labels[labels != -100]).strip() == "예.<|im_end|>"


def test_preferences_are_learnt(tmp_path, tiny_model):
    said = trained_here(write_plan(tmp_path / "job", tiny_model, "dpo", max_steps=4, eval_share=0.25))
    losses = [message["loss"] for message in said if "loss" in message]
    assert losses[0] == pytest.approx(0.693, abs=0.01)
    assert losses[-1] < losses[0]
    assert said[-1]["done"]["eval_loss"] is not None


def test_it_ends_early_when_held_out_rows_get_no_better(tmp_path, tiny_model):
    """Far too high a rate: nothing gets better by a hundredth. What is saved is the best."""
    folder = write_plan(
        tmp_path / "job", tiny_model, max_steps=40, learning_rate=1.0, eval_share=0.25, patience=1, warmup=0
    )
    said = trained_here(folder)
    measured = [message["eval_loss"] for message in said if "eval_loss" in message]
    done = said[-1]["done"]
    assert done["steps"] < done["planned_steps"] == 40
    assert done["stopped"] == "no_gain"
    assert done["eval_loss"] == min(measured)


def test_without_held_out_rows_it_ends_early_too(tmp_path, tiny_model):
    """Far too low a rate: nothing is learnt."""
    folder = write_plan(tmp_path / "job", tiny_model, max_steps=40, learning_rate=1e-9, patience=1)
    done = trained_here(folder)[-1]["done"]
    assert (done["stopped"], done["steps"], done["planned_steps"]) == ("no_gain", 8, 40)


def test_rows_that_are_too_long_are_left_out_and_counted(tmp_path, tiny_model):
    said = trained_here(write_plan(tmp_path / "job", tiny_model, max_length=43, max_steps=1))
    assert said[0]["rows"] == {"train": 10, "held_out": 0, "too_long": 2}
    with pytest.raises(TrainingRefused, match="longer than max_length"):
        trained_here(write_plan(tmp_path / "other", tiny_model, max_length=32, max_steps=1))


@pytest.mark.parametrize("method", ["sft", "dpo"])
def test_the_base_model_is_trained_on_in_four_bits(tmp_path, tiny_model, method):
    """QLoRA: https://arxiv.org/abs/2305.14314. What comes out is an adapter like any other."""
    import torch

    from ingest.tune import trainer

    folder = write_plan(tmp_path / "job", tiny_model, method, base_4bit=True, max_steps=4)
    layer = trainer.load_base(Plan.read(folder)).model.layers[0].self_attn.q_proj
    assert (layer.weight.dtype, layer.weight.quant_state.quant_type) == (torch.uint8, "nf4")
    losses = [message["loss"] for message in trained_here(folder) if "loss" in message]
    assert losses[-1] < losses[0]
    weights = weights_of(folder)
    assert any(abs(tensor).max() > 0 for name, tensor in weights.items() if "lora_B" in name)


@pytest.mark.parametrize(
    ("name", "major", "computes"),
    [("Tesla T4", 7, False), ("Tesla V100-SXM2-16GB", 7, False), ("NVIDIA L4", 8, True), ("NVIDIA H100 PCIe", 9, True)],
)
def test_a_gpu_that_emulates_bfloat16_trains_in_float32(tmp_path, tiny_model, monkeypatch, name, major, computes):
    """By the capability that each has; all four would say that they have bfloat16."""
    import torch

    from ingest.tune import trainer

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: SimpleNamespace(name=name, major=major))
    monkeypatch.setattr(torch.cuda, "_check_bf16_tensor_supported", lambda _: True)
    plan = Plan.read(write_plan(tmp_path / "job", tiny_model))
    assert trainer.load_base(plan).dtype == (torch.bfloat16 if computes else torch.float32)
    assert trainer._arguments(plan, tmp_path, rows=12, measured=False)["bf16"] is computes


def test_four_bits_need_a_library_that_is_an_extra(tmp_path, tiny_model, monkeypatch):
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(TrainingRefused, match="the extra 'qlora'"):
        trained_here(write_plan(tmp_path / "job", tiny_model, base_4bit=True, max_steps=1))


def test_a_checkpoint_that_is_not_complete_does_not_count(tmp_path):
    from ingest.tune import train as child

    assert child._last_checkpoint(tmp_path) is None
    for step, state in ((9, "{}"), (10, "{}"), (11, '{"glob'), (12, None)):
        (tmp_path / f"checkpoint-{step}").mkdir()
        if state is not None:
            (tmp_path / f"checkpoint-{step}" / child.STATE).write_text(state)
    assert child._last_checkpoint(tmp_path) == tmp_path / "checkpoint-10"


async def test_too_little_memory_is_said(tmp_path, tiny_model):
    folder = write_plan(tmp_path / "job", tiny_model, memory_mb=300, max_steps=2)
    with pytest.raises(TaskFailed, match="KYUJANG_TUNE_MEMORY_MB"):
        await train(folder, tiny_model, lambda _: None, threads=1, memory_mb=300)


async def test_it_ends_with_the_worker(tmp_path, tiny_model):
    """Of a worker that is killed nothing is left but the pipe's end."""
    folder = write_plan(tmp_path / "job", tiny_model, max_steps=100_000)
    profile = Profile(read={"base": tiny_model}, scratch={"folder": folder})
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "app.sandbox", UNLIMITED.to_json(), profile.to_json(), "ingest.tune.train"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    async for line in process.stdout:
        if "step" in json.loads(line):
            process.stdin.close()
            break
    assert await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 1
