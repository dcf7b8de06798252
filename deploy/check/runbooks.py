"""The commands of docs/operations/runbooks.md, run beside a service where nothing is wrong."""

from __future__ import annotations

import re

from deploy.check.guide import BLOCK
from deploy.check.operation import key_of
from deploy.check.project import Project
from deploy.check.stamp import ROOT

PAGE = ROOT / "docs" / "operations" / "runbooks.md"
# No engine is started here, and what docker keeps is not this check's alone.
LEFT_OUT = re.compile(r"\bvllm|docker (?:image|builder) prune")
SOUGHT = re.compile(r"\| grep .*$")


def commands() -> list[str]:
    """Return the first block, which the others need, and the lines of the others."""
    first, *blocks = BLOCK.findall(PAGE.read_text())
    return [first, *(line for block in blocks for line in block.splitlines() if not LEFT_OUT.search(line))]


def commands_of_runbooks_work(project: Project) -> None:
    key = key_of(project)
    job = project.get("/ingest", key, {"documents": [{"id": "runbook", "text": "A page."}]})["id"]
    first, *lines = commands()
    known = f'{first}\nTENANT="Authorization: Bearer {key}"\n'
    for line in lines:
        # Nothing is found where nothing is wrong; an answer that is an error fails.
        line = SOUGHT.sub("", line).replace("curl -s ", "curl -sf ").replace("JOB", job)
        project.shell(known + line)
    project.compose("up", "--detach", "--scale", "worker=1")
    project.until_ready()
