import fcntl
import io
import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.settings import Settings
from app.up import run
from app.up.defaults import default_workers
from app.up.environments import ROOT
from app.up.gpus import Gpu, Gpus
from app.up.progress import Progress
from app.up.run import up
from tests.app.up.test_model_size import QWEN3_4B

PROGRAM = "import sys; from app.settings import Settings; from app.up.run import up; sys.exit(up(Settings()))"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def refusal(settings: Settings, capsys: pytest.CaptureFixture[str]) -> str:
    assert up(settings) == 1
    return capsys.readouterr().out


@pytest.mark.parametrize(("cores", "workers"), [(1, 1), (2, 1), (7, 1), (8, 2), (64, 4)])
def test_workers_grow_with_the_cores(cores: int, workers: int):
    assert default_workers(cores) == workers


def test_a_taken_port_is_said_before_anything_starts(open_folder: Path, capsys: pytest.CaptureFixture[str]):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = refusal(Settings(home=open_folder / "home", port=port, engine="none"), capsys)
    assert f"KYUJANG_PORT={port + 1} make up" in said
    assert not (open_folder / "home" / "postgres").exists()


def test_a_migration_shows_what_it_writes_and_nothing_of_the_start_before(open_folder: Path):
    ticks = []

    class Shown(Progress):
        def tick(self, detail: str = "") -> None:
            ticks.append(detail)

    class Running:
        def run(self, spec, tick):
            tick("")
            with spec.log.open("a") as log:
                log.write("0008  One queue\n")
            tick("")

    log = open_folder / "logs" / "migrate.log"
    log.parent.mkdir()
    log.write_text("The database is up to date\n")
    with ExitStack() as stack:
        start = run._Start(Settings(home=open_folder), Shown(out=io.StringIO()), stack)
        start._migrate(Running(), {})
    assert ticks == ["", "0008  One queue"]


def test_a_model_that_does_not_fit_the_card_is_said_before_anything_starts(
    open_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "config.json").write_text(json.dumps(QWEN3_4B))
    monkeypatch.setattr("app.up.gpus.look", lambda: Gpus((Gpu("NVIDIA L4", 23034 << 20, 0, "580.95.05"),)))
    home = open_folder / "home"
    settings = Settings(home=home, port=free_port(), model=str(tmp_path), engine="vllm", engine_context_tokens=262_144)
    said = refusal(settings, capsys)
    assert "at 262,144 tokens needs 36.0 GiB of cache" in said
    assert not (home / "postgres").exists()


def test_a_second_one_on_the_same_home_is_refused(open_folder: Path, capsys: pytest.CaptureFixture[str]):
    with (open_folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("4242")
        lock.flush()
        said = refusal(Settings(home=open_folder, port=free_port(), engine="none"), capsys)
    assert "another Kyujang (pid 4242)" in said


def test_an_engine_elsewhere_that_does_not_answer_is_refused_and_nothing_is_left(
    open_folder: Path, capsys: pytest.CaptureFixture[str]
):
    nowhere = f"http://127.0.0.1:{free_port()}"
    said = refusal(Settings(home=open_folder, port=free_port(), llm_url=nowhere), capsys)
    assert f"the engine at {nowhere.removeprefix('http://')}" in said
    assert "KYUJANG_LLM_URL is not ready" in said
    assert not (open_folder / "postgres" / "data" / "postmaster.pid").exists()
    assert not (open_folder / "run").exists()


def test_a_worker_inherits_neither_the_operator_s_key_nor_the_owner_s_database(open_folder: Path, monkeypatch):
    secrets = {"KYUJANG_ADMIN_KEY": "a" * 24, "DATABASE_URL": "postgresql://owner@x/y", "KYUJANG_KEY": "tenant"}
    for name, value in {**secrets, "KYUJANG_LOG_LEVEL": "debug"}.items():
        monkeypatch.setenv(name, value)
    with ExitStack() as stack:
        start = run._Start(Settings(home=open_folder), Progress(), stack)
        given = start._child("worker", "ingest", "worker", env={"KYUJANG_SERVICE_DATABASE_URL": "its own"}).env
    assert secrets.keys() & given.keys() == set()
    assert (given["KYUJANG_LOG_LEVEL"], given["KYUJANG_SERVICE_DATABASE_URL"]) == ("debug", "its own")


def test_a_signal_while_starting_stops_everything_and_ends_well(open_folder: Path):
    environment = {**os.environ, "KYUJANG_HOME": str(open_folder), "KYUJANG_PORT": str(free_port())}
    environment |= {"KYUJANG_ENGINE": "none"}
    started = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )
    assert started.stdout is not None
    said = ""
    for line in started.stdout:
        said += line
        if "[5/6]" in line:
            started.send_signal(signal.SIGTERM)
    assert started.wait() == 0
    started.stdout.close()
    assert said.splitlines()[-2:] == ["stopping postgres", "Stopped."]
    assert not (open_folder / "postgres" / "data" / "postmaster.pid").exists()
