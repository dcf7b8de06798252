"""The real parts, each started once: PostgreSQL with pgvector, the embedding model, the application, its worker."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
import psycopg
import pytest

from app.bootstrap import open_services
from app.embedding import Embedder, Encoder
from app.embedding.e5 import E5Encoder
from app.main import create_app
from app.retrieval.live_spaces import OpenSpace, OpenSpaces
from app.retrieval.search import Retriever
from app.services import Services
from app.settings import Settings
from app.storage.migrate import migrate
from app.storage.spaces import Space
from app.up.postgres import EmbeddedPostgres
from ingest.worker import run
from tests.ingest.adapters.made import write_base
from tests.s3 import s3_server
from tests.stack import ADMIN_KEY, ROOT

pytest_plugins = ["tests.scheduling", "tests.packaged_model", "tests.every_test"]

EXAMPLES = ROOT / "examples"
SHARED_DATA = ROOT.parent / "shared" / "data"
TEMPLATE = "kyujang_template"

# A test must neither read the developer's settings nor reach a model hub.
for name in [name for name in os.environ if name.startswith("KYUJANG_") or name == "DATABASE_URL"]:
    del os.environ[name]
os.environ["HF_HUB_OFFLINE"] = "1"
# On a machine whose cores the tests fill, a worker behind all of them would hardly work.
os.environ["KYUJANG_WORKER_NICE"] = "0"
# Nor what an installed service of this machine keeps in the default home.
os.environ["KYUJANG_HOME"] = str(Path(tempfile.gettempdir(), f"kyujang-no-home-{os.getpid()}"))

needs_shared_data = pytest.mark.skipif(
    not SHARED_DATA.is_dir(), reason="the evaluation data is not beside this checkout (CONTRIBUTING.md, Tests)"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--four-bits", action="store_true", help="train on a base model in four bits, beside the engine")
    parser.addoption("--training", default="sample", choices=["sample", "whole"], help="steps of a house style")
    parser.addoption("--clients", action="store_true", help="install and try the clients of OpenAI's API")
    parser.addoption("--office", action="store_true", help="convert files of before 2007 with LibreOffice")
    parser.addoption("--poolers", action="store_true", help="embed and rerank with vLLMs of their own")
    parser.addoption("--kills", default=5, type=int, help="processes that tests/e2e/test_crash.py kills")
    parser.addoption("--pages", default=30, type=int, help="pages of a scan that tests/ingest/test_scan_kills.py reads")
    parser.addoption("--rounds", default=1, type=int, help="backups in a storm of tests/app/storage/backup")
    parser.addoption(
        "--storage", default="folder", choices=["folder", "objects"], help="uploads of tests/e2e/test_crash"
    )
    parser.addoption("--adapters", default=5, type=int, help="tenants with an adapter in tests/e2e/test_adapters.py")
    parser.addoption("--requests", default=400, type=int, help="made-up requests of tests/app/api/test_openapi.py")
    parser.addoption("--attacks", default="sample", choices=["sample", "whole"], help="prompts of e2e/test_canaries.py")
    parser.addoption("--benches", default="sample", choices=["sample", "whole"], help="parts of tests/bench")
    parser.addoption("--watch", default="sample", choices=["sample", "whole"], help="engine of tests/outbound")
    parser.addoption("--growth", default="sample", choices=["sample", "whole"], help="units of tests/test_growth.py")
    parser.addoption("--exported", default=12, type=int, help="documents that tests/app/storage/export moves")
    parser.addoption("--quality", default="sample", choices=["sample", "whole"], help="corpus of tests/contract")
    parser.addoption("--alerts", action="store_true", help="bring about the faults of tests/observe/test_faults.py")
    parser.addoption("--rolling", action="store_true", help="replace the processes of a service under load")
    parser.addoption("--fairness", action="store_true", help="flood the service as one tenant, and ask as another")
    parser.addoption("--screenshots", action="store_true", help="draw the pictures of the console in docs/ again")
    parser.addoption("--milvus", action="store_true", help="start a Milvus server for tests/contract/test_milvus.py")
    parser.addoption("--chart", action="store_true", help="start the containers of deploy/helm by docker")
    parser.addoption("--ray", default="sample", choices=["sample", "whole"], help="deaths of tests/ingest/cluster")


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """A folder that the account which runs PostgreSQL can pass through."""
    folder = Path(tempfile.mkdtemp(prefix="kyujang-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def s3() -> Iterator[tuple[str, int]]:
    """The address of an S3 server."""
    with s3_server() as address:
        yield address


@pytest.fixture(scope="session")
def postgres(scratch: Path) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(scratch / "postgres", extra_settings={"fsync": "off", "full_page_writes": "off"}) as server:
        yield server


def with_database(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


@pytest.fixture(scope="session")
def template(postgres: EmbeddedPostgres) -> str:
    """A migrated, empty database, of which each test module gets a copy."""
    with psycopg.connect(postgres.owner_url, autocommit=True) as connection:
        connection.execute(f"create database {TEMPLATE}")
    settings = Settings(database_url=with_database(postgres.owner_url, TEMPLATE))
    migrate(settings, dimension=lambda: E5Encoder.dimension)
    return TEMPLATE


@pytest.fixture(scope="module")
def base(models: Path) -> Iterator[Path]:
    """What adapters are checked against, in the packaged model's place. The models are one folder for all tests."""
    yield write_base(models / "smollm2")
    shutil.rmtree(models / "smollm2")


def home_with(models: Path, home: Path) -> Path:
    home.mkdir()
    (home / "models").symlink_to(models)
    return home


@pytest.fixture(scope="module")
def owner_url(postgres: EmbeddedPostgres, template: str) -> Iterator[str]:
    name = f"test_{secrets.token_hex(4)}"
    with psycopg.connect(postgres.owner_url, autocommit=True) as connection:
        connection.execute(f"create database {name} template {template} strategy file_copy")
        yield with_database(postgres.owner_url, name)
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture(scope="module")
def settings(owner_url: str, scratch: Path, models: Path) -> Settings:
    """Extractive answers; keys are needed, as in production."""
    home = home_with(models, scratch / secrets.token_hex(4))
    return Settings(
        database_url=owner_url, home=home, engine="none", admin_key=ADMIN_KEY, lease_s=2, webhook_hosts="hooks.example"
    )


@pytest.fixture(scope="module")
async def services(settings: Settings) -> AsyncIterator[Services]:
    async with open_services(settings) as opened:
        yield opened


@pytest.fixture
def no_open_tasks(owner_url: str) -> Iterator[None]:
    """Left to the next test."""
    yield
    with psycopg.connect(owner_url) as connection:
        connection.execute("set role kyujang_operator")
        connection.execute("update job_items set status = 'cancelled', lease_until = null")


def with_encoder(services: Services, encoder: Encoder) -> Services:
    """The same vectors, made by another one."""

    async def none_else(space: Space) -> OpenSpace:
        raise AssertionError(f"nobody asked for {space.model}")

    current = services.spaces.current
    spaces = OpenSpaces(services.database, none_else, OpenSpace(current.number, Embedder(encoder), current.store))
    retriever = Retriever(services.database, spaces, services.analyzer, None, services.settings.dense_weight)
    return dataclasses.replace(services, spaces=spaces, retriever=retriever)


@pytest.fixture(scope="module")
async def anonymous(services: Services) -> AsyncIterator[httpx.AsyncClient]:
    """The application over ASGI, without a key."""
    app = create_app(services.settings, services)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://kyujang", timeout=120) as client:
            yield client


@pytest.fixture(scope="module")
async def worker(services: Services) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(run(services, stop))
    yield
    stop.set()
    with suppress(asyncio.CancelledError):
        await task


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deletion of a tenant need not wait for what had begun."""
    monkeypatch.setattr("ingest.tenant_deletion.SETTLED_S", -60)


NewTenant = Callable[..., Awaitable[httpx.AsyncClient]]


@pytest.fixture(scope="module")
async def new_tenant(anonymous: httpx.AsyncClient, services: Services) -> AsyncIterator[NewTenant]:
    """Makes a tenant with a key; gives a client that sends it."""
    opened: list[httpx.AsyncClient] = []

    async def make(name: str | None = None, scopes: tuple[str, ...] = ("query", "read", "ingest")) -> httpx.AsyncClient:
        name = name or f"t-{secrets.token_hex(4)}"
        operator = {"Authorization": f"Bearer {ADMIN_KEY}"}
        await anonymous.post("/tenants", json={"id": name, "name": name}, headers=operator)
        made = await anonymous.post(f"/tenants/{name}/keys", json={"scopes": list(scopes)}, headers=operator)
        client = httpx.AsyncClient(
            transport=anonymous._transport,
            base_url="http://kyujang",
            headers={"Authorization": f"Bearer {made.json()['key']}"},
            timeout=120,
        )
        opened.append(client)
        return client

    yield make
    opened.clear()


@pytest.fixture(scope="module")
async def tenant(new_tenant: NewTenant) -> httpx.AsyncClient:
    return await new_tenant()


async def ingest_text(client: httpx.AsyncClient, *texts: str, **fields: Any) -> dict[str, Any]:
    """Waits for the job's end."""
    answer = await client.post("/ingest?wait=60", json={"documents": [{"text": text, **fields} for text in texts]})
    assert answer.status_code == 200, answer.text
    job: dict[str, Any] = answer.json()
    assert job["counts"]["failed"] == 0, job
    return job
