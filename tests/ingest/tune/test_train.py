"""Real training of a model that is small enough: what it writes, when it ends, and that it goes on after a kill."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from safetensors.numpy import load_file
from transformers import AutoTokenizer

from app.tuning import Hyperparameters, validated_rows
from ingest.tune import train as child
from ingest.tune.instructions import examples
from ingest.tune.plan import RESULT, TRAIN, Plan, read_examples
from ingest.tune.run import TrainingDied, TrainingFailed, train

FEW = {"rank": 2, "batch_size": 2, "learning_rate": 1e-2, "max_length": 1500, "target_modules": ["q_proj"]}


def rows_for(method: str, count: int = 12) -> list[dict[str, Any]]:
    answers = {"sft": {"output": "예."}, "dpo": {"chosen": "Yes.", "rejected": "아니요."}}
    return [{"instruction": f"{number}?", **answers[method]} for number in range(count)]


def write_plan(folder: Path, base: Path, method: str = "sft", memory_mb: int = 8192, **parameters: Any) -> Path:
    chosen = Hyperparameters(**{**FEW, "eval_share": 0, **parameters})
    made = examples(validated_rows(method, rows_for(method)), seed=chosen.seed, eval_share=chosen.eval_share)
    plan = Plan(method=method, base=str(base), base_name="served-name", hyperparameters=chosen, memory_mb=memory_mb)
    plan.write(folder, made)
    return folder


def trained_here(folder: Path) -> list[dict[str, Any]]:
    """In this process, which saves the ten seconds that the libraries take to load."""
    said = io.StringIO()
    child._train(Plan.read(folder), folder, child.Report(said))
    return [json.loads(line) for line in said.getvalue().splitlines()]


def config_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / RESULT / "adapter_config.json").read_text())


def test_an_adapter_is_its_two_files_and_names_the_served_model(tmp_path, tiny_model):
    said = trained_here(write_plan(tmp_path / "job", tiny_model, kind="rslora", rank=4, max_steps=2))
    assert [message["step"] for message in said if "step" in message] == [1, 2]
    assert said[-1]["done"]["steps"] == 2
    assert sorted(os.listdir(tmp_path / "job" / RESULT)) == ["adapter_config.json", "adapter_model.safetensors"]
    config = config_of(tmp_path / "job")
    expected = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "use_rslora": True, "use_dora": False, "bias": "none"}
    assert expected.items() <= config.items()
    assert config["base_model_name_or_path"] == "served-name"
    weights = load_file(tmp_path / "job" / RESULT / "adapter_model.safetensors")
    assert len(weights) == 4
    assert any(abs(tensor).max() > 0 for name, tensor in weights.items() if "lora_B" in name)


def test_the_answer_alone_is_learnt(tmp_path, tiny_model):
    folder = write_plan(tmp_path / "job", tiny_model)
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    trainer = child._trainer(Plan.read(folder), folder, tokenizer, read_examples(folder / TRAIN), [])
    batch = next(iter(trainer.get_train_dataloader()))
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
    """Far too high a rate: nothing gets better. What is saved is the best, not the last."""
    folder = write_plan(
        tmp_path / "job", tiny_model, max_steps=40, learning_rate=1.0, eval_share=0.25, patience=1, warmup=0
    )
    said = trained_here(folder)
    measured = [message["eval_loss"] for message in said if "eval_loss" in message]
    assert said[-1]["done"]["steps"] < 40
    assert said[-1]["done"]["eval_loss"] == min(measured) < measured[-1]


def test_rows_that_are_too_long_are_left_out_and_counted(tmp_path, tiny_model):
    said = trained_here(write_plan(tmp_path / "job", tiny_model, max_length=46, max_steps=1))
    assert said[0]["rows"] == {"train": 10, "held_out": 0, "too_long": 2}
    with pytest.raises(child.Refusal, match="longer than max_length"):
        trained_here(write_plan(tmp_path / "other", tiny_model, max_length=32, max_steps=1))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_four_bits_need_a_gpu(tmp_path, tiny_model):
    with pytest.raises(child.Refusal, match="needs an NVIDIA GPU"):
        trained_here(write_plan(tmp_path / "job", tiny_model, base_4bit=True, max_steps=1))


async def run(folder: Path, heard: list[dict[str, Any]], **options: Any) -> None:
    await train(folder, heard.append, threads=1, **{"memory_mb": 8192, **options})


async def test_after_a_kill_it_goes_on_from_its_last_checkpoint(tmp_path, tiny_model):
    """The second run also is what the limits are set for: it passes with them."""
    folder = write_plan(tmp_path / "job", tiny_model, max_steps=300)
    heard: list[dict[str, Any]] = []

    def kill_once_saved(message: dict[str, Any]) -> None:
        heard.append(message)
        if message.get("step", 0) == 70:
            (process,) = [each for each in psutil.Process().children() if str(folder) in each.cmdline()]
            assert process.nice() == child.NICENESS
            process.send_signal(signal.SIGKILL)

    with pytest.raises(TrainingDied):
        await train(folder, kill_once_saved, threads=1, memory_mb=8192)
    # As if it had been killed within a save: what is not complete does not count.
    (folder / "checkpoints" / "checkpoint-299").mkdir()
    resumed: list[dict[str, Any]] = []
    await run(folder, resumed)
    steps = [message["step"] for message in resumed if "step" in message]
    assert 31 <= steps[0] <= 91
    assert steps == list(range(steps[0], 301))
    assert resumed[-1]["done"]["steps"] == 300


async def test_who_stops_it_ends_it_and_too_little_memory_is_said(tmp_path, tiny_model):
    folder = write_plan(tmp_path / "job", tiny_model, memory_mb=300, max_steps=2)
    with pytest.raises(TrainingFailed, match="KYUJANG_TUNE_MEMORY_MB"):
        await run(folder, [], memory_mb=300)
    folder = write_plan(tmp_path / "other", tiny_model, max_steps=100_000)
    begun = asyncio.Event()
    task = asyncio.create_task(train(folder, lambda _: begun.set(), threads=1, memory_mb=8192))
    await begun.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [each for each in psutil.Process().children() if str(folder) in each.cmdline()] == []
