"""Helm's own code, in a process of its own: it brings Go's runtime, which has aborted in one that many tests share."""

from __future__ import annotations

import json
import sys
from typing import Any

import helm_python as helm


def main(what: str, chart: str, values: dict[str, Any] | str) -> Any:
    try:
        if what == "lint":
            return helm.lint(chart)
        if what == "package":
            return helm.package(chart, destination=str(values))
        with helm.Chart.load(chart) as loaded:
            return loaded.render(dict(values), name="demo", namespace="prod")
    except helm.HelmError as error:
        return {"refused": str(error)}


if __name__ == "__main__":
    json.dump(main(*json.load(sys.stdin)), sys.stdout)
