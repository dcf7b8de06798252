"""Which database `python -m app migrate` is about, where none is named."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from app.cli import migrate
from app.errors import NotConfigured
from app.settings import Settings
from app.up.owner import naming

STARTED, RUNNING = "postgresql://o@/started", "postgresql://o@/running"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Settings of a data folder with a cluster, whose server is not started here."""
    (tmp_path / "postgres" / "data").mkdir(parents=True)

    @contextmanager
    def start(settings):
        yield naming(settings, STARTED)

    monkeypatch.setattr(migrate, "embedded_database", start)
    return Settings(home=tmp_path)


def in_use(settings):
    raise NotConfigured("another Kyujang uses it")


def test_one_that_is_named_is_left_running_as_it_is():
    with migrate._database(Settings(database_url=RUNNING)) as ready:
        assert ready.owner_url == RUNNING


def test_nothing_is_created_to_look_at(tmp_path):
    with pytest.raises(NotConfigured, match="no database in"), migrate._database(Settings(home=tmp_path)):
        pass
    assert list(tmp_path.iterdir()) == []


def test_the_embedded_one_is_started_or_is_the_one_that_make_up_has_started(home, monkeypatch):
    with migrate._database(home) as ready:
        assert ready.owner_url == STARTED
    monkeypatch.setattr(migrate, "embedded_database", in_use)
    monkeypatch.setattr(migrate, "with_database_url", lambda settings: naming(settings, RUNNING))
    with migrate._database(home) as ready:
        assert ready.owner_url == RUNNING


def test_why_it_cannot_be_opened_is_said(home, monkeypatch):
    monkeypatch.setattr(migrate, "embedded_database", in_use)
    with pytest.raises(NotConfigured, match="another Kyujang uses it"), migrate._database(home):
        pass
