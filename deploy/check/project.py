"""A copy of the clone that runs as a compose project of its own, beside one that may be running here."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from deploy.check.stamp import FILES, FOLDERS, ROOT

NAME = "kyujang-check"
COPIED = ("app", "console", "ingest", "migrations", "examples", *FOLDERS)
MADE = ("__pycache__", "node_modules", "dist")
READY_S = 900


class Failed(Exception):
    pass


@dataclass
class Project:
    folder: Path
    port: int = field(default_factory=lambda: free_port())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def copy_clone(self) -> None:
        for name in (*FILES, "README.md"):
            shutil.copy(ROOT / name, self.folder / name)
        for name in COPIED:
            shutil.copytree(ROOT / name, self.folder / name, ignore=shutil.ignore_patterns(*MADE))

    def run(self, *command: str, fails: bool = False) -> str:
        """Return what a command has written. Raises Failed if it fails, or with `fails` if it does not."""
        done = subprocess.run(
            command, cwd=self.folder, env=self._environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, text=True, check=False,
        )  # fmt: skip
        if (done.returncode != 0) != fails:
            tail = "\n".join(done.stdout.splitlines()[-20:])
            raise Failed(f"{' '.join(command)[:300]}\nended with {done.returncode}:\n{tail}")
        return done.stdout

    def shell(self, commands: str) -> str:
        """Run what a guide says, with this project's port."""
        return self.run("bash", "-euo", "pipefail", "-c", commands.replace("127.0.0.1:8000", f"127.0.0.1:{self.port}"))

    def compose(self, *arguments: str, fails: bool = False) -> str:
        return self.run("docker", "compose", *arguments, fails=fails)

    def inside(self, service: str, *command: str, fails: bool = False) -> str:
        return self.compose("exec", "-T", service, *command, fails=fails)

    def services(self) -> dict[str, dict[str, Any]]:
        """Return what docker knows about each running container, by its service."""
        found = json.loads(self.run("docker", "inspect", *self.compose("ps", "--quiet").split()))
        return {each["Config"]["Labels"]["com.docker.compose.service"]: each for each in found}

    def get(self, path: str, key: str, body: dict[str, Any] | None = None) -> Any:
        request = Request(f"{self.url}{path}", json.dumps(body).encode() if body else None)  # noqa: S310
        request.add_header("Authorization", f"Bearer {key}")
        request.add_header("Content-Type", "application/json")
        try:
            with urlopen(request, timeout=120) as answer:  # noqa: S310
                return json.load(answer)
        except HTTPError as error:
            raise Failed(f"{path} answered {error.code}: {error.read(1000)!r}") from error

    def until_ready(self) -> None:
        """Wait for /readyz. Raises Failed with the containers' state."""
        until = time.monotonic() + READY_S
        while time.monotonic() < until:
            try:
                with urlopen(f"{self.url}/readyz", timeout=15):  # noqa: S310
                    return
            except OSError:
                time.sleep(2)
        raise Failed(f"/readyz is not 200 after {READY_S} s:\n{self.compose('ps', '--all')}")

    def secret(self, name: str) -> str:
        lines = dict(line.split("=", 1) for line in (self.folder / ".env").read_text().splitlines() if "=" in line)
        return lines[name]

    def _environment(self) -> dict[str, str]:
        # Not the variables of the shell, which come before those in .env.
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("KYUJANG_", "COMPOSE_"))}
        return {**ours, "COMPOSE_PROJECT_NAME": NAME}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
