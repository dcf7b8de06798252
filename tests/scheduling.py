"""Which process runs which tests, and in which order."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

# What starts PostgreSQL, alone or with everything else.
STARTS_POSTGRES = {"postgres", "stack"}
STARTS_ITS_OWN = ("tests/e2e/", "tests/outbound/", "tests/upgrade/", "tests/app/up/test_postgres.py")

WITHOUT_STACK = {f"tests/e2e/test_{name}.py" for name in ("crash", "up", "upload")}
# One after the other, for their memory.
MANY_PROCESSES = {"tests/e2e/test_crash.py", "tests/ingest/cluster/test_cluster.py"}
# Trains, which competes with everything else for the processor: when the other processes have ended.
LAST_WITH_STACK = "tests/e2e/test_house_style.py"
# What takes minutes or most of one, the longest first.
LONG = (
    "tests/e2e/",
    "tests/ingest/cluster/",
    "tests/contract/",
    "tests/bench/",
    "tests/outbound/",
    "tests/ingest/reindexing/",
    "tests/ingest/tune/",
    "tests/test_growth.py",
    "tests/upgrade/",
    "tests/app/api/test_openapi.py",
    "tests/app/api/test_event_loop.py",
    "tests/app/storage/backup/",
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs PostgreSQL. What takes minutes goes first, so that no process ends with it."""
    for item in items:
        if STARTS_POSTGRES & set(getattr(item, "fixturenames", ())) or item.nodeid.startswith(STARTS_ITS_OWN):
            item.add_marker("postgres")
    items.sort(key=_turn)


def pytest_collection_finish() -> None:
    """Keep the garbage collector from walking over what is there until the end: thousands of collected tests, and what
    they import, at each of its full rounds."""
    gc.collect()
    gc.freeze()


def _turn(item: pytest.Item) -> tuple[int, bool]:
    kind = next((n for n, name in enumerate(LONG) if item.nodeid.startswith(name)), len(LONG))
    return kind, item.nodeid.startswith(LAST_WITH_STACK)


class OneProcess(LoadFileScheduling):
    """Each file goes to one of the processes, and all that use `stack` to the same: vLLM takes 4 GB and a minute."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        if file in MANY_PROCESSES:
            return "many processes"
        return "stack" if file.startswith("tests/e2e/") and file not in WITHOUT_STACK else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneProcess:
    return OneProcess(config, log)
