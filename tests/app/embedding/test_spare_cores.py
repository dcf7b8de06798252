"""Passages on spare cores: who takes them, who has the cores, and that nobody waits for a core that is not spare."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest

from app.embedding import Embedder, spare_cores
from app.embedding.e5 import E5Encoder
from app.embedding.spare_cores import SpareCores
from tests.app.embedding.test_embedder import Recorder, embed, settled
from tests.conftest import ROOT

ANOTHER_WORKER = """
import sys, pathlib
from app.embedding.spare_cores import SpareCores
cores = SpareCores(pathlib.Path(sys.argv[1]), 1, None)
print(cores._lock.acquire(), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def held():
    recorder = Recorder(held=True)
    yield recorder
    recorder.release()


@pytest.fixture
def idle():
    recorder = Recorder(held=True)
    yield recorder
    recorder.release()


@pytest.fixture
def asked():
    """How many threads were asked for."""
    return []


@pytest.fixture
def embedder(held, idle, asked, tmp_path):
    def opened(threads):
        asked.append(threads)
        return idle

    embedder = Embedder(held, spare=SpareCores(tmp_path, 1, opened))
    yield embedder
    embedder.close()


def passages(embedder, count=6):
    return embed(embedder, *(f"n {n}" for n in range(count)), kind="passage")


async def test_what_the_first_thread_does_not_take_goes_to_spare_cores(embedder, held, idle, asked):
    whole = passages(embedder)
    await held.wait_until_begun()
    await idle.wait_until_begun()
    held.release()
    idle.release()
    assert list((await whole)[:, 0]) == list(range(6))
    assert asked == [1]
    assert sorted(text for _, texts in held.batches + idle.batches for text in texts) == [f"n {n}" for n in range(6)]


async def test_little_work_is_the_first_thread_s_alone(embedder, held, asked):
    held.release()
    assert list((await passages(embedder, 2))[:, 0]) == [0, 1]
    assert asked == []


async def test_nobody_waits_for_a_core_that_is_not_spare(embedder, held, idle, monkeypatch):
    monkeypatch.setattr("app.embedding.long_texts.LATE_S", 0.01)
    whole = passages(embedder)
    await idle.wait_until_begun()
    held.release()
    assert list((await whole)[:, 0]) == list(range(6))
    idle.release()
    assert list((await passages(embedder))[:, 0]) == list(range(6))


async def test_a_fault_on_a_spare_core_ends_its_own_call_alone(embedder, held, idle):
    bad = embed(embedder, "n 1", "n 2", "n 333", "down", kind="passage")
    await held.wait_until_begun()
    await idle.wait_until_begun()
    idle.release()
    held.release()
    with pytest.raises(Exception, match="embedding"):
        await bad
    assert list((await passages(embedder))[:, 0]) == list(range(6))


@pytest.fixture
def another_worker(tmp_path):
    command = [sys.executable, "-c", ANOTHER_WORKER, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout.readline() == "True\n"
        yield worker
        worker.kill()


async def test_while_another_worker_has_the_cores_the_first_thread_works_alone(embedder, held, idle, another_worker):
    held.release()
    assert list((await passages(embedder))[:, 0]) == list(range(6))
    assert idle.batches == []
    another_worker.kill()
    another_worker.wait()
    held.held, held.go = True, type(held.go)(0)
    whole = passages(embedder)
    await idle.wait_until_begun()
    idle.release()
    held.release()
    assert list((await whole)[:, 0]) == list(range(6))


@pytest.mark.parametrize(("free_mb", "threads"), [(1100, 0), (1500, 2), (9000, 5)])
async def test_there_are_as_many_threads_as_memory_allows(monkeypatch, tmp_path, free_mb, threads):
    monkeypatch.setattr("app.cpu.free_memory", lambda: free_mb << 20)
    asked = []
    cores = SpareCores(tmp_path, 5, lambda count: asked.append(count) or Recorder())
    async with cores.taken() as encoder:
        assert (encoder is None) is (threads == 0)
    assert (cores.threads, asked) == (threads, [threads] if threads else [])
    cores.close()


def test_a_fixed_number_of_threads_stays_and_other_models_have_none(monkeypatch, tmp_path):
    monkeypatch.setattr("app.cpu.cores", lambda: 4)
    packaged = object.__new__(E5Encoder)
    threads = {}
    for wanted in (None, 1, 3):
        cores = spare_cores(SimpleNamespace(embed_threads=wanted, home=tmp_path), packaged)
        threads[wanted] = 1 + (cores.threads if cores else 0)
    assert threads == {None: 4, 1: 1, 3: 3}
    assert spare_cores(SimpleNamespace(embed_threads=None, home=tmp_path), Recorder()) is None


async def test_closing_leaves_nobody_waiting_for_a_spare_core(embedder, held, idle):
    whole = passages(embedder, 4)
    await held.wait_until_begun()
    await idle.wait_until_begun()
    embedder.close()
    await settled()
    assert whole.cancelled() or whole.done()
