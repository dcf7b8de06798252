"""The chart of deploy/helm, rendered by Helm's own code: no cluster is needed."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT

CHART = ROOT / "deploy" / "helm"
VERSIONS = ("1.28", "1.31", "1.34", "1.37")
SECRETS = {
    "databaseOwnerUrl": "postgresql://kyujang_owner:owner-secret@db/kyujang",
    "databaseServiceUrl": "postgresql://kyujang_app:service-secret@db/kyujang",
    "engineKey": "engine-secret-of-the-tests",
    "adminKey": "admin-secret-of-the-tests",
}
# A database and object storage of one's own, engines on GPUs.
EXTERNAL: dict[str, Any] = {
    "secrets": SECRETS,
    "settings": {"KYUJANG_STORAGE": "s3://bucket/kyujang", "KYUJANG_LEASE_S": 60},
    "database": {"peers": [{"ipBlock": {"cidr": "10.0.5.0/24"}}]},
}
# Everything in the cluster, engines on CPUs, and what is off by default.
INSIDE: dict[str, Any] = {
    "secrets": {name: SECRETS[name] for name in ("engineKey", "adminKey")} | {"servicePassword": "service-secret"},
    "image": {"registry": "registry.example/mirror", "pullSecrets": ["pull"]},
    "data": {"shared": True},
    "database": {"cloudNativePG": {"enabled": True}},
    "engine": {"kind": "cpu", "replicas": 2, "nodeSelector": {"disk": "fast"}, "arguments": ["--seed=1"]},
    "api": {
        "autoscaling": {"enabled": True, "waitingPerPod": 4},
        "ingress": {"enabled": True, "host": "kyujang.example", "tlsSecret": "tls"},
        "metricsPeers": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}],
    },
}
BOTH = pytest.mark.parametrize("values", [EXTERNAL, INSIDE], ids=["external", "inside"])
Manifest = dict[str, Any]


@cache
def _asked(question: str) -> Any:
    child = [sys.executable, "-m", "tests.helm.child"]
    return json.loads(subprocess.run(child, input=question, cwd=ROOT, stdout=-1, text=True, check=True).stdout)


def asked(what: str, chart: Path, values: dict[str, Any] | str = "") -> Any:
    return _asked(json.dumps([what, str(chart), values]))


def rendered(values: dict[str, Any], chart: Path = CHART) -> list[Manifest]:
    files = asked("render", chart, values)
    return [each for name, text in files.items() if name.endswith(".yaml") for each in yaml.safe_load_all(text) if each]


def pods(manifests: list[Manifest]) -> dict[str, Manifest]:
    """Pod templates by the names of what makes them."""
    makers = [each for each in manifests if each["kind"] in ("Deployment", "StatefulSet", "Job")]
    return {each["metadata"]["name"].removeprefix("demo-kyujang-"): each["spec"]["template"] for each in makers}


def containers(manifests: list[Manifest]) -> dict[str, Manifest]:
    return {
        container["name"]: container
        for pod in pods(manifests).values()
        for container in pod["spec"].get("initContainers", []) + pod["spec"]["containers"]
    }


def variables(container: Manifest) -> dict[str, Any]:
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in container["env"]}
