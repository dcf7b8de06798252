"""The guide's commands, run: start, first question, crashes, rotated secrets, backup and restore."""

from __future__ import annotations

import json
import re
import time
from typing import Any

from deploy.check.guide import commands
from deploy.check.project import Failed, Project

SECRETS = ("KYUJANG_OWNER_PASSWORD", "KYUJANG_SERVICE_PASSWORD", "KYUJANG_ENGINE_KEY", "KYUJANG_ADMIN_KEY")
SHOWN = 1000
DOCUMENTS = 12
WORK_S = 300
WRITTEN_SINCE = "after"


def starts_as_the_guide_says(project: Project) -> None:
    project.shell(commands("2. Keys"))
    with (project.folder / ".env").open("a") as env:
        # The last line of a name counts.
        env.write(f"COMPOSE_PROFILES=\nKYUJANG_ENGINE=none\nKYUJANG_PORT={project.port}\n")
    project.compose("build")
    project.compose("up", "--detach", "--quiet-pull")
    project.until_ready()


def answers_as_the_guide_says(project: Project) -> None:
    said = project.shell(commands("4. The first tenant and question"))
    answer = json.loads(said.splitlines()[-1])
    if not answer["citations"] or "30 days" not in str(answer):
        raise Failed(f"no answer with a citation: {said[-SHOWN:]}")


def wrong_values_are_named_in_a_line(project: Project) -> None:
    for service, name, value in (
        ("api", "KYUJANG_GROUNDING", "nonsense"),
        ("worker", "KYUJANG_LEASE_S", "0"),
        ("api", "KYUJANG_EMBEDDER", "minilm"),
        ("worker", "KYUJANG_SERVICE_DATABASE_URL", "postgresql://kyujang_app:a/b@db:5432/kyujang"),
        ("migrate", "DATABASE_URL", "postgresql://kyujang_owner:another@db:5432/kyujang"),
    ):
        said = project.compose("run", "--rm", "--no-deps", "-T", "-e", f"{name}={value}", service, fails=True)
        if name not in said or "Traceback" in said:
            raise Failed(f"{name}={value} is answered with: {said[-SHOWN:]}")
    # A line without a value is as good as none.
    empty = [option for name in _names_in_env(project) for option in ("-e", f"{name}=")]
    project.compose("run", "--rm", "--no-deps", "-T", *empty, "api", "app", "--help")
    project.compose(
        "run", "--rm", "--no-deps", "-T", *empty, "--entrypoint", "python", "api", "-c",
        "from app.settings import Settings; Settings()",
    )  # fmt: skip


def documents_outlive_crashes(project: Project) -> None:
    key = key_of(project)
    texts = [{"id": f"note-{n}", "text": f"Note {n}: shelf {n * 7} holds books. " * 90} for n in range(DOCUMENTS)]
    job = project.get("/ingest", key, {"documents": texts})["id"]
    for service in ("worker", "db", "api"):
        # SIGKILL, and at once again.
        project.compose("restart", "--no-deps", "--timeout", "0", service)
    project.until_ready()
    until = time.monotonic() + WORK_S
    found: dict[str, Any] = {}
    while time.monotonic() < until and found.get("status") not in ("succeeded", "failed"):
        time.sleep(2)
        found = project.get(f"/jobs/{job}", key)
    if found.get("status") != "succeeded" or found["counts"]["succeeded"] != DOCUMENTS:
        raise Failed(f"after crashes: {found}")


def secrets_are_rotated(project: Project) -> None:
    before = {name: project.secret(name) for name in SECRETS}
    key, known = key_of(project), _documents(project)
    project.shell(commands("Changing the secrets"))
    project.until_ready()
    if kept := [name for name in SECRETS if project.secret(name) == before[name]]:
        raise Failed(f"not changed: {kept}")
    if project.get("/documents?limit=100", key)["data"] != known:
        raise Failed("the documents have changed with the secrets")
    project.get("/readyz", project.secret("KYUJANG_ADMIN_KEY"))


def a_backup_is_restored_elsewhere(project: Project) -> None:
    key, known = key_of(project), _documents(project)
    project.shell(commands("Backup"))
    env = (project.folder / ".env").read_text()
    project.compose("down", "--volumes")
    (project.folder / ".env").unlink()
    project.shell(commands("Restore"))
    project.until_ready()
    if (project.folder / ".env").read_text() != env:
        raise Failed("the restored .env is another one")
    if project.get("/documents?limit=100", key)["data"] != known:
        raise Failed("the restored documents are not those of the backup")
    if not project.get("/query", key, {"input": "How long do I have to return an item?"})["citations"]:
        raise Failed("no citation after the restore")
    again = project.get("/ingest?wait=60", key, {"documents": [{"id": WRITTEN_SINCE, "text": "Written after."}]})
    if again["status"] != "succeeded":
        raise Failed(f"after the restore: {again}")


def a_backup_is_restored_over_what_is_there(project: Project) -> None:
    written = _documents(project)
    known = [each for each in written if each["id"] != WRITTEN_SINCE]
    if known == written:
        raise Failed("nothing was written since the backup")
    project.compose("stop", "api", "worker")
    project.shell(commands("Restore").replace("app restore", "app restore --replace"))
    project.until_ready()
    if _documents(project) != known:
        raise Failed("after restore --replace the documents are not those of the backup")


def key_of(project: Project) -> str:
    """Add a key of the first tenant."""
    asked = ("python", "-m", "app", "key", "add", "acme", "--scopes", "query,read,ingest")
    return project.inside("api", *asked).strip().splitlines()[-1]


def _documents(project: Project) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = project.get("/documents?limit=100", key_of(project))["data"]
    return found


def _names_in_env(project: Project) -> list[str]:
    """Return the settings that the example leaves out."""
    return re.findall(r"^#(KYUJANG_[A-Z_]+)=", (project.folder / ".env.example").read_text(), re.MULTILINE)
