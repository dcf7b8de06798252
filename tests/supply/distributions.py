"""What the environments of this checkout hold, and under which licences it came."""

from __future__ import annotations

import json
import sys
import sysconfig
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.utils import canonicalize_name

from tests.conftest import ROOT

APP = Path(sysconfig.get_path("purelib"))
ENGINE = ROOT / ".venv-engine" / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
UNKNOWN = "LicenseRef-Unknown"
CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "GNU Lesser General Public License v2 (LGPLv2)": "LGPL-2.1-only",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Other/Proprietary License": "LicenseRef-Proprietary",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
}
NO_LICENCE = {"OSI Approved", "DFSG approved"}
WORDS = {
    "3-clause bsd license": "BSD-3-Clause",
    "apache 2.0": "Apache-2.0",
    "apache 2.0 license": "Apache-2.0",
    "mit license": "MIT",
}
# Their metadata name no licence; this is what the files beside them say.
READ = {
    "kubernetes-validate": "Apache-2.0",
    "oss-harmony": "Apache-2.0",
    "pypdfium2": "BSD-3-Clause AND Apache-2.0",
    "setuptools": "MIT",
    "supervisor": "LicenseRef-Repoze",
}


def installed(folder: Path) -> dict[str, Distribution]:
    return {canonicalize_name(found.metadata["Name"]): found for found in distributions(path=[str(folder)])}


def licence(distribution: Distribution) -> str:
    """Return an SPDX expression, with UNKNOWN in it for what cannot be told."""
    metadata = distribution.metadata
    if stated := metadata.get("License-Expression"):
        return canonicalize_license_expression(stated)
    words = (metadata.get("License") or "").strip().split("\n")[0]
    classifiers = [each for each in metadata.get_all("Classifier", []) if each.startswith("License ::")]
    named = [each.rsplit(" :: ", 1)[-1] for each in classifiers]
    said = [CLASSIFIERS.get(each, UNKNOWN) for each in named if each not in NO_LICENCE]
    try:
        said.append(canonicalize_license_expression(f"({words})" if " OR " in words else words))
    except InvalidLicenseExpression:
        said += [WORDS[words.lower()]] if words.lower() in WORDS else []
    found = " AND ".join(dict.fromkeys(said)) or READ.get(canonicalize_name(metadata["Name"]), UNKNOWN)
    return canonicalize_license_expression(found)


def inside(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield what was compiled into packages that list it, as "package: part" and its licence as it is written there."""
    for file in sorted(folder.glob("*.dist-info/sboms/*.json")):
        package = canonicalize_name(file.parents[1].name.split("-")[0])
        for part in json.loads(file.read_text()).get("components", []):
            for choice in part.get("licenses", []) if part.get("scope") != "optional" else []:
                said = choice.get("license", {})
                yield f"{package}: {part['name']}", choice.get("expression") or said.get("id") or said["name"]
