"""What compose promises, and the chart keeps."""

from __future__ import annotations

from typing import Any

import pytest

from app.cli.stopping_server import longest_answer_s
from app.metrics import Metrics
from app.settings import Settings
from docs.tools.reference import environment_name
from tests.conftest import ROOT
from tests.helm.rendering import BOTH, CHART, EXTERNAL, INSIDE, Manifest, asked, containers, pods, rendered, variables
from tests.test_compose import SERVICES, environment


def reach(manifests: list[Manifest], of: str) -> set[str]:
    """The parts that pods of one may open connections to; "out" is everywhere."""
    (policy,) = (
        each["spec"]
        for each in manifests
        if each["kind"] == "NetworkPolicy"
        and each["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == of
    )
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    reached = set()
    for rule in policy.get("egress", []):
        if "to" not in rule:
            reached.add("out")
        for peer in rule.get("to", []):
            labels = peer.get("podSelector", {}).get("matchLabels", {})
            reached.add(labels.get("app.kubernetes.io/component") or "dns or another's")
    return reached


def test_the_network_policies_hold_what_compose_promises():
    """Who has a way out is the same; who reaches what is no more than with compose's networks."""
    manifests = rendered(INSIDE)
    services = {"api": "api", "worker": "worker", "migrate": "migrate", "model": "model-cpu", "engine": "vllm-cpu"}
    for part, service in services.items():
        out = "edge" in SERVICES[service]["networks"]
        assert ("out" in reach(manifests, part)) is out, part
    assert reach(manifests, "worker") == {"dns or another's", "db", "engine"}
    assert reach(manifests, "engine") == set()
    guarded = {"engine": {"api", "worker"}, "db": {"api", "worker", "migrate", "db"}}
    for part, allowed in guarded.items():
        (policy,) = (
            each
            for each in manifests
            if each["metadata"]["name"] == f"demo-kyujang-{part}" and each["kind"] == "NetworkPolicy"
        )
        entered = {
            peer["podSelector"]["matchLabels"].get("app.kubernetes.io/component", "the operator")
            for rule in policy["spec"]["ingress"]
            for peer in rule["from"]
        }
        assert entered - {"the operator"} == allowed, part
    covered = {
        each["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/component"]
        for each in manifests
        if each["kind"] == "NetworkPolicy"
    }
    assert covered == {pod["metadata"]["labels"]["app.kubernetes.io/component"] for pod in pods(manifests).values()} | {
        "db"
    }
    without = rendered(EXTERNAL | {"workerEgress": [{"to": [{"ipBlock": {"cidr": "10.0.6.0/24"}}]}]})
    assert reach(without, "worker") == {"dns or another's", "engine"}


def test_workers_show_their_metrics_to_those_alone_that_are_named():
    def entered(values: dict[str, Any]) -> list[Any]:
        (policy,) = (
            each["spec"]
            for each in rendered(values)
            if each["kind"] == "NetworkPolicy" and each["metadata"]["name"] == "demo-kyujang-worker"
        )
        return policy.get("ingress", [])

    assert entered(EXTERNAL) == []
    peers = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]
    (rule,) = entered(EXTERNAL | {"workerMetricsPeers": peers})
    assert (rule["from"], rule["ports"]) == (peers, [{"port": 9090, "protocol": "TCP"}])
    for name, pod in pods(rendered(EXTERNAL)).items():
        if name.startswith("worker"):
            port = pod["metadata"]["annotations"]["prometheus.io/port"]
            assert variables(pod["spec"]["containers"][0])["KYUJANG_WORKER_METRICS"] == f"0.0.0.0:{port}"


@pytest.mark.parametrize(("values", "service"), [(EXTERNAL, "vllm"), (INSIDE, "vllm-cpu")])
def test_the_engine_is_compose_s(values, service):
    engine = containers(rendered(values))["engine"]
    words = [word for argument in engine["args"] for word in argument.split("=", 1)]
    asked = [str(word) for word in SERVICES[service]["entrypoint"][3:] + SERVICES[service]["command"]]
    options = [word for word in asked if word.startswith("--")]
    assert [word for word in words if word.startswith("--")][: len(options)] == options
    assert [word for word in asked if not word.startswith(("--", "${"))] == [
        word for word in words if not word.startswith("--") and word in asked
    ]
    assert engine["command"] == SERVICES[service]["entrypoint"][:3]
    assert variables(engine).keys() | {"VLLM_TUNED_CONFIG_FOLDER"} == environment(service).keys()
    fixed = {name: value for name, value in environment(service).items() if value and "${" not in value}
    assert variables(engine).items() >= fixed.items()


def test_the_guard_is_the_one_that_compose_mounts(tmp_path):
    asked("package", CHART, str(tmp_path))
    (archive,) = tmp_path.iterdir()
    (files,) = (each["data"] for each in rendered(INSIDE, archive) if each["kind"] == "ConfigMap")
    for name in ("engine_guard.py", "kyujang_cpu_lora.py"):
        assert files[name].rstrip() == (ROOT / "deploy" / name).read_text().rstrip(), name
    folder = ROOT / "deploy" / "kyujang_cpu_lora-1.0.dist-info"
    assert {path.name: path.read_text().rstrip() for path in folder.iterdir()} == {
        path.name: files[path.name].rstrip() for path in folder.iterdir()
    }


@BOTH
def test_what_is_set_is_a_setting(values):
    known = set(map(environment_name, Settings.model_fields))
    for name in ("api", "worker", "migrate"):
        found = variables(containers(rendered(values))[name])
        assert {each for each in found if each.startswith("KYUJANG_")} <= known | {"KYUJANG_SERVICE_PASSWORD"}
    settings = values.get("settings", {})
    for name in ("api", "worker"):
        found = variables(containers(rendered(values))[name])
        assert {key: found[key] for key in settings} == {key: str(value) for key, value in settings.items()}
        assert len(found["KYUJANG_LLM_URL"].split(",")) == values.get("engine", {}).get("replicas", 1)


def test_a_pod_that_goes_has_the_time_that_it_needs():
    pod = pods(rendered(EXTERNAL))["api"]["spec"]
    (container,) = pod["containers"]
    drain_s = float(variables(container)["KYUJANG_DRAIN_S"])
    # Every node has heard of it in a few seconds; the callers' connections end meanwhile, which no preStop would do.
    assert drain_s >= 5
    assert "lifecycle" not in container
    assert pod["terminationGracePeriodSeconds"] > drain_s + longest_answer_s(Settings().llm_timeout_s)


def test_the_work_is_divided_without_a_gap():
    manifests = rendered(EXTERNAL)
    work = [
        variables(pod["spec"]["containers"][0])["KYUJANG_WORK"]
        for name, pod in pods(manifests).items()
        if name.startswith("worker")
    ]
    assert sorted(",".join(work).split(",")) == sorted(Settings().work.split(","))


def test_the_migration_goes_before_the_rest():
    def migration(values: dict[str, Any], **options: Any) -> Manifest:
        (job,) = (
            each
            for each in rendered(values)
            if each["metadata"]["name"] == "demo-kyujang-migrate" and each["kind"] == "Job"
        )
        return job["metadata"].get("annotations", {})

    assert migration(EXTERNAL)["helm.sh/hook"] == "pre-install,pre-upgrade"
    # Its database comes with the release: API and workers start again until it is done.
    assert migration(INSIDE) == {}


def test_it_grows_by_a_metric_that_exists():
    (scaler,) = (each for each in rendered(INSIDE) if each["kind"] == "HorizontalPodAutoscaler")
    metric = scaler["spec"]["metrics"][1]["pods"]["metric"]
    (family,) = (each for each in Metrics().registry.collect() if each.name == metric["name"])
    assert metric["selector"]["matchLabels"].keys() == {"state"}
    assert family.type == "gauge"


def test_the_documentation_names_every_value_that_has_to_be_set():
    for folder in ("docs", "docs/ko"):
        page = (ROOT / folder / "operations" / "kubernetes.md").read_text()
        for name in ("secrets.existing", "KYUJANG_STORAGE", "database.peers", "image.registry", "workerEgress"):
            assert name in page, (folder, name)
