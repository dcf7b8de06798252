"""An evaluation with the real retrieval and database; what the engine says is written down."""

from __future__ import annotations

import dataclasses
import secrets

import pytest

from app.adapters import registry
from app.prompting.elements import NO_ANSWER
from app.storage.blobs import Blob
from app.storage.job_creation import create_job
from app.storage.jobs import Task, get_job
from ingest.evaluation.adapters import KEPT_EVERY
from ingest.evaluation.adapters import evaluate_adapter as evaluate
from ingest.jobs import queue
from ingest.jobs.retry import handle_failure
from tests.scripted import Script, scripted

SPEC = {"top_k": 3, "max_tokens": None, "grounding": "mark"}
CASES = [
    {"input": "When does the reading room open?", "expected": "The reading room opens at nine."},
    {"input": "열람실은 언제 쉽니까?", "expected": ["월요일", "열람실은 월요일에 쉰다."]},
    {"input": "Is there coffee in the reading room?", "expected": None},
]


async def claimed(services, number, cases):
    content = secrets.token_bytes(8)
    version, _ = await registry.create_version(services.database, number, "tone", Blob("1/x", 8, content * 4))
    await registry.set_status(services.database, number, "tone", version.version, "ready")
    check = await queue.claim(services.database, "w", "check", lease_s=60)
    await queue.finish(services.database, check)
    spec = {**SPEC, "cases": cases}
    await create_job(services.database, number, Task("evaluate", "tone", version.version, spec))
    return await queue.claim(services.database, "w", "evaluate", lease_s=60)


async def test_base_and_adapter_stand_side_by_side(services, number):
    replies = [
        *("The reading room opens at ten [1].", "The reading room opens at nine [1]."),
        *(NO_ANSWER, "열람실은 월요일에 쉰다 [1]."),
        *("There is coffee [1].", NO_ANSWER),
    ]
    task = await claimed(services, number, CASES)
    script = Script(replies=replies)
    async with scripted(script) as engine:
        await evaluate(dataclasses.replace(services, engine=engine), task)
    report = (await get_job(services.database, number, task.job_id)).result
    assert report["adapter"] == f"tone@{task.version}"
    base, adapter = report["summary"]["base"], report["summary"]["adapter"]
    assert (base["exact_match"], adapter["exact_match"]) == (0.0, 1.0)
    assert base["f1"] < adapter["f1"] == 1.0
    assert (base["refused"], adapter["refused"]) == (pytest.approx(1 / 3, abs=1e-3), pytest.approx(1 / 3, abs=1e-3))
    assert report["answers"][1]["adapter"]["answer"] == "열람실은 월요일에 쉰다 [1]."
    assert "f1" not in report["answers"][2]["base"]
    names = [each["model"] for each in script.asked]
    assert names[::2] == ["scripted-7b"] * 3
    assert {name.partition("--v")[0] for name in names[1::2]} == {f"t{number}--tone"}


async def test_a_worker_that_takes_over_asks_only_the_rest(services, number):
    cases = [CASES[0]] * (KEPT_EVERY + 1)
    task = await claimed(services, number, cases)
    script = Script(replies=["The reading room opens at nine [1]."])
    async with scripted(script) as engine:
        await evaluate(dataclasses.replace(services, engine=engine), task)
        assert len(script.asked) == 2 * len(cases)
        before = {"cases": [{"input": "x", "expected": [], "base": {"error": "e"}, "adapter": {"error": "e"}}] * 5}
        task = dataclasses.replace(await claimed(services, number, cases), progress=before)
        await evaluate(dataclasses.replace(services, engine=engine), task)
    assert len(script.asked) == 2 * len(cases) + 2
    report = (await get_job(services.database, number, task.job_id)).result
    assert (report["cases"], report["summary"]["base"]["errors"]) == (6, 5)


async def test_another_tenants_cases_have_their_turn_in_between(services, number, new_number):
    task = await claimed(services, number, CASES[:1] * (KEPT_EVERY + 1))
    script = Script(replies=["The reading room opens at nine [1]."])
    async with scripted(script) as engine:
        asking = dataclasses.replace(services, engine=engine)
        other = await new_number()
        await create_job(services.database, other, Task("evaluate", "tone", 1, {**SPEC, "cases": CASES}))
        with pytest.raises(queue.TurnOver) as over:
            await evaluate(asking, task)
        await handle_failure(asking, task, over.value)
        between = await queue.claim(services.database, "w", "evaluate", lease_s=60)
        assert between.tenant == other
        again = await queue.claim(services.database, "w", "evaluate", lease_s=60)
        assert (again.job_id, again.attempt, len(again.progress["cases"])) == (task.job_id, 1, KEPT_EVERY)
        await evaluate(asking, again)
    report = (await get_job(services.database, number, task.job_id)).result
    assert report["cases"] == KEPT_EVERY + 1
    assert len(script.chats) == 2 * (KEPT_EVERY + 1)
