"""The operator's key that make up makes: once, for its account alone, and long enough."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from app.settings import Settings
from app.up import run
from app.up.progress import Progress
from app.up.secret_files import OPERATOR_KEY_FILE, operator_key
from app.up.welcome import welcome


class Children:
    """What is started instead of starting it."""

    def __init__(self):
        self.environments = {}

    def start(self, spec):
        self.environments[spec.name] = dict(spec.env)

    def wait_until(self, *_):
        pass


def started(settings: Settings) -> dict[str, dict[str, str]]:
    children = Children()
    with ExitStack() as stack:
        run._Start(settings, Progress(first=1), stack)._service(children, None, {"KYUJANG_SERVICE_DATABASE_URL": ""})
    return children.environments


def test_the_key_is_made_once_for_this_account_alone(tmp_path: Path):
    key = operator_key(tmp_path)
    assert operator_key(tmp_path) == key
    assert (tmp_path / OPERATOR_KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert Settings(admin_key=key)


def test_with_keys_the_api_gets_it_and_the_worker_does_not(tmp_path: Path):
    settings = Settings(home=tmp_path, auth="on", workers=1)
    environments = started(settings)
    assert environments["api"]["KYUJANG_ADMIN_KEY"] == operator_key(tmp_path)
    assert "KYUJANG_ADMIN_KEY" not in environments["worker"]
    assert f"$(cat {tmp_path / OPERATOR_KEY_FILE})" in welcome(settings, "on")
    assert operator_key(tmp_path) not in welcome(settings, "on")


@pytest.mark.parametrize("more", [{"auth": "off"}, {"auth": "on", "admin_key": "x" * 24}])
def test_else_none_is_made(tmp_path: Path, more):
    settings = Settings(home=tmp_path, workers=1, **more)
    assert started(settings)["api"].get("KYUJANG_ADMIN_KEY") == more.get("admin_key")
    assert not (tmp_path / OPERATOR_KEY_FILE).exists()
    assert OPERATOR_KEY_FILE not in welcome(settings, more["auth"])
