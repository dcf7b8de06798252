"""Every container of the chart, started by docker with what the chart gives it: `--chart`, where make containers has
built or fetched the images. A cluster's own part (policies, hooks, scaling, a rolling change) is not in it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from app.up.engine import CONVERTER
from tests.conftest import ROOT
from tests.helm.rendering import SECRETS, Manifest, pods, rendered
from tests.helm.running import Node, address, docker, ended, inspected, lacking, logs, passes, until_passes

MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
CACHED = f"models--{MODEL.replace('/', '--')}"
VALUES: dict[str, Any] = {
    "secrets": SECRETS,
    "image": {"tag": "local"},
    "data": {"shared": True},
    "engine": {"kind": "cpu", "model": MODEL, "contextTokens": 4096, "cpuCacheGb": 1, "replicas": 1},
    "database": {"peers": [{"ipBlock": {"cidr": "10.0.5.0/24"}}]},
}
ENGINE = "demo-kyujang-engine-0.demo-kyujang-engine"
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
DATABASE: Manifest = COMPOSE["db"]
SETTINGS = DATABASE["environment"] | {"POSTGRES_PASSWORD": "owner-secret"}


@pytest.fixture(scope="module")
def manifests(request: pytest.FixtureRequest) -> list[Manifest]:
    if not request.config.getoption("--chart"):
        pytest.skip("--chart starts the chart's containers by docker")
    found = rendered(VALUES)
    images = {each["image"] for pod in pods(found).values() for each in pod["spec"]["containers"]}
    if why := lacking(sorted({*images, DATABASE["image"]})):
        pytest.skip(why)
    return found


@pytest.fixture(scope="module")
def node(manifests: list[Manifest], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """With a database, as compose starts it, and the weights that the model's job would have fetched."""
    folder = tmp_path_factory.mktemp("node")
    opened = Node(manifests, folder)
    try:
        variables = [f"--env={name}={value}" for name, value in SETTINGS.items()]
        opened.run(DATABASE["image"], *variables, f"--shm-size={DATABASE['shm_size']}", name="db")
        keep_weights(opened.volume("demo-kyujang-models"), folder)
        yield opened
    finally:
        opened.close()


def keep_weights(volume: str, folder: Path) -> None:
    """In the layout of the hub's cache."""
    snapshot = folder / "hub" / CACHED / "snapshots" / ("0" * 40)
    python = ROOT / ".venv-engine" / "bin" / "python"
    subprocess.run([python, CONVERTER, snapshot], check=True, capture_output=True)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("0" * 40)
    (folder / f".fetched-{MODEL.replace('/', '--')}").touch()
    image = f"kyujang:{VALUES['image']['tag']}"
    copy = "cp -r /from/hub /from/.fetched-* /models && chmod -R a+rX /models"
    mounts = (f"--volume={volume}:/models", f"--volume={folder}:/from:ro")
    docker("run", "--rm", "--user=0", *mounts, "--entrypoint=sh", image, "-c", copy)
    shutil.rmtree(folder / "hub")


@pytest.fixture(scope="module")
def started(manifests: list[Manifest], node: Node) -> dict[str, tuple[str, Manifest]]:
    """What runs, by the names of its pods: the ids and the containers, all of which have passed their probes."""
    found, running = pods(manifests), {}
    until_migrated(node, found["migrate"])
    (weights,) = found["engine"]["spec"]["initContainers"]
    assert ended(node.start(found["engine"], weights, name="weights")) == 0
    for pod, name in (("engine", ENGINE), ("api", "api"), ("worker-documents", "w1"), ("worker-training", "w2")):
        (container,) = found[pod]["spec"]["containers"]
        running[pod] = node.start(found[pod], container, name=name), container
    for made, container in running.values():
        until_passes(made, container, "startupProbe" if "startupProbe" in container else "readinessProbe")
    return running


def until_migrated(node: Node, pod: Manifest) -> None:
    """As the job does, which begins again where the database is not there yet."""
    (container,) = pod["spec"]["containers"]
    for _ in range(20):
        made = node.start(pod, container, name="migrate")
        if ended(made) == 0:
            return
    raise AssertionError(logs(made))


def test_every_container_was_started(manifests, started):
    """But for the one that fetches weights from a hub."""
    makers = {name for name in pods(manifests) if not name.startswith("model-")}
    assert makers == {*started, "migrate"}


def test_probes_pass_and_nobody_is_root(started):
    for made, container in started.values():
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert probe not in container or passes(made, container, probe), (container["name"], probe)
        host = inspected(made)["HostConfig"]
        assert host["ReadonlyRootfs"], container["name"]
        assert host["CapDrop"] == ["ALL"], container["name"]
        user = docker("exec", made, "id", "-u")
        assert user == ("0" if container["name"] == "engine" else "10001")


def test_what_is_ingested_is_found_and_the_engine_answers(started):
    made, container = started["api"]
    operator = {"Authorization": f"Bearer {SECRETS['adminKey']}"}
    with httpx.Client(base_url=address(made, "http", container), headers=operator, timeout=300) as client:
        client.post("/tenants", json={"id": "harbour", "name": "Harbour"}).raise_for_status()
        body = {"scopes": ["query", "read", "ingest"]}
        client.headers["Authorization"] = f"Bearer {client.post('/tenants/harbour/keys', json=body).json()['key']}"
        texts = {"ferry": "The ferry leaves at seven.", "등대": "부두의 등대는 해가 지면 켠다."}
        documents = [{"id": name, "text": text} for name, text in texts.items()]
        assert client.post("/ingest?wait=60", json={"documents": documents}).json()["status"] == "succeeded"
        for question, found in (("When does the ferry leave?", "ferry"), ("부두의 등대는 언제 켜나요?", "등대")):
            answer = client.post("/query", json={"input": question, "max_tokens": 24}).raise_for_status().json()
            assert found in {each["document_id"] for each in answer["contexts"]}
            assert answer["usage"]["completion_tokens"] > 0


def test_metrics_are_at_their_port(started):
    for name in ("api", "worker-documents", "worker-training"):
        made, container = started[name]
        assert "kyujang_" in httpx.get(f"{address(made, 'metrics', container)}/metrics", timeout=30).text


def test_each_ends_on_the_signal_of_its_node(manifests, started):
    found = pods(manifests)
    for name, (made, _) in started.items():
        docker("stop", f"--time={found[name]['spec']['terminationGracePeriodSeconds']}", made)
        state = inspected(made)["State"]
        assert (state["OOMKilled"], state["ExitCode"] in (0, 143)) == (False, True), (name, state["ExitCode"])
