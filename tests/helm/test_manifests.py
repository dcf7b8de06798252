"""What Kubernetes takes, and what the chart refuses."""

from __future__ import annotations

import json

import kubernetes_validate
import pytest

from tests.helm.rendering import (
    BOTH,
    CHART,
    EXTERNAL,
    INSIDE,
    SECRETS,
    VERSIONS,
    asked,
    containers,
    pods,
    rendered,
    variables,
)


def test_the_chart_is_sound():
    found = asked("lint", CHART)
    assert (found["errors"], [each for each in found["messages"] if each["severity"] > 1]) == ([], [])


@pytest.mark.parametrize("version", VERSIONS)
@BOTH
def test_every_manifest_fits_the_schemas_of_kubernetes(values, version):
    manifests = rendered(values)
    # Its schema is the operator's.
    ours = [each for each in manifests if each["apiVersion"] != "postgresql.cnpg.io/v1"]
    assert len(ours) > 15
    for each in ours:
        kubernetes_validate.validate(each, version, strict=True)


def test_a_manifest_that_does_not_fit_is_told():
    service = next(each for each in rendered(EXTERNAL) if each["kind"] == "Service")
    service["spec"]["portz"] = service["spec"].pop("ports")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(service, VERSIONS[0], strict=True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"secrets": {**SECRETS, "databaseServiceUrl": ""}}, "Set secrets.databaseOwnerUrl and"),
        ({"secrets": {**SECRETS, "adminKey": "short"}}, "Set secrets.adminKey to at least 24"),
        ({"secrets": {**SECRETS, "engineKey": ""}}, "Set secrets.engineKey to at least 16"),
        ({"settings": {}}, "set settings.KYUJANG_STORAGE"),
        ({"settings": {"KYUJANG_STORAGE": "s3://b", "KYUJANG_RERANKER_KEY": "k"}}, "KYUJANG_RERANKER_KEY is a secret"),
        ({"settings": {"KYUJANG_STORAGE": "s3://b", "KYUJANG_AUTH": "off"}}, "KYUJANG_AUTH is set by the chart"),
        ({"database": {}}, "Set database.peers"),
    ],
)
def test_what_would_not_work_is_refused_with_what_to_set(change, said):
    assert said in asked("render", CHART, EXTERNAL | change)["refused"]


@BOTH
def test_every_container_has_only_the_rights_and_the_room_that_it_needs(values):
    manifests = rendered(values)
    for name, pod in pods(manifests).items():
        assert pod["spec"]["automountServiceAccountToken"] is False, name
        assert pod["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert name == "engine" or pod["spec"]["securityContext"]["runAsUser"] == 10001, name
    for name, each in containers(manifests).items():
        rights = each["securityContext"]
        assert rights["readOnlyRootFilesystem"] is True, name
        assert rights["allowPrivilegeEscalation"] is False, name
        assert rights["capabilities"]["drop"] == ["ALL"], name
        assert each["resources"]["limits"]["memory"], name
    more = {name: each["securityContext"]["capabilities"].get("add") for name, each in containers(manifests).items()}
    is_cpu = values is INSIDE
    assert {name: rights for name, rights in more.items() if rights} == ({"engine": ["SYS_NICE"]} if is_cpu else {})


@BOTH
def test_what_stays_is_probed(values):
    found = containers(rendered(values))
    for name in ("api", "engine"):
        assert {"startupProbe", "readinessProbe", "livenessProbe"} <= found[name].keys(), name
    assert "readinessProbe" in found["worker"]


@BOTH
def test_secrets_are_in_secrets_alone(values):
    manifests = rendered(values)
    others = json.dumps([each for each in manifests if each["kind"] != "Secret"])
    assert [value for value in values["secrets"].values() if value in others] == []
    kept = [each for each in manifests if each["kind"] == "Secret" and "annotations" not in each["metadata"]]
    assert SECRETS["databaseOwnerUrl"] not in json.dumps(kept)
    found = containers(manifests)
    owners = [name for name, each in found.items() if "env" in each and "DATABASE_URL" in variables(each)]
    assert owners == ["migrate"]
    assert [name for name, each in found.items() if "admin-key" in json.dumps(each)] == ["api"]


@BOTH
def test_a_mirror_s_registry_stands_before_every_image(values):
    manifests = rendered(values)
    images = {each["image"] for each in containers(manifests).values()}
    images |= {each["spec"]["imageName"] for each in manifests if each["kind"] == "Cluster"}
    registry = values.get("image", {}).get("registry", "")
    assert all(image.startswith(registry) and ":" in image for image in images)
    assert not any(image.endswith(":latest") for image in images)
