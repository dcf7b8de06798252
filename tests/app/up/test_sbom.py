from __future__ import annotations

import json

from packaging.utils import canonicalize_name

from app.up import sbom
from app.up.environments import app_environment
from app.up.install import install_audit
from tests.supply.distributions import APP, installed


def test_the_list_is_what_is_installed(tmp_path):
    file = sbom.write(install_audit(), app_environment(test=True), tmp_path / "app.cdx.json")
    listed = json.loads(file.read_text())
    root = listed["metadata"]["component"]
    parts = [(canonicalize_name(each["name"]), each["version"]) for each in [root, *listed["components"]]]
    found = {name: each.version for name, each in installed(APP).items()}
    assert listed["bomFormat"] == "CycloneDX"
    assert sorted(parts) == sorted(found.items())
    assert all(each["purl"].startswith("pkg:pypi/") for each in listed["components"])
