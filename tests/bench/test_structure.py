from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.structure import rooms, sizes
from bench.structure.__main__ import count, table
from tests.conftest import ROOT

ROUTE = """
from fastapi import APIRouter
from app import pipeline
from app.services import Services

router = APIRouter()

@router.post("/query", status_code=200)
async def query(services: Services):
    if services is None:
        return await pipeline.dry_run(services)
    return respond(_events(pipeline.answer(services)))

def respond(events):
    return _lines(events)

async def _lines(events):
    async for event in events:
        yield event

async def _events(steps):
    async for step in steps:
        yield step
"""
PIPELINE = """
from collections.abc import AsyncGenerator
from app.search import find
from app.services import Services

async def dry_run(services: Services):
    await find(services)

async def answer(services: Services):
    await find(services)
    await assemble(services)
    async for text in _parts(services):
        yield text

async def assemble(services: Services):
    await services.database.read()

def _parts(services: Services) -> AsyncGenerator[str]:
    return services.engine.generate()
"""
SEARCH = """
from app.services import Services

async def find(services: Services):
    return await services.database.read()
"""
SERVICES = """
from dataclasses import dataclass
from app.engine import Engine
from app.database import Database

@dataclass
class Services:
    database: Database
    engine: Engine | None
"""
ENGINE = """
from app.errors import Failed

class Engine:
    def __init__(self, http: "Http"):
        self._http = http

    async def generate(self):
        async for event in self._http.events():
            yield event

class Http:
    async def events(self):
        yield "a"
"""
TREE = {
    "app/__init__.py": "",
    "app/api/__init__.py": "",
    "app/api/query.py": ROUTE,
    "app/pipeline.py": PIPELINE,
    "app/search.py": SEARCH,
    "app/services.py": SERVICES,
    "app/engine.py": ENGINE,
    "app/database.py": "class Database:\n    async def read(self):\n        pass\n",
    "app/errors.py": "class Failed(Exception):\n    pass\n",
    "ingest/__init__.py": "",
    "ingest/pipeline.py": "from ingest.jobs import take\nasync def ingest(services):\n    await take()\n",
    "ingest/jobs.py": "import app.errors\nasync def take():\n    pass\n",
    "ingest/tune/__init__.py": "",
    "ingest/tune/run.py": "from ingest import jobs\n",
}


def counted(root: Path, changes: dict[str, str] | None = None) -> dict:
    for path, text in {**TREE, **(changes or {})}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return count(root)


def test_rooms_arrows_and_floors(tmp_path):
    found = counted(tmp_path)
    assert found["modules"] == 10, "without empty __init__s"
    assert (found["flat_in_app"], found["flat_in_ingest"]) == (6, 2)
    assert (found["rooms"], found["rooms_with_ingest_flat"]) == (9, 10)
    # api → pipeline, services; pipeline → search, services; search → services → engine, database; engine → errors;
    # ingest → errors. Not ingest.tune → ingest, the folder that it lies in.
    assert found["arrows"] == 9
    assert found["arrows_with_ingest_flat"] == 11, "ingest.pipeline → ingest.jobs and ingest.tune → ingest.jobs too"
    assert found["floors"] == 6
    assert (found["back_up"], found["against_contract"], found["circles"]) == ([], [], 0)
    assert found["folders"]["app/api"] == (1, len(ROUTE.splitlines()))


def test_an_arrow_back_up_and_a_circle(tmp_path):
    found = counted(tmp_path, {"app/search.py": f"from app.api.query import router\n{SEARCH}"})
    assert found["back_up"] == [("app.search", "app.api")]
    assert found["circles"] == 1


def test_rooms_can_go_in_a_circle_where_modules_do_not(tmp_path):
    schemas = {"app/api/schemas.py": "LIMIT = 1\n", "app/search.py": f"from app.api.schemas import LIMIT\n{SEARCH}"}
    found = counted(tmp_path, schemas)
    assert (found["arrows_back_up"], found["circles"]) == (1, 0)


def test_an_arrow_against_the_contract(tmp_path):
    assert rooms.against_contract(frozenset({("app.errors", "app.api"), ("app.api", "app.errors")})) == [
        ("app.errors", "app.api")
    ]
    found = counted(tmp_path, {"app/errors.py": "from app.settings import A\n", "app/settings.py": "A = 1\n"})
    assert found["against_contract"] == [("app.errors", "app.settings")]


def test_a_question_climbs_when_the_next_step_stands_higher(tmp_path):
    found = counted(tmp_path)
    stays = ["app.api", "app.pipeline", "app.search", "app.database", "app.pipeline", "app.engine"]
    assert found["question_stays"] == stays, "a dry run is another way, and no step comes twice"
    assert found["question_climbs"] == 1
    assert (found["document_stays"], found["document_climbs"]) == (["ingest.pipeline", "ingest.jobs"], 0)


def test_what_a_table_of_functions_holds_is_called_too(tmp_path):
    table = "STEPS: dict = {'load': load, 'store': store}\nasync def ingest(services):\n    await STEPS['load']()\n"
    jobs = "from app.errors import raised\nasync def take():\n    await raised()\n"
    found = counted(
        tmp_path,
        {
            "ingest/pipeline.py": "from ingest.jobs import take\nasync def load():\n    await take()\n"
            f"async def store():\n    pass\n{table}",
            "ingest/jobs.py": jobs,
            "app/errors.py": "async def raised():\n    pass\n",
        },
    )
    stays = ["ingest.pipeline", "ingest.jobs", "app.errors", "ingest.pipeline"]
    assert (found["document_stays"], found["document_climbs"]) == (stays, 1)


def test_generators_nest_by_call_by_argument_and_by_return(tmp_path):
    assert counted(tmp_path)["generators"] == [
        "app.api.query._lines",
        "app.api.query._events",
        "app.pipeline.answer",
        "app.engine.Engine.generate",
        "app.engine.Http.events",
    ]


def test_the_parts_are_found_in_the_flat_layout_and_in_packages(tmp_path):
    found = counted(tmp_path, {"ingest/ray_child.py": "A = 1\nB = 2\n", "ingest/cluster/driver.py": "C = 3\n"})
    assert found["parts"]["ray"]["files"] == ["ingest/cluster/driver.py", "ingest/ray_child.py"]
    lines = {part: found[f"lines_of_{part}"] for part in ("ray", "child_runners", "queue")}
    assert lines == {"ray": 3, "child_runners": 4, "queue": 3}, "those of ingest/tune/run.py are a runner's too"


@pytest.mark.parametrize(("lengths", "expected"), [([], (0, 0, 0)), ([7], (7, 7, 7)), (list(range(1, 11)), (5, 9, 10))])
def test_the_spread_of_lengths(lengths, expected):
    assert sizes.spread(lengths) == expected


def test_the_table_holds_every_count(tmp_path):
    text = table(counted(tmp_path))
    assert "| climbs (stays) of a question | 1 (6 in 5 rooms) |" in text
    assert "| question_climbs | 9 → 3 | 1 | 0.33 |" in text
    assert "| app/api | 1 | 23 |" in text


def test_the_command_reads_this_checkout():
    run = [sys.executable, "-m", "bench.structure", "--json"]
    found = json.loads(subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
    assert found["question_stays"][0] == "app.api"
    assert "pipeline" in found["document_stays"][0]
    assert found["generators"][0] == "app.api.sse._lines"
    for part, each in found["parts"].items():
        assert each["files"], part
