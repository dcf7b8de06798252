"""Seconds from `make up` to the first cited and the first generated answer: python -m bench.first_start [FOLDER]

Without a folder in a fresh clone of this checkout's HEAD, with a HOME of its own, so that the caches of pip and uv are
empty. With the folder of an earlier run the second start is measured. It prints what `make up` says, with the seconds
and the processor seconds so far before each line, and at the end the memory of each process.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from bench.processes import cpu_seconds, resident_mb, tree
from bench.service import ROOT, free_port

POLICY = "returns-policy.md"
QUESTION = {"input": "How long do I have to return an item?"}
# Those of the developer's own, of another virtual environment, and of the make that may have started this.
FOREIGN = ("KYUJANG_", "VIRTUAL_", "DATABASE_URL", "MAKE", "PIP_CACHE", "UV_CACHE", "XDG_", "PYTHON")
LONGEST_S = 3600


class Start:
    """One `make up`, and the time since it began."""

    def __init__(self, clone: Path, home: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        own = {"HOME": str(home), "KYUJANG_HOME": str(home / "kyujang"), "KYUJANG_PORT": str(port)}
        self._began = time.monotonic()
        self.process = subprocess.Popen(
            ["make", "--no-print-directory", "up"],
            cwd=clone,
            env={**kept, **own},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        threading.Thread(target=self._show, daemon=True).start()

    def _show(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.say(line.rstrip())

    def say(self, line: str) -> None:
        print(f"{time.monotonic() - self._began:7.1f} {cpu_seconds(self.process.pid):7.1f}  {line}", flush=True)

    def until(self, name: str, arrived: Callable[[], Any]) -> None:
        while not arrived():
            if self.process.poll() is not None or time.monotonic() - self._began > LONGEST_S:
                raise SystemExit("It ended, or took too long.")
            time.sleep(0.2)
        self.say(f"== {name} (load {os.getloadavg()[0]:.1f})")

    def stop(self) -> None:
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(120)


def measure(clone: Path, home: Path) -> None:
    print(f"load {os.getloadavg()[0]:.1f} on {len(os.sched_getaffinity(0))} cores; seconds and processor seconds:")
    start = Start(clone, home)
    try:
        with httpx.Client(base_url=start.url, timeout=600, trust_env=False) as client:
            start.until("the API is ready", lambda: _ask(client, "GET", "/readyz"))
            document = {"documents": [{"id": POLICY, "text": (ROOT / "examples" / POLICY).read_text()}]}
            start.until("a document is indexed", lambda: _ask(client, "POST", "/ingest?wait=60", document))
            start.until("first cited answer", lambda: _ask(client, "POST", "/query", QUESTION).get("citations"))
            start.until("the engine answers", lambda: _engine(client) == "ok")
            start.until("first generated answer", lambda: _mode(client) == "generated")
        print("\nMB and processor seconds of each process:")
        for pid in sorted(tree(start.process.pid), key=resident_mb, reverse=True):
            command = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
            print(f"{resident_mb(pid):7.0f} {cpu_seconds(pid):7.1f}  {command[:100]}")
    finally:
        start.stop()


def _ask(client: httpx.Client, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    try:
        answer = client.request(method, path, json=body)
    except httpx.HTTPError:
        return {}
    return dict(answer.json()) if answer.status_code == 200 else {}


def _engine(client: httpx.Client) -> str:
    return str(_ask(client, "GET", "/readyz").get("dependencies", {}).get("engine"))


def _mode(client: httpx.Client) -> str:
    return str(_ask(client, "POST", "/query", {**QUESTION, "max_tokens": 32, "grounding": "mark"}).get("answer_mode"))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.first_start", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, help="the folder of an earlier run")
    folder: Path = parser.parse_args().folder or Path(tempfile.mkdtemp(prefix="kyujang-first-start-"))
    folder.chmod(0o711)
    clone, home = folder / "clone", folder / "home"
    if not clone.exists():
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    home.mkdir(exist_ok=True, mode=0o711)
    measure(clone, home)
    print(f"\nThe second start: python -m bench.first_start {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
