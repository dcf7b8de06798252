"""Nothing that Kyujang starts looks a name up or connects to another host, in default settings, ever.

It is watched from outside: in a network namespace whose default route ends at tests/outbound/watched.py.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.embedding.packaged.folder import packaged_folder
from app.up.engine import ENGINE_ENVIRONMENT
from app.up.environments import ROOT, engine_environment
from tests.conftest import home_with

UNSHARE = ("unshare", "--net", "--mount")
LONGEST_S = 800
CONNECTS = "import socket; s = socket.socket(); s.settimeout(5); s.connect_ex(('192.0.2.9', 443))"
PLANTED = {
    "a look-up": "import socket\ntry: socket.getaddrinfo('telemetry.example', 443)\nexcept OSError: pass",
    "a connection of a grandchild": (
        "import subprocess, sys; "
        f"subprocess.run([sys.executable, '-c', '''import subprocess, sys; subprocess.run([sys.executable, '-c', "
        f'"""{CONNECTS}"""])\'\'\'])'
    ),
    # The first ones wait until the next hop is known, which takes longer on a busy machine.
    "a packet of UDP over IPv6": (
        "import socket, time; from pathlib import Path; record = Path.home() / 'record'; began = time.monotonic()\n"
        "while time.monotonic() < began + 60 and not (record.exists() and record.stat().st_size):\n"
        "    socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(b'x', ('2001:db8::9', 8125)); time.sleep(0.1)"
    ),
    "ONNX Runtime without the switch": (
        "import sys, time; from pathlib import Path; import onnxruntime as o; record = Path.home() / 'record'\n"
        "session = o.InferenceSession(sys.argv[1], providers=['CPUExecutionProvider']); began = time.monotonic()\n"
        "while time.monotonic() < began + 60 and not (record.exists() and record.stat().st_size): time.sleep(0.1)"
    ),
}
FOUND = {
    "a look-up": "look-up telemetry.example",
    "a connection of a grandchild": "connection 192.0.2.9 443",
    "a packet of UDP over IPv6": "UDP 2001:db8::9 8125",
    "ONNX Runtime without the switch": "look-up mobile.events.data.microsoft.com",
}


def why_not() -> str | None:
    """Return why this machine makes no network of its own."""
    missing = [name for name in ("unshare", "nsenter", "ip", "mount") if shutil.which(name) is None]
    if missing:
        return f"{', '.join(missing)} not found: install iproute2, util-linux and mount"
    tried = subprocess.run(
        [*UNSHARE, "ip", "link", "add", "name", "here", "type", "veth", "peer", "name", "there"],
        capture_output=True,
        text=True,
    )
    return f"no network namespace with veth, root is needed: {tried.stderr.strip()}" if tried.returncode else None


REASON = why_not()
pytestmark = [pytest.mark.outbound, pytest.mark.skipif(REASON is not None, reason=REASON or "")]


def watched(folder: Path, *command: str, **environment: str) -> list[str]:
    """Run the program without this process's environment, and return where it wanted to go."""
    record = folder / "record"
    plain = {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8", **environment}
    program = [*UNSHARE, sys.executable, "-m", "tests.outbound.watched", str(record), *command]
    subprocess.run(program, cwd=ROOT, env=plain, check=True, timeout=LONGEST_S)
    return record.read_text().splitlines() if record.exists() else []


@pytest.mark.parametrize("planted", PLANTED)
def test_what_wants_to_leave_is_seen(tmp_path, models, planted):
    model = packaged_folder(models) / "model.onnx"
    assert FOUND[planted] in watched(tmp_path, sys.executable, "-c", PLANTED[planted], str(model))


def test_nothing_leaves_while_everything_starts_and_answers(scratch, models, request):
    """With the real engine in the long form, which converts its model first; else without one."""
    whole = request.config.getoption("--watch") == "whole"
    folder = scratch / "outbound"
    folder.mkdir(mode=0o711)
    home = home_with(models, folder / "home")
    home.chmod(0o711)
    settings = [] if whole else ["KYUJANG_ENGINE=none"]
    assert watched(folder, sys.executable, "-m", "tests.outbound.one_question", str(home), *settings) == []
    assert {each.name for each in folder.iterdir()} <= {"home", "home.log", "record", "record.resolv.conf"}


def test_nothing_leaves_while_the_engine_is_imported(tmp_path):
    engine = engine_environment(gpu=False)
    if not engine.is_installed():
        pytest.skip("the engine's environment is not installed here")
    program = "import vllm.entrypoints.openai.api_server, engine_guard"
    assert watched(tmp_path, str(engine.python), "-c", program, **ENGINE_ENVIRONMENT) == []
