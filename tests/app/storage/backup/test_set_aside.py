"""What a restore replaces is gone after it, adapters too, which are closed to the account that has written them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from app.storage.backup.set_aside import delete_aside, put_folder_back, set_folder_aside
from tests.conftest import ROOT

# Without capabilities, as in a container.
WITHOUT_RIGHTS = """
import sys
from pathlib import Path
from app.sandbox.kernel import drop_capabilities
from app.storage.backup.set_aside import delete_aside
drop_capabilities()
delete_aside(Path(sys.argv[1]))
"""


@pytest.fixture
def adapters(tmp_path):
    write_adapter(tmp_path, "old")
    yield tmp_path
    for each in tmp_path.rglob("*"):
        if each.is_dir():
            each.chmod(0o755)


def write_adapter(folder, name):
    published = folder / "1" / name
    published.mkdir(parents=True)
    (published / "weights").write_text(name)
    (published / "weights").chmod(0o444)
    published.chmod(0o555)


def test_an_account_without_rights_deletes_closed_adapters(adapters):
    set_folder_aside(adapters)
    write_adapter(adapters, "new")
    command = [sys.executable, "-c", WITHOUT_RIGHTS, str(adapters)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    # What the next restore begins with.
    put_folder_back(adapters)
    assert [str(path.relative_to(adapters)) for path in adapters.rglob("weights")] == ["1/new/weights"]


def test_nothing_aside_is_no_error(tmp_path):
    delete_aside(tmp_path)
    assert list(tmp_path.iterdir()) == []
