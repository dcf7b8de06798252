"""Another user for root's children, and the environment that its own user cannot read."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

AS_ANOTHER = """
import os, sys
from pathlib import Path
from app.sandbox import user
from app.sandbox.profile import Profile
document, model, scratch = map(Path, sys.argv[1:])
handed = user.Handed.open(Profile(read={"document": document, "model": model}, scratch={"scratch": scratch}))
# Its own libraries are loaded, and may lie where this user cannot read.
state = user.switch_user(handed, [Path("/nowhere"), Path(os.environ["LIBRARY"])])
paths = handed.paths
refused = []
parent = os.getppid()
for attempt in (document.read_bytes, Path("/etc/shadow").read_bytes, Path(f"/proc/{parent}/environ").read_bytes,
                lambda: paths["document"].write_bytes(b"x"), lambda: os.kill(parent, 0)):
    try:
        attempt()
    except PermissionError:
        refused.append(True)
(paths["scratch"] / "made").write_text("x")
assert [(paths["scratch"] / name).read_text() for name in ("mine", "deeper/mine")] == ["mine"] * 2
texts = paths["document"].read_text(), (paths["model"] / "a").read_text()
print(state, os.getresuid(), os.getgroups(), len(refused), *texts)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone can become another user")
def test_root_s_child_is_another_user_who_reads_what_it_is_handed(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    document, model, scratch = closed / "document", closed / "model", closed / "scratch"
    document.write_text("text")
    document.chmod(0o600)
    model.mkdir()
    (model / "a").write_text("weights")
    scratch.mkdir(mode=0o700)
    for folder in (scratch, scratch / "deeper"):
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / "mine").write_text("mine")
        (folder / "mine").chmod(0o600)
    (scratch / "link").symlink_to(document)
    os.link(document, scratch / "twice")
    command = [sys.executable, "-c", AS_ANOTHER, str(document), str(model), str(scratch)]
    environment = {"PYTHONPATH": str(ROOT), "LIBRARY": "/"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.stdout == "60600 (60600, 60600, 60600) [] 5 text weights\n", done.stderr
    assert (document.stat().st_mode & 0o777, document.stat().st_uid) == (0o600, 0)
    # A library or a model that it could not read would be missing: it stays the worker's then.
    for given, mode in (({"LIBRARY": str(closed / "model")}, 0o644), ({}, 0o600)):
        (model / "a").chmod(mode)
        done = subprocess.run(command, env={**environment, **given}, capture_output=True, text=True)
        assert done.stdout.startswith("the worker's: another one"), done.stderr


def test_the_environment_of_a_process_with_secrets_is_closed_to_its_own_user():
    # Without capabilities, as processes in a container are.
    head = "import sys\nfrom pathlib import Path\nfrom app.sandbox.kernel import drop_capabilities, hide_process\n"
    program = f"{head}drop_capabilities()\nhide_process()\nprint(flush=True)\ninput()"
    look = f"{head}drop_capabilities()\nprint(b'SECRET' in Path('/proc', sys.argv[1], 'environ').read_bytes())"
    environment = {"PYTHONPATH": str(ROOT), "SECRET": "s"}
    found = []
    for code in (program, program.replace("\nhide_process()", "")):
        with subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
        ) as process:
            process.stdout.readline()
            command = [sys.executable, "-c", look, str(process.pid)]
            looked = subprocess.run(command, env=environment, capture_output=True, text=True)
            found.append("refused" if "PermissionError" in looked.stderr else looked.stdout.strip())
            process.stdin.write("\n")
    assert found == ["refused", "True"]
