"""What a child may use, enforced by the kernel."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from app.sandbox.limits import UNLIMITED, Limits
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("limits", "busy", "end"),
    [
        (Limits(cpu_s=1), "while True: pass", -signal.SIGXCPU),
        (Limits(address_space=2 << 30), "bytes(3 << 30)", "MemoryError"),
        (Limits(data=1 << 30), "bytes(2 << 30)", "MemoryError"),
        (Limits(file_size=0), "import os; os.write(os.open('a', os.O_CREAT | os.O_WRONLY), b'x')", "File too large"),
        (UNLIMITED, "import os, resource; os._exit(3 + resource.getrlimit(resource.RLIMIT_CORE)[1])", 3),
    ],
    ids=["processor", "address space", "data", "disk", "core dumps"],
)
def test_a_process_limits_itself(tmp_path, limits, busy, end):
    program = f"import sys\nfrom app.sandbox.limits import Limits\nLimits.from_json(sys.argv[1]).apply()\n{busy}"
    done = subprocess.run(
        [sys.executable, "-c", program, limits.to_json()],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == end if isinstance(end, int) else end in done.stderr
