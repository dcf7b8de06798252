"""The container files, checked without a docker daemon."""

from __future__ import annotations

import importlib.resources
import json
import re
import subprocess
from fnmatch import fnmatch
from typing import Any

import jsonschema_rs
import pytest
import yaml

from app.cli.stopping_server import longest_answer_s
from app.settings import Settings
from app.settings.addresses import SERVICE_ROLE
from app.settings.object_storage import CREDENTIALS
from docs.tools.reference import environment_name
from tests.conftest import ROOT

COMPOSE = (ROOT / "docker-compose.yml").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text()
SERVICES = yaml.safe_load(COMPOSE)["services"]
ONE_SHOT = {"migrate", "model", "model-cpu"}
VARIABLE = re.compile(r"\$\{(\w+)([^}]*)\}")
SECRET = re.compile(r"(PASSWORD|KEY|TOKEN)$")


def instructions() -> list[tuple[str, str]]:
    lines = re.sub(r"^\s*#.*\n", "", DOCKERFILE, flags=re.MULTILINE).replace("\\\n", " ").splitlines()
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in lines if line.strip()]


def environment(service: str) -> dict[str, str | None]:
    return SERVICES[service].get("environment", {})


class Compose(yaml.SafeLoader):
    """With compose's own tags."""


Compose.add_constructor("!reset", lambda loader, node: loader.construct_sequence(node))


def read(text: str) -> dict[str, Any]:
    return yaml.load(text, Compose)


@pytest.mark.parametrize(
    "file",
    [
        "docker-compose.yml",
        "deploy/gpu.yml",
        "deploy/poolers.yml",
        "deploy/object-storage.yml",
        "deploy/rolling.yml",
        "deploy/rolling-gpu.yml",
        "deploy/rolling-poolers.yml",
    ],
)
def test_the_compose_file_fits_the_specification(file):
    vendored = importlib.resources.files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    jsonschema_rs.validator_for(json.loads(vendored.read_text())).validate(read((ROOT / file).read_text()))


def test_only_the_api_publishes_a_port_and_on_loopback_by_default():
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    # The dashboard is for this machine alone, whatever the API is for.
    assert published == {
        "api": ["${KYUJANG_BIND:-127.0.0.1}:${KYUJANG_PORT:-8000}:8000"],
        "grafana": ["127.0.0.1:${GRAFANA_PORT:-3000}:3000"],
    }


def test_database_engine_and_worker_have_no_way_out():
    # Internal alone leaves the host an address there, and what listens on the host within reach.
    shut = {"internal": True, "driver_opts": {"com.docker.network.bridge.inhibit_ipv4": "true"}}
    assert yaml.safe_load(COMPOSE)["networks"]["backend"] == shut
    for name in ("db", "vllm", "vllm-cpu", "worker"):
        assert list(SERVICES[name]["networks"]) == ["backend"], name


def test_every_container_has_only_the_rights_and_the_room_that_it_needs():
    for name, service in SERVICES.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert re.fullmatch(r"2g|\$\{[A-Z]+_MEMORY:-\d+g\}", service["mem_limit"]), name
        assert service["pids_limit"] in (1024, 8192), name
        assert service["tmpfs"][0].partition(":")[0] == "/tmp", name
    assert {name: service["cap_add"] for name, service in SERVICES.items() if "cap_add" in service} == {
        "vllm-cpu": ["SYS_NICE"]
    }
    # The image's user; the engines stay root, without a right, since their images have no other.
    assert SERVICES["db"]["user"] == "999:999"
    for name in ("vllm", "vllm-cpu"):
        folder = environment(name)["HOME"]
        assert [each for each in SERVICES[name]["volumes"] if not each.endswith(":ro")] == [f"engine-cache:{folder}"]


def test_the_image_is_built_once():
    """A build for each service would leave an image without a name for each."""
    ours = {name for name, service in SERVICES.items() if service["image"] == "kyujang:local"}
    assert {name for name in ours if "build" in SERVICES[name]} == {"migrate"}
    # What is not built must not be looked for in a registry.
    assert {name for name in ours if SERVICES[name].get("pull_policy") == "never"} == ours - {"migrate"}


def needed_by(name: str) -> set[str]:
    needed = set(SERVICES[name].get("depends_on", ()))
    return needed.union(*map(needed_by, needed))


def test_a_missing_gpu_or_model_does_not_stop_what_answers_without():
    for name in ("vllm", "vllm-cpu", "model", "model-cpu"):
        assert {"api", "worker", "migrate"} <= needed_by(name), name
    assert needed_by("api") | needed_by("worker") == {"db", "migrate"}


@pytest.mark.parametrize(("works_at", "code", "tries"), [(1, 0, 1), (3, 0, 3), (9, 1, 4)])
def test_a_download_is_tried_again_and_then_says_what_to_do(tmp_path, works_at, code, tries):
    (tmp_path / "hf").write_text(f'#!/bin/sh\necho "$2" >>tries; [ "$(wc -l <tries)" -ge {works_at} ]\n')
    (tmp_path / "sleep").write_text("#!/bin/sh\n")
    for program in ("hf", "sleep"):
        (tmp_path / program).chmod(0o755)
    shell, option, script = SERVICES["model"]["entrypoint"]
    command = [shell, option, script.replace("$$", "$"), "org/model"]
    path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run(command, cwd=tmp_path, env=path, capture_output=True, text=True, check=False)
    assert (done.returncode, (tmp_path / "tries").read_text()) == (code, "org/model\n" * tries)
    assert done.stderr.count("\n") == code
    assert ("KYUJANG_MODEL" in done.stderr) == bool(code)


def test_every_service_has_a_health_check_or_ends_by_itself():
    for name, service in SERVICES.items():
        if name == "collector":
            # Its image has no program that could ask it.
            assert service["healthcheck"] == {"disable": True}
        elif name in ONE_SHOT:
            assert service["healthcheck"] == {"disable": True}
            assert service["restart"] != "unless-stopped"
        else:
            assert service["healthcheck"]["test"][0] == "CMD", name
            assert service["restart"] == "unless-stopped"


def test_no_secret_has_a_default():
    secrets = {(name, rest) for name, rest in VARIABLE.findall(COMPOSE) if SECRET.search(name)}
    assert {name for name, _ in secrets} == {
        "KYUJANG_OWNER_PASSWORD",
        "KYUJANG_SERVICE_PASSWORD",
        "KYUJANG_ENGINE_KEY",
        "KYUJANG_ADMIN_KEY",
    }
    assert [name for name, rest in secrets if not rest.startswith(":?")] == []
    literal = [value for name in SERVICES for key, value in environment(name).items() if SECRET.search(key) and value]
    assert [value for value in literal if "${" not in value] == []


def test_only_the_migration_knows_the_owner():
    knows = [name for name in SERVICES if "KYUJANG_OWNER_PASSWORD" in json.dumps(SERVICES[name])]
    assert knows == ["db", "migrate"]
    for name in ("api", "worker"):
        assert "DATABASE_URL" not in environment(name)
        assert f"//{SERVICE_ROLE}:" in str(environment(name)["KYUJANG_SERVICE_DATABASE_URL"])
    assert environment("api")["KYUJANG_AUTH"] == "on"
    assert [name for name in SERVICES if "KYUJANG_ADMIN_KEY" in environment(name)] == ["api"]


def test_what_is_passed_on_is_a_setting():
    known = set(map(environment_name, Settings.model_fields))
    for name in ("migrate", "api", "worker"):
        assert {key for key in environment(name) if key.startswith("KYUJANG_")} <= known


# Compose has a value of its own for these, or no container has what they are about.
NOT_PASSED_ON = {
    "KYUJANG_HOME": "a volume, whose place the image says",
    "KYUJANG_HOST": "the image listens on all addresses of its container; KYUJANG_BIND is the host's",
    "KYUJANG_PORT": "8000 inside; the same name is the host's port",
    "KYUJANG_AUTH": "always on",
    "KYUJANG_ENGINE_ARGUMENTS": "an argument of `make up`'s engine",
    "KYUJANG_QUANTIZATION": "an argument of `make up`'s engine",
    "KYUJANG_WORKERS": "`docker compose up --scale worker=N`",
    "KYUJANG_URL": "for the command line on another machine",
    "KYUJANG_KEY": "for the command line on another machine",
}


def test_every_setting_reaches_the_containers_that_read_it():
    passed_on = {key for name in ("migrate", "api", "worker") for key in environment(name)}
    engines = json.dumps([SERVICES[name] for name in ("vllm", "vllm-cpu", "model", "model-cpu")])
    settings = set(map(environment_name, Settings.model_fields))
    missing = {name for name in settings - passed_on if f"{{{name}:" not in engines}
    assert missing <= NOT_PASSED_ON.keys()
    assert NOT_PASSED_ON.keys() <= settings
    for name in ("KYUJANG_ADAPTERS_AT", "KYUJANG_MAX_LORA_RANK", "KYUJANG_LLM_URL"):
        assert name in environment("api").keys() & environment("worker").keys()


@pytest.mark.parametrize("profile", ["gpu", "cpu"])
def test_a_profile_brings_one_engine_behind_the_guard(profile):
    engines = [
        name for name, service in SERVICES.items() if service.get("profiles") == [profile] and name not in ONE_SHOT
    ]
    assert len(engines) == 1
    engine = SERVICES[engines[0]]
    assert engine["networks"]["backend"]["aliases"] == ["engine"]
    assert "engine_guard.Guard" in engine["entrypoint"]
    source, target, mode = engine["volumes"][-1].split(":")
    assert (ROOT / source).is_file()
    assert (target, mode) == (f"{engine['environment']['PYTHONPATH']}/engine_guard.py", "ro")
    assert engine["entrypoint"][:3] == ["python3", "-m", "engine_guard"]
    assert not engine["image"].endswith("latest")


def test_the_example_of_env_names_every_variable_and_holds_no_secret():
    example = (ROOT / ".env.example").read_text()
    named = dict(re.findall(r"^#?([A-Z_]+)=(.*)$", example, flags=re.MULTILINE))
    passed_on = {key for name in SERVICES for key, value in environment(name).items() if value is None}
    assert set(named) == {name for name, _ in VARIABLE.findall(COMPOSE)} | passed_on | {"COMPOSE_PROFILES"}
    assert [name for name, value in named.items() if SECRET.search(name) and value] == []


def test_the_commands_in_the_example_of_env_make_the_secrets(tmp_path):
    example = (ROOT / ".env.example").read_text()
    (tmp_path / ".env.example").write_text(example)
    commands = "\n".join(re.findall(r"^#   (.*)$", example, flags=re.MULTILINE))
    subprocess.run(["bash", "-euo", "pipefail", "-c", commands], cwd=tmp_path, check=True)
    made = dict(re.findall(r"^([A-Z_]+)=(.+)$", (tmp_path / ".env").read_text(), flags=re.MULTILINE))
    secrets = [value for name, value in made.items() if SECRET.search(name)]
    assert len(set(secrets)) == 4
    assert all(re.fullmatch(r"[0-9a-f]{48}", value) for value in secrets)


def test_what_the_image_copies_exists_and_reaches_the_build():
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = [
        source
        for name, rest in instructions()
        if name == "COPY" and "--from" not in rest
        for source in rest.split()[:-1]
    ]
    assert set(copied) == {"app", "console", "ingest", "migrations", "requirements"}
    assert [source for source in copied if not (ROOT / source).exists()] == []
    assert set(copied) == set(allowed)


def test_cuda_comes_into_the_image_only_where_it_is_asked_for():
    assert "ARG TORCH=cpu" in DOCKERFILE
    assert "TORCH: cuda" not in COMPOSE
    asked = yaml.safe_load((ROOT / "deploy" / "gpu.yml").read_text())["services"]
    assert asked.keys() <= SERVICES.keys()
    assert {service["image"] for service in asked.values()} == {"kyujang:cuda"}
    built = {name: service["build"]["args"]["TORCH"] for name, service in asked.items() if "build" in service}
    assert built == {"migrate": "cuda"}
    devices = SERVICES["vllm"]["deploy"]
    assert {name: service["deploy"] for name, service in asked.items() if "deploy" in service} == {
        "api": devices,
        "worker": devices,
    }


def test_object_storage_opens_a_way_for_the_worker_alone():
    added = yaml.safe_load((ROOT / "deploy" / "object-storage.yml").read_text())
    assert added["services"] == {"worker": {"networks": ["backend", "storage"]}}
    assert added["networks"] == {"storage": None}
    passed_on = set(yaml.safe_load(COMPOSE)["x-storage"])
    assert "KYUJANG_STORAGE" in passed_on
    assert all(any(set(names) <= passed_on for names in rows) for rows in CREDENTIALS.values())
    for name in ("migrate", "api", "worker"):
        assert passed_on <= environment(name).keys()


def test_poolers_are_behind_their_guard_and_take_their_share_from_the_engine():
    text = (ROOT / "deploy" / "poolers.yml").read_text()
    added = yaml.safe_load(text)["services"]
    poolers = [added["embedder"], added["reranker"]]
    for each in poolers:
        assert (each["image"], each["networks"]) == (SERVICES["vllm"]["image"], ["backend"])
        assert "engine_guard.PoolerGuard" in each["entrypoint"]
        assert "ports" not in each
        assert each["environment"].items() <= {**SERVICES["vllm"]["environment"]}.items()
        assert "/guard/engine_guard.py" in each["volumes"][-1]

    def share(service):
        return float(VARIABLE.findall(service["command"][-1])[0][1].removeprefix(":-"))

    assert share(added["vllm"]) + sum(map(share, poolers)) == pytest.approx(share(SERVICES["vllm"]))
    assert added["vllm"]["command"][:-1] == SERVICES["vllm"]["command"][:-1]
    known = set(map(environment_name, Settings.model_fields))
    for name in ("migrate", "api", "worker"):
        assert {key for key in added[name]["environment"] if key.startswith("KYUJANG_")} <= known
        assert added[name]["environment"]["KYUJANG_EMBEDDER_URL"] == "http://embedder:8000/v1"
    assert added["api"]["environment"]["KYUJANG_RERANKER_URL"] == "http://reranker:8000/v1"


def test_the_image_runs_as_nobody_special():
    last_stage = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]
    assert re.findall(r"^USER (\S+)$", last_stage, flags=re.MULTILINE) == ["10001"]
    assert 'ENTRYPOINT ["python", "-m"]' in last_stage
    known = {
        "FROM",
        "ARG",
        "ENV",
        "WORKDIR",
        "RUN",
        "COPY",
        "USER",
        "EXPOSE",
        "HEALTHCHECK",
        "ENTRYPOINT",
        "CMD",
    }
    # No VOLUME: a container that mounts nothing there would leave an unnamed one behind.
    assert {name for name, _ in instructions()} == known


def test_image_and_laptop_install_the_same_torch():
    pinned = re.search(r'"torch==(.+?)"', (ROOT / "pyproject.toml").read_text())
    assert pinned
    assert set(re.findall(r"torch==(\S+)\+cpu", DOCKERFILE)) == {pinned[1]}


def test_what_observes_is_started_by_its_profile_alone_and_sees_what_is_there():
    watching = {name for name, service in SERVICES.items() if service.get("profiles") == ["observe"]}
    assert watching == {"prometheus", "grafana", "collector"}
    for name in watching:
        for mounted in SERVICES[name]["volumes"]:
            source, _, mode = mounted.partition(":")
            assert (ROOT / source).exists() or source in yaml.safe_load(COMPOSE)["volumes"], mounted
            assert mode.endswith(":ro") or source == "prometheus"
    example = (ROOT / ".env.example").read_text()
    assert "#KYUJANG_WORKER_METRICS=0.0.0.0:9464" in example
    assert "#OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4318" in example


def test_prometheus_looks_at_every_api_and_worker():
    """At the two of a rolling change as well; one that is gone is still looked for, or told by a rule."""
    api, worker = yaml.safe_load((ROOT / "deploy" / "observe" / "prometheus.yml").read_text())["scrape_configs"]
    (files,) = api["file_sd_configs"][0]["files"]
    assert worker["dns_sd_configs"] == [{"names": ["worker"], "type": "A", "port": 9464}]
    rolling = read((ROOT / "deploy" / "rolling.yml").read_text())["services"]
    mounted = [*SERVICES["prometheus"]["volumes"], *rolling["prometheus"]["volumes"]]
    lists = [source for source, at in (each.split(":")[:2] for each in mounted) if fnmatch(at, files)]
    assert [yaml.safe_load((ROOT / each).read_text()) for each in lists] == [
        [{"targets": ["api:9464"]}],
        [{"targets": ["api-2:9464"]}],
    ]


@pytest.mark.parametrize("overlay", ["gpu", "poolers"])
def test_the_second_api_gets_what_an_overlay_gives_the_first(overlay):
    added = read((ROOT / "deploy" / f"rolling-{overlay}.yml").read_text())["services"]
    assert added == {"api-2": {"extends": {"file": f"deploy/{overlay}.yml", "service": "api"}}}


def test_a_rolling_change_has_the_time_that_it_needs():
    rolling = read((ROOT / "deploy" / "rolling.yml").read_text())["services"]
    assert rolling["api-2"]["extends"] == {"file": "docker-compose.yml", "service": "api"}
    assert {name: each["ports"] for name, each in rolling.items() if "ports" in each} == {
        "api": [], "api-2": [], "proxy": SERVICES["api"]["ports"],
    }  # fmt: skip
    (drain_s,) = {each["environment"]["KYUJANG_DRAIN_S"] for each in (rolling["api"], rolling["api-2"])}
    proxy = dict(re.findall(r"(inter|timeout check|timeout server) (\d+)s", (ROOT / "deploy/haproxy.cfg").read_text()))
    assert int(proxy["inter"]) + int(proxy["timeout check"]) < int(re.search(r":-(\d+)}", drain_s)[1])
    answer_s = longest_answer_s(Settings().llm_timeout_s)
    assert int(proxy["timeout server"]) > answer_s
    for service in (SERVICES["api"], rolling["proxy"]):
        assert service["stop_grace_period"] == "11m"
    assert answer_s + 5 < 11 * 60
