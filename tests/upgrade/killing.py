"""Kill `migrate` at every point where it could be half done."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from app.settings import Settings
from app.storage import revisions
from app.storage.migrate import migrate, plan
from tests.conftest import ROOT

# Dies in the transaction of the revision that it is given, as by kill -9.
KILLED = """
import os, sys
from app.__main__ import main
from app.storage import revisions
store = revisions.store_revision
def die(*, step, **others):
    store(step=step, **others)
    if step.up_revision.revision == sys.argv[1]:
        os._exit(9)
revisions.store_revision = die
main(["migrate"])
"""


class Killed(BaseException):
    pass


def steps_left(settings: Settings) -> list[str]:
    return [step.name for step in plan(settings).steps]


def kill_process(settings: Settings, revision: str) -> None:
    """Have a process of its own die right before it commits the revision."""
    env = os.environ | {"DATABASE_URL": settings.owner_url}
    killed = subprocess.run([sys.executable, "-c", KILLED, revision], env=env, cwd=ROOT, check=False)
    assert killed.returncode == 9


def kill_at_each_step(settings: Settings) -> None:
    """Interrupt each revision right before its commit, and the analysis of texts in the midst of it."""
    for name in steps_left(settings):
        if name.isdigit():
            _kill_at(settings, name)
            assert steps_left(settings)[0] == name

    def die(step: str, done: int, total: int) -> None:
        if total:
            raise Killed

    with pytest.raises(Killed):
        migrate(settings, dimension=lambda: 384, tell=die)
    assert steps_left(settings) == ["texts"]


def _kill_at(settings: Settings, revision: str) -> None:
    store = revisions.store_revision

    def die(*, step: Any, **others: Any) -> None:
        store(step=step, **others)
        if step.up_revision.revision == revision:
            raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(revisions, "store_revision", die)
        with pytest.raises(Killed):
            migrate(settings, dimension=lambda: 384)
