"""What holds around every test."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from app.logs import JsonFormatter


@pytest.fixture(scope="session", autouse=True)
def looked_at_more_often() -> Iterator[None]:
    """What waits for work, or for its end, looks so seldom that most of a test's time would be waiting."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ingest.worker.POLL_S", 0.1)
        patch.setattr("app.api.async_work.MAX_STEP_S", 0.1)
        yield


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """A command that a test runs here logs to the test's own standard error, which is closed after it."""
    root = logging.getLogger()
    level = root.level
    yield
    root.setLevel(level)
    for handler in [each for each in root.handlers if isinstance(each.formatter, JsonFormatter)]:
        root.removeHandler(handler)
