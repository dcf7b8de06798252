"""nvidia-smi's answers in the form that NVIDIA's documentation prints, from a program of that name."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.up import gpus
from app.up.gpus import GIB

ONE = "0, GPU-8f6d2a31-0b1c-4c1e-9a55-3f0d0c6e2a10, NVIDIA L4, 23034, 2, 580.95.05, [N/A]\n"
SEVERAL = (
    "0, GPU-1a7c9d52-5c0b-7d6a-0e3e-5f6f0d1c2b3a, NVIDIA H100 80GB HBM3, 81559, 4, 580.95.05, Disabled\n"
    "1, GPU-2b8d0e63-6d1c-8e7b-1f4f-6a7a1e2d3c4b, NVIDIA H100 80GB HBM3, 81559, 61442, 580.95.05, Disabled\n"
    "2, GPU-3c9e1f74-7e2d-9f8c-2a5a-7b8b2f3e4d5c, NVIDIA RTX A4000, 16376, 310, 580.95.05, [N/A]\n"
)
DIVIDED = "0, GPU-e91edf3b-b297-37c1-a2a7-7601c3238fa2, NVIDIA A100-SXM4-40GB, 40960, [N/A], 580.95.05, Enabled\n"
SLICES = """GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-e91edf3b-b297-37c1-a2a7-7601c3238fa2)
  MIG 3g.20gb     Device  0: (UUID: MIG-c7384736-a75d-5afc-978f-d2f1294409fd)
  MIG 1g.5gb      Device  1: (UUID: MIG-a28ad590-3fda-56dd-84fc-0a0b96edc58d)
"""
UNDIVIDED = SLICES.splitlines()[0] + "\n"
SHARED_MEMORY = "0, GPU-4d0f2a85-8f3e-0a9d-3b6b-8c9c3a4f5e6d, NVIDIA GB10, [N/A], [N/A], 580.95.05, [N/A]\n"
NO_DRIVER = (
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. "
    "Make sure that the latest NVIDIA driver is installed and running.\n\n"
)
MISMATCH = "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 580.95\n"
NO_DEVICES = "No devices were found\n"


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Put an nvidia-smi on the path that prints this, and ends with that code."""

    def put(listed: str, slices: str = "", code: int = 0) -> None:
        for name, text in (("listed", listed), ("slices", slices)):
            (tmp_path / name).write_text(text)
        program = tmp_path / "nvidia-smi"
        script = (
            '#!/bin/sh\n[ "$1" = -L ] && name=slices || name=listed\nwhile IFS= read -r line; do echo "$line"; done'
        )
        program.write_text(f'{script} < "{tmp_path}/$name"\nexit {code}\n')
        program.chmod(0o755)

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return put


def test_a_machine_without_a_card_has_none_and_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpus.look() == gpus.Gpus()


def test_a_card_has_a_name_its_memory_and_a_driver(answers):
    answers(ONE)
    card = gpus.look().first
    assert card == gpus.Gpu("NVIDIA L4", 23034 << 20, 2 << 20, "580.95.05")


def test_of_several_cards_the_environment_chooses(answers, monkeypatch: pytest.MonkeyPatch):
    answers(SEVERAL)
    assert [card.name for card in gpus.look().cards] == ["NVIDIA H100 80GB HBM3"] * 2 + ["NVIDIA RTX A4000"]
    for chosen, names in (("2", ["NVIDIA RTX A4000"]), ("GPU-2b8d", ["NVIDIA H100 80GB HBM3"])):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
        assert [card.name for card in gpus.look().cards] == names
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,0")
    assert gpus.look().first == gpus.Gpu("NVIDIA RTX A4000", 16376 << 20, 310 << 20, "580.95.05")
    for nothing in ("", "7", "-1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", nothing)
        found = gpus.look()
        assert (found.first, "names no card" in found.fault) == (None, True)


def test_of_a_divided_card_a_process_has_one_slice(answers, monkeypatch: pytest.MonkeyPatch):
    answers(DIVIDED, SLICES)
    first, second = gpus.look().cards
    assert (first.name, first.driver) == ("NVIDIA A100-SXM4-40GB MIG 3g.20gb", "580.95.05")
    assert 18 * GIB < first.memory < 20 * GIB
    assert 4.5 * GIB < second.memory < 5 * GIB
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-a28ad590-3fda-56dd-84fc-0a0b96edc58d")
    assert gpus.look().cards == (second,)


def test_a_card_that_is_to_be_divided_and_is_not_cannot_be_used(answers):
    answers(DIVIDED, UNDIVIDED)
    assert gpus.look() == gpus.Gpus(fault="nvidia-smi lists no card that can be used")


def test_a_card_without_memory_of_its_own_does_not_say_how_much(answers):
    answers(SHARED_MEMORY)
    assert gpus.look().first == gpus.Gpu("NVIDIA GB10", None, 0, "580.95.05")


@pytest.mark.parametrize(("said", "code"), [(NO_DRIVER, 9), (MISMATCH, 18), (NO_DEVICES, 6), ("", 1)])
def test_a_driver_that_does_not_answer_is_a_fault_in_its_own_words(answers, said: str, code: int):
    answers(said, code=code)
    found = gpus.look()
    assert found.first is None
    assert found.fault == " ".join(said.split()) or str(code) in found.fault


def test_a_program_that_cannot_run_is_a_fault(answers, tmp_path: Path):
    answers(ONE)
    (tmp_path / "nvidia-smi").write_text("not a program")
    assert gpus.look().fault


def test_an_answer_in_another_form_is_a_fault(answers):
    answers("0, NVIDIA L4\n")
    assert gpus.look().first is None
    assert "not understood" in gpus.look().fault
