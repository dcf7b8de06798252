"""The documentation's examples run."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.docs.pages import EXECUTED, executed
from tests.stack import ROOT


def test_the_examples_run(live_server):
    """In the order of the pages, each as it stands, with the address of the test's server; the same block once."""
    strict = 'curl() { command curl --fail-with-body -sS "$@"; echo; }\n'
    environment = {**os.environ, "KYUJANG_URL": live_server}
    outputs: dict[str, str] = {}
    for page in EXECUTED:
        for block in executed(page):
            if block in outputs:
                continue
            script = block.replace("http://127.0.0.1:8000", live_server).replace(".venv/bin/python", sys.executable)
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", strict + script],
                cwd=ROOT,
                env=environment,
                capture_output=True,
                text=True,
                timeout=300,
            )
            assert done.returncode == 0, f"{page}: {block}\n{done.stdout}\n{done.stderr}"
            outputs[block] = done.stdout
    printed = {page: [outputs[block] for block in executed(page)] for page in EXECUTED}
    first, *_, invented = printed["README.md"]
    assert '"status":"succeeded"' in first
    assert '"citations":[{' in first
    assert '"finish_reason":"no_answer","no_answer_reason":"model_declined"' in invented
    assert '"finish_reason":"no_answer","no_answer_reason":"model_declined"' in printed["docs/guides/grounding.md"][-1]
    assert '"role":"system"' in printed["docs/guides/prompts.md"][0]
    assert '"document_id":"opening-hours"' in printed["docs/guides/search-and-filters.md"][1]
