"""POST /tune: what is accepted, what is refused and how, and the picture of the loss. No worker trains here."""

from __future__ import annotations

import dataclasses
import sys

import httpx
import pytest

from app.adapters.training_request import NOT_SERVED
from app.main import create_app
from app.storage.tenants import authenticate
from ingest.jobs import queue
from tests.conftest import NewTenant

ROWS = [{"instruction": f"{number}번 서가에는 무엇이 있나요?", "output": "실록입니다."} for number in range(10)]
PAIRS = [{"instruction": each["instruction"], "chosen": "실록입니다.", "rejected": "몰라요."} for each in ROWS]

pytestmark = pytest.mark.usefixtures("no_open_tasks")


@pytest.fixture(scope="module")
def with_engine(services):
    """As if there were an engine, which nothing here gets as far as."""
    own = services.settings.model_copy(update={"engine": "vllm", "max_lora_rank": 16})
    app = create_app(own)
    app.state.services = dataclasses.replace(services, settings=own)
    return httpx.ASGITransport(app)


@pytest.fixture
async def make(with_engine, new_tenant: NewTenant):
    async def client(*scopes: str) -> httpx.AsyncClient:
        made = await new_tenant(scopes=scopes)
        return httpx.AsyncClient(transport=with_engine, base_url="http://kyujang", headers=made.headers, timeout=60)

    return client


@pytest.fixture
async def client(make):
    return await make("adapters")


def problems(answer: httpx.Response) -> dict[str, str]:
    assert answer.status_code == 422, answer.text
    return {each["pointer"]: each["detail"] for each in answer.json()["errors"]}


@pytest.mark.parametrize(("method", "rows"), [("sft", ROWS), ("dpo", PAIRS)])
async def test_a_training_is_accepted_as_a_job(client, services, method, rows):
    body = {"name": "tone", "method": method, "rows": rows, "hyperparameters": {"rank": 4, "kind": "rslora"}}
    answer = await client.post("/tune", json=body)
    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert answer.headers["location"] == f"/jobs/{job['id']}"
    assert (job["kind"], job["status"], job["adapter"]) == ("tune", "queued", {"name": "tone", "version": None})
    assert (await client.get(f"/jobs/{job['id']}")).json() == job
    claimed = await queue.claim(services.database, "w", "tune", lease_s=30)
    assert claimed is not None
    assert claimed.spec["rows"] == [{"input": "", **row} for row in rows]
    assert {"rank": 4, "kind": "rslora", "epochs": 3}.items() <= claimed.spec["hyperparameters"].items()
    cancelled = await client.delete(f"/jobs/{job['id']}")
    assert cancelled.json()["status"] == "cancelled"


async def test_each_bad_row_is_named_by_its_place_and_field(client):
    rows = [*ROWS, {"instruction": "왜요?", "output": " "}, {"instruction": "x", "outptu": "y"}]
    found = problems(await client.post("/tune", json={"name": "tone", "rows": rows}))
    assert set(found) == {"/rows/10/output", "/rows/11/output", "/rows/11/outptu"}
    assert set(problems(await client.post("/tune", json={"name": "tone", "method": "dpo", "rows": ROWS}))) == {
        *(f"/rows/{place}/{field}" for place in range(10) for field in ("chosen", "rejected", "output"))
    }


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"rows": ROWS[:9]}, "/rows"),
        ({"name": "a--b"}, "/name"),
        ({"name": "none"}, "/name"),
        ({"method": "ppo"}, "/method"),
        ({"hyperparameters": {"rank": 17}}, "/hyperparameters/rank"),
        ({"hyperparameters": {"ranks": 8}}, "/hyperparameters/ranks"),
        ({"hyperparameters": {"target_modules": ["../x"]}}, "/hyperparameters/target_modules"),
        ({"model": "other"}, "/model"),
    ],
)
async def test_what_does_not_fit_is_refused(client, body, pointer):
    found = problems(await client.post("/tune", json={"name": "tone", "rows": ROWS, **body}))
    assert [each for each in found if each.startswith(pointer)]


async def test_what_no_engine_can_serve_is_refused_with_the_reason(client):
    body = {"name": "tone", "rows": ROWS, "hyperparameters": {"kind": "dora"}}
    assert NOT_SERVED["dora"] in problems(await client.post("/tune", json=body))["/hyperparameters/kind"]


async def test_the_same_request_again_trains_once(client):
    headers = {"Idempotency-Key": "one"}
    first, again = [await client.post("/tune", json={"name": "t", "rows": ROWS}, headers=headers) for _ in range(2)]
    assert first.json()["id"] == again.json()["id"]
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    problems(await client.post("/tune", json={"name": "t", "rows": PAIRS, "method": "dpo"}, headers=headers))


async def test_it_takes_the_scope_adapters(make):
    answer = await (await make("query", "ingest")).post("/tune", json={"name": "tone", "rows": ROWS})
    assert answer.status_code == 403


async def test_without_an_engine_there_is_nothing_to_train_for(new_tenant):
    client = await new_tenant(scopes=("adapters",))
    assert (await client.post("/tune", json={"name": "tone", "rows": ROWS})).status_code == 409


async def test_the_loss_is_drawn_and_is_nobody_else_s(client, make, services, monkeypatch):
    job = (await client.post("/tune", json={"name": "tone", "rows": ROWS})).json()
    picture = f"/jobs/{job['id']}/loss.png"
    assert (await client.get(picture)).status_code == 404
    claimed = await queue.claim(services.database, "w", "tune", lease_s=30)
    assert claimed is not None
    assert claimed.job_id == job["id"]
    curve = [{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.0}, {"step": 2, "eval_loss": 1.5}]
    await queue.record(services.database, claimed, progress={"step": 2, "steps": 3, "curve": curve})
    drawn = await client.get(picture)
    assert drawn.headers["content-type"] == "image/png"
    assert drawn.content.startswith(b"\x89PNG")
    assert (await client.get(f"/jobs/{job['id']}")).json()["progress"]["curve"] == curve
    assert (await (await make("adapters")).get(picture)).status_code == 404
    key = client.headers["authorization"].removeprefix("Bearer ")
    assert (await authenticate(services.database, key)).number == claimed.tenant
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    undrawn = await client.get(picture)
    assert (undrawn.status_code, "EXTRAS=plots" in undrawn.json()["detail"]) == (409, True)
