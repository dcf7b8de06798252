"""What a process may use of the machine, and how it leaves it to others."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from app import cpu


@pytest.fixture
def cgroup(tmp_path, monkeypatch):
    """Writes what the container is limited to."""
    monkeypatch.setattr("app.cpu.CGROUP", tmp_path)
    return lambda name, text: (tmp_path / name).write_text(f"{text}\n")


def test_a_container_has_no_more_cores_than_its_limit(cgroup, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(16)))
    assert cpu.cores() == 16
    cgroup("cpu.max", "max 100000")
    assert cpu.cores() == 16
    for quota, cores in ((350000, 3), (50000, 1), (9900000, 16)):
        cgroup("cpu.max", f"{quota} 100000")
        assert cpu.cores() == cores


def test_free_memory_is_the_machine_s_or_what_the_container_s_limit_leaves(cgroup, tmp_path, monkeypatch):
    (tmp_path / "meminfo").write_text("MemTotal: 9000 kB\nMemAvailable:    5000 kB\n")
    monkeypatch.setattr("app.cpu.MEMINFO", tmp_path / "meminfo")
    cgroup("memory.max", "max")
    cgroup("memory.current", 1000)
    assert cpu.free_memory() == 5000 << 10
    cgroup("memory.max", 3000)
    assert cpu.free_memory() == 2000
    monkeypatch.setattr("app.cpu.MEMINFO", tmp_path / "none")
    assert cpu.free_memory() == 2000


def test_a_thread_takes_idle_time_alone_and_the_others_stay(monkeypatch):
    with ThreadPoolExecutor(1, initializer=cpu.only_idle_time) as idle:
        assert idle.submit(os.sched_getscheduler, 0).result() == os.SCHED_IDLE
    assert os.sched_getscheduler(0) != os.SCHED_IDLE


def test_a_process_goes_behind_others_and_its_session_only_if_it_began_one(tmp_path, monkeypatch):
    group = tmp_path / "autogroup"
    monkeypatch.setattr("app.cpu.AUTOGROUP", group)
    monkeypatch.setattr(os, "nice", (reniced := []).append)
    for leader, expected in ((os.getpid() + 1, None), (os.getpid(), "7")):
        monkeypatch.setattr(os, "getsid", lambda pid, leader=leader: leader)
        cpu.go_behind_others(7)
        assert (group.read_text() if group.exists() else None) == expected
    assert reniced == [7, 7]
