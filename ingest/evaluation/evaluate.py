"""Evaluations: of an adapter beside its base model, or of answers in any ways."""

from __future__ import annotations

from app.services import Services
from ingest.evaluation.adapters import evaluate_adapter
from ingest.evaluation.answers import evaluate_answers
from ingest.jobs.queue import ClaimedTask


async def evaluate(services: Services, task: ClaimedTask) -> None:
    await (evaluate_adapter if task.name else evaluate_answers)(services, task)
