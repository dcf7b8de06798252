from __future__ import annotations

import json

import pytest

from app.adapters.training_request import Hyperparameters
from app.up.gpus import GIB, Gpu, Gpus
from ingest.jobs.queue import TaskFailed
from ingest.tune.gpu_room import memory_needed, room_on_card
from ingest.tune.task import with_room
from tests.app.up.test_model_size import LLAMA_8B, QWEN3_4B


@pytest.fixture
def base(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(QWEN3_4B))
    return tmp_path


def card(free_gib: float) -> Gpu:
    return Gpu("NVIDIA H100 80GB HBM3", 80 * GIB, int((80 - free_gib) * GIB))


def test_the_notice_has_both_figures(base):
    said = room_on_card(card(40), base, "sft", Hyperparameters())
    assert "takes about 16.4 GiB of the card, of which 40.0 GiB are free" in said


def test_what_does_not_fit_is_refused_with_both_figures(base):
    with pytest.raises(TaskFailed) as refused:
        room_on_card(card(8), base, "sft", Hyperparameters())
    assert "about 16.4 GiB of the card, of which 8.0 GiB are free" in str(refused.value)
    assert "batch_size" in str(refused.value)


def test_smaller_batches_rows_and_weights_take_less():
    def needed(method="sft", **parameters):
        return memory_needed(LLAMA_8B, method, Hyperparameters(**parameters))

    whole = needed()
    assert whole > 2 * 8.03e9
    assert needed(batch_size=1) < whole
    assert needed(max_length=256) < whole
    assert needed(base_4bit=True) < whole - 9 * GIB
    assert needed("dpo") > whole
    assert needed(rank=64) > whole


def test_beside_an_engine_on_a_card_the_job_s_notice_has_them(base, monkeypatch):
    spec = {"method": "sft", "hyperparameters": {}}
    monkeypatch.setattr("app.up.gpus.look", lambda: Gpus((card(40),)))
    assert with_room("It shares.", spec, base) == (
        "It shares. It takes about 16.4 GiB of the card, of which 40.0 GiB are free."
    )
    assert with_room(None, spec, base) is None
    monkeypatch.setattr("app.up.gpus.look", Gpus)
    assert with_room("It shares.", spec, base) == "It shares."
    monkeypatch.setattr("app.up.gpus.look", lambda: Gpus((card(8),)))
    with pytest.raises(TaskFailed):
        with_room("It shares.", spec, base)


def test_what_cannot_be_computed_is_said_and_does_not_stop_it(tmp_path):
    assert "cannot be computed" in room_on_card(card(1), tmp_path, "sft", Hyperparameters())
    assert "does not say" in room_on_card(Gpu("NVIDIA GB10", None), tmp_path, "sft", Hyperparameters())
