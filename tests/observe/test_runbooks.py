"""What a runbook tells to run and to set exists; `make containers` runs it."""

from __future__ import annotations

import re
import shlex
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from app.main import create_app
from app.metrics import Metrics
from app.settings import Settings
from docs.tools.reference import environment_name
from tests.conftest import ROOT
from tests.docs.pages import blocks, read
from tests.observe.test_observe import labels_of

PAGE = "docs/operations/runbooks.md"
COMPOSE = (ROOT / "docker-compose.yml").read_text()
SERVICES = yaml.safe_load(COMPOSE)["services"].keys()
OPTIONS = r"--since \w+|--tail \d+|--scale|-[adq]+"
COMMANDS = [line for block in blocks(read(PAGE), "bash") for line in block.splitlines()]


@pytest.fixture(scope="module")
def paths():
    return create_app(Settings(engine="none")).openapi()["paths"]


@pytest.mark.parametrize("command", [each for each in COMMANDS if each.startswith("curl ")])
def test_what_is_asked_is_a_route(command, paths):
    words = shlex.split(command)
    assert {"$OPERATOR", "$TENANT"} & set(words)
    url = urlsplit(words[-1])
    method = words[words.index("-X") + 1].lower() if "-X" in words else "get"
    (found,) = (known for path, known in paths.items() if re.fullmatch(re.sub(r"\{\w+\}", "[A-Z]+", path), url.path))
    for name, (value,) in parse_qs(url.query, strict_parsing=bool(url.query)).items():
        (parameter,) = (each for each in found[method]["parameters"] if each["name"] == name)
        assert f"'{value}'" in str(parameter["schema"])


@pytest.mark.parametrize("command", [each for each in COMMANDS if "docker compose " in each])
def test_containers_that_are_named_are_services(command):
    words = re.search(r"docker compose (\w+) ?([^|)]*)", command)
    assert words is not None
    assert words[1] in ("ps", "logs", "up", "restart", "exec")
    named = re.sub(OPTIONS, "", words[2]).split()
    assert {each.partition("=")[0] for each in named} <= SERVICES


@pytest.mark.parametrize("page", [PAGE, "docs/ko/operations/runbooks.md"])
def test_settings_and_metrics_that_are_named_exist(page):
    settings = {environment_name(each) for each in Settings.model_fields} | set(re.findall(r"\$\{(\w+)", COMPOSE))
    text = read(page)
    assert set(re.findall(r"\b(?:KYUJANG|ENGINE|WORKER)_[A-Z_]+", text)) <= settings
    metrics = labels_of(Metrics())
    assert set(re.findall(r"\bkyujang_[a-z_]+", text)) <= metrics.keys()
