"""python -m app tenant: what is said of its deletion and of its keys."""

from __future__ import annotations

import json
import shlex

import httpx
import pytest

from app.__main__ import main
from app.cli import tenants
from app.cli.only import condition, joined
from app.cli.tenant_export import bound_as
from app.storage.backup.manifest import Key

HELD = "A backup that is being made holds the files."


def deletion(**said) -> dict:
    unsaid = {"status": "running", "waiting_for": None, "finished_at": None, "deleted": {"documents": 0, "keys": 0}}
    return {"id": "del_1", "tenant": "acme", **unsaid, **said}


@pytest.fixture
def asked(monkeypatch):
    """The requests that a service was sent whose deletion waits for a backup and ends then."""
    requests: list[str] = []
    done = {"status": "succeeded", "finished_at": "2027-01-01T00:00:00Z", "deleted": {"documents": 3, "keys": 1}}
    answers = [deletion(), deletion(waiting_for=HELD), deletion(waiting_for=HELD), deletion(**done)]

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(f"{request.method} {request.url.path}")
        return httpx.Response(202 if request.method == "DELETE" else 200, json=answers.pop(0))

    def open_client(*_, **__):
        return httpx.Client(base_url="http://kyujang", transport=httpx.MockTransport(answer))

    monkeypatch.setattr(tenants, "open_client", open_client)
    monkeypatch.setattr(tenants, "POLL_S", 0)
    return requests


def test_a_deletion_is_waited_for_and_reported(asked, capsys):
    assert main(["tenant", "delete", "acme", "--key", "operator"]) == 0
    assert asked == ["DELETE /tenants/acme", *["GET /tenants/acme/deletion"] * 3]
    printed = capsys.readouterr()
    assert printed.out == "acme\tsucceeded\tdocuments 3, keys 1\n"
    assert printed.err == f"{HELD}\n"


def test_without_waiting_it_is_accepted(asked, capsys):
    assert main(["tenant", "delete", "acme", "--key", "operator", "--no-wait"]) == 0
    assert asked == ["DELETE /tenants/acme"]
    assert capsys.readouterr().out.startswith("acme\trunning\t")


@pytest.mark.parametrize(
    ("options", "sent", "said"),
    [
        ([], {"only": None}, "all documents"),
        (["--only", "source = a"], {"only": {"key": "source", "op": "eq", "value": "a"}}, 'source = "a"'),
        (["--groups", "metadata.teams"], {"groups": "metadata.teams"}, "all documents\tgroups metadata.teams"),
    ],
)
def test_a_key_is_bound_otherwise_by_what_is_given(monkeypatch, capsys, options, sent, said):
    def answer(request: httpx.Request) -> httpx.Response:
        assert (request.method, json.loads(request.content)) == ("PATCH", sent)
        return httpx.Response(200, json={"only": None, "groups": None} | sent)

    client = httpx.Client(base_url="http://kyujang", transport=httpx.MockTransport(answer))
    monkeypatch.setattr(tenants, "open_client", lambda *_, **__: client)
    assert main(["key", "bind", "acme", "k1", "--key", "operator", *options]) == 0
    assert capsys.readouterr().out == f"{said}\n"


@pytest.mark.parametrize(
    ("only", "groups", "options"),
    [
        (None, None, ""),
        ({"key": "collection", "op": "in", "value": ["h r"]}, None, """ --only 'collection in ["h r"]'"""),
        (
            {"and": [{"key": "source", "op": "eq", "value": "a"}, {"key": "metadata.n", "op": "lt", "value": 2}]},
            "metadata.groups",
            """ --only 'source = "a"' --only 'metadata.n < 2' --groups metadata.groups""",
        ),
    ],
)
def test_an_import_says_how_to_bind_a_key_as_it_was(only, groups, options):
    assert bound_as(Key("k", ["query"], "", None, None, only, groups)) == options
    assert joined([condition(each) for each in shlex.split(options) if " " in each]) == only
