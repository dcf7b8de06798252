"""Clients of OpenAI's API in their default configuration, in an environment of their own, against a scripted engine."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.app.api.openai.conftest import key_of, served
from tests.conftest import ROOT
from tests.scripted import Script, scripted

ENVIRONMENT = ROOT / ".cache" / "clients"
REQUIREMENTS = ROOT / "requirements" / "clients.txt"
ASKING = Path(__file__).parent / "clients"
PACKAGES = ASKING / "package.json"
SAID = "The reading room opens at nine [7]."
RIGHT = "The reading room opens at nine [1]."
PYTHON, NODE = ("openai", "langchain", "llamaindex", "litellm", "instructor"), ("openai", "vercel")
VALUES = {"dimensions": [384, 384], "quote": "The reading room opens at nine."}
OPENS = {"schema", "function", "json", "partial"}


@pytest.fixture(scope="session")
def python(pytestconfig) -> Path:
    """Installed once for each version of the requirements."""
    if not pytestconfig.getoption("--clients"):
        pytest.skip("takes minutes to install: make check-all, or --clients")
    done = ENVIRONMENT / "python" / "requirements.txt"
    if not done.exists() or done.read_text() != REQUIREMENTS.read_text():
        shutil.rmtree(ENVIRONMENT / "python", ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", ENVIRONMENT / "python"], check=True)
        pip = [ENVIRONMENT / "python/bin/python", "-m", "pip", "install", "-q", "--no-deps", "-r", REQUIREMENTS]
        subprocess.run(pip, check=True, timeout=900)
        shutil.copy(REQUIREMENTS, done)
    return ENVIRONMENT / "python" / "bin"


@pytest.fixture(scope="session")
def node(python: Path) -> Path:
    """The folder of the packages; Node itself is in the Python environment."""
    folder = ENVIRONMENT / "node"
    done = folder / "package.json"
    if not done.exists() or done.read_text() != PACKAGES.read_text():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        shutil.copy(PACKAGES, done)
        npm = [python / "npm", "install", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(npm, cwd=folder, check=True, timeout=900, capture_output=True)
    return folder


class Clerk(Script):
    """Says in JSON what it says in words, where JSON is asked for."""

    def _reply(self):
        structured = "response_format" in self.asked[-1]
        self.replies = ['{"opens": "The reading room opens at nine."}' if structured else SAID]
        return super()._reply()


async def answers_of(services, key: str, *command: str | Path) -> dict:
    async with scripted(Clerk()) as engine, served(dataclasses.replace(services, engine=engine)) as url:
        words = [url if word == "URL" else key if word == "KEY" else str(word) for word in command]
        process = await asyncio.create_subprocess_exec(*words, stdout=-1, stderr=-1)
        out, err = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0, err.decode()[-3000:]
    return json.loads(out.splitlines()[-1])


def check(answers: dict) -> None:
    for name, answer in answers.items():
        expected = VALUES.get(name, "The reading room opens at nine." if name in OPENS else RIGHT)
        assert answer == expected, name


@pytest.mark.parametrize("client", PYTHON)
async def test_a_python_client_works_as_it_comes(python, services, shelf, client):
    command = (python / "python", ASKING / "ask.py", "URL", "KEY", client)
    check(await answers_of(services, key_of(shelf), *command))


@pytest.mark.parametrize("client", NODE)
async def test_a_node_client_works_as_it_comes(python, node, services, shelf, client):
    command = (python / "node", ASKING / "ask.mjs", node, "URL", "KEY", client)
    check(await answers_of(services, key_of(shelf), *command))
