"""python -m app.up.audit: asks OSV for known vulnerabilities of every package that a list in requirements/ pins.

Ends with 0 where none is known, with 1 where one is, and with 2 where not every package could be asked about.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from app.terminal import say
from app.up.environments import ROOT, Environment
from app.up.install import install_audit
from app.up.sources import InstallFailed

LISTS = sorted((ROOT / "requirements").glob("*.txt"))
PINNED = re.compile(r"^([A-Za-z0-9][\w.-]*)(?:\[[^]]*\])?==([^\s;+\\]+)", re.MULTILINE)
NONE_KNOWN, VULNERABLE, NOT_CHECKED = 0, 1, 2
LIMIT_S = 120.0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m app.up.audit")
    parser.add_argument("--url", help="of a service that answers like OSV's /v1/query")
    url = parser.parse_args(arguments).url
    try:
        return audit(install_audit(), pinned(LISTS), url)
    except InstallFailed as error:
        say(f"{error}\nnot checked: pip-audit could not be installed")
        return NOT_CHECKED


def pinned(lists: Iterable[Path]) -> dict[str, list[str]]:
    """Return the versions of each package: two environments may pin two of them."""
    found: dict[str, list[str]] = {}
    for name, version in itertools.chain.from_iterable(PINNED.findall(file.read_text()) for file in lists):
        versions = found.setdefault(re.sub(r"[-_.]+", "-", name).lower(), [])
        if version not in versions:
            versions.append(version)
    return found


def audit(tools: Environment, versions: Mapping[str, list[str]], url: str | None, limit_s: float = LIMIT_S) -> int:
    answers: list[dict[str, Any]] = []
    failure = ""
    # pip-audit refuses a package in two versions.
    for batch in itertools.zip_longest(*([f"{name}=={each}" for each in many] for name, many in versions.items())):
        try:
            answers += _asked(tools, [each for each in batch if each], url, limit_s)
        except (subprocess.SubprocessError, OSError, ValueError) as error:
            failure = _last_line(error)
            break
    vulnerable = [line for answer in answers for line in _vulnerabilities(answer)]
    for line in vulnerable:
        say(line)
    asked = sum("skip_reason" not in answer for answer in answers)
    total = sum(map(len, versions.values()))
    if asked < total:
        say(f"not checked: {total - asked} of {total} packages{failure and f' ({failure})'}")
    if vulnerable:
        return VULNERABLE
    if asked < total:
        return NOT_CHECKED
    say(f"{total} packages, no known vulnerability")
    return NONE_KNOWN


def _asked(tools: Environment, packages: Sequence[str], url: str | None, limit_s: float) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        listed, answer = Path(folder, "packages.txt"), Path(folder, "answer.json")
        listed.write_text("\n".join(packages))
        options = ["--no-deps", "--disable-pip", "--progress-spinner", "off", "--timeout", "5"]
        service = ["--vulnerability-service", "osv", *(["--osv-url", url] if url else [])]
        output = ["--format", "json", "--desc", "off", "--output", str(answer), "--requirement", str(listed)]
        command = [str(tools.folder / "bin" / "pip-audit"), *options, *service, *output]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=limit_s)
        if not answer.exists():
            raise subprocess.SubprocessError(done.stderr)
        found: list[dict[str, Any]] = json.loads(answer.read_text())["dependencies"]
        return found


def _vulnerabilities(answer: Mapping[str, Any]) -> Iterator[str]:
    for each in answer.get("vulns", []):
        fixed = ", ".join(each["fix_versions"]) or "none yet"
        yield f"{answer['name']} {answer['version']}: {', '.join([each['id'], *each['aliases']])}; mended in: {fixed}"


def _last_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[-1][-120:] if lines else type(error).__name__


if __name__ == "__main__":
    sys.exit(main())
