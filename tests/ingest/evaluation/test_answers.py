"""Evaluations of answers with the real retrieval and database; what the engine says is written down."""

from __future__ import annotations

import dataclasses
import json

import pytest

from app.evaluation.answer_report import AnswerReport
from app.prompting.elements import NO_ANSWER
from app.storage.database import fetch_one
from app.storage.job_creation import create_job
from app.storage.jobs import Task, get_job
from ingest.evaluation.answers import KEPT_EVERY
from ingest.evaluation.evaluate import evaluate
from ingest.jobs import queue
from ingest.jobs.queue import TaskFailed
from tests.scripted import Script, scripted

OPENS = {"input": "When does the reading room open?", "expected": ["at nine"], "documents": ["hours"]}
CLOSED = {"input": "열람실은 언제 쉽니까?", "expected": ["월요일"], "documents": ["hours"]}
COFFEE = {"input": "Is there coffee in the reading room?", "answerable": False}
NINE, MONDAY, TEN = "The reading room opens at nine [1].", "열람실은 월요일에 쉰다 [1].", "It opens at ten [1]."


async def claimed(services, number, cases, **fields):
    spec = {"cases": cases, "compare": [{}], "repeats": 1, "judge": None} | fields
    await create_job(services.database, number, Task("evaluate", "", spec=spec))
    return await queue.claim(services.database, "w", "evaluate", lease_s=60)


async def engine_calls(services, number) -> int:
    async with services.database.transaction(number) as connection:
        row = await fetch_one(connection, "select coalesce(sum(engine_calls), 0)::int as calls from usage_days")
    return row["calls"]


async def reported(services, number, task, script) -> AnswerReport:
    async with scripted(script, services.meter) as engine:
        await evaluate(dataclasses.replace(services, engine=engine), task)
    return AnswerReport.model_validate((await get_job(services.database, number, task.job_id)).result)


async def test_two_ways_are_asked_in_turn_and_compared(services, number):
    ways = [{"grounding": "mark"}, {"grounding": "mark", "persona": "A parrot.", "top_k": 1, "mode": "lexical"}]
    task = await claimed(services, number, [OPENS, CLOSED, COFFEE], compare=ways)
    script = Script(replies=[NINE, TEN, MONDAY, MONDAY, NO_ANSWER, NINE])
    report = await reported(services, number, task, script)
    first, second = report.ways
    assert (first.measures["right"].mean, second.measures["right"].mean) == (1, pytest.approx(1 / 3, abs=1e-3))
    assert (first.measures["citation_recall"].mean, first.refused) == (1, {"model_declined": 1})
    assert [each.measures["contains"] for each in report.answers[0].ways[1]] == [0]
    (compared,) = report.comparisons
    assert (compared.measures["right"].cases, compared.measures["right"].verdict) == (3, "undecided")
    assert ["A parrot." in json.dumps(each["messages"]) for each in script.asked] == [False, True] * 3


async def test_repetitions_differ_by_their_seed(services, number):
    task = await claimed(services, number, [OPENS], repeats=2, compare=[{"grounding": "mark", "temperature": 0.7}])
    script = Script(replies=[NINE, TEN])
    report = await reported(services, number, task, script)
    assert [(each["seed"], each["temperature"]) for each in script.asked] == [(0, 0.7), (1, 0.7)]
    assert report.ways[0].measures["right"].mean == 0.5


async def test_what_cannot_be_asked_counts_as_wrong(services, number):
    """A prompt may be deleted after the evaluation was accepted."""
    task = await claimed(services, number, [OPENS], compare=[{"grounding": "mark"}, {"prompt": "gone"}])
    report = await reported(services, number, task, Script(replies=[NINE]))
    assert (report.ways[1].errors, report.ways[1].measures["right"].mean) == (1, 0)
    assert "no prompt 'gone'" in report.answers[0].ways[1][0].error
    assert report.comparisons[0].measures["right"].mean == -1


async def test_the_engine_judges_and_is_judged(services, number):
    sample = {"input": "q", "expected": ["e"], "answer": "a"}
    judge = {"samples": [{**sample, "right": True}, {**sample, "right": False}]}
    task = await claimed(services, number, [OPENS, COFFEE], judge=judge, compare=[{"grounding": "mark"}])
    script = Script(replies=[NINE], said={"scripted-7b": {"Yes": 0.8, "No": 0.2}})
    before = await engine_calls(services, number)
    report = await reported(services, number, task, script)
    assert report.answers[0].ways[0][0].measures["judged"] == 1
    # That there is no answer needs no judge.
    assert report.ways[0].measures["judged"].cases == 1
    assert (report.judge.samples, report.judge.error.mean, report.judge.called_right.mean) == (2, 0.5, 1)
    # Two answers and three judgements, all of which the tenant has asked for.
    assert await engine_calls(services, number) == before + 5


async def test_a_judge_needs_an_engine(services, number):
    task = await claimed(services, number, [OPENS], judge={"samples": []})
    with pytest.raises(TaskFailed, match="Only an engine can judge"):
        await evaluate(dataclasses.replace(services, engine=None), task)


async def test_a_worker_that_takes_over_asks_only_the_rest(services, number, new_number):
    """And another tenant has its turn in between."""
    cases = [OPENS] * (KEPT_EVERY + 1)
    task = await claimed(services, number, cases, compare=[{"grounding": "mark"}])
    script = Script(replies=[NINE])
    other = await new_number()
    await create_job(services.database, other, Task("evaluate", "", spec={}))
    async with scripted(script) as engine:
        asking = dataclasses.replace(services, engine=engine)
        with pytest.raises(queue.TurnOver):
            await evaluate(asking, task)
        assert (await get_job(services.database, number, task.job_id)).progress["done"] == KEPT_EVERY
        await queue.requeue(services.database, task, delay_s=0)
        between = await queue.claim(services.database, "w", "evaluate", lease_s=60)
        assert between.tenant == other
        again = await queue.claim(services.database, "w", "evaluate", lease_s=60)
        await evaluate(asking, again)
    assert len(script.asked) == len(cases)
    job = await get_job(services.database, number, task.job_id)
    assert (job.result["cases"], job.progress) == (len(cases), {"done": len(cases), "total": len(cases)})
