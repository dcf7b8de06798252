"""python -m app tenant export and import, as docs/operations/moving-a-tenant.md shows them."""

from __future__ import annotations

import asyncio
import json
import shlex

import pytest

from app.__main__ import main
from tests.app.storage.export.moving import query
from tests.docs.pages import blocks, read


@pytest.fixture(scope="module")
def documents() -> int:
    return 3


@pytest.fixture
def run(settings, monkeypatch, capsys):
    """The exit status of a command, its output, and what it says on the side."""

    async def command(*words: str) -> tuple[int, str, str]:
        status = await asyncio.to_thread(main, [*words])
        out, err = capsys.readouterr()
        return status, out, err

    monkeypatch.setenv("DATABASE_URL", settings.owner_url)
    monkeypatch.setenv("KYUJANG_HOME", str(settings.home))
    monkeypatch.setenv("KYUJANG_ENGINE", "none")
    return command


async def test_the_page_s_commands_run(tenants, run, settings, tmp_path):
    (block,) = blocks(read("docs/operations/moving-a-tenant.md"), "console")
    said = []
    for line in block.splitlines():
        words = shlex.split(line.replace("/exports", str(tmp_path)).replace("export acme ", "export library "))
        assert words[:3] == [".venv/bin/python", "-m", "app"]
        status, out, err = await run(*words[3:])
        assert status == 0, err
        said.append(out)
    assert [each.split(":")[0] for each in said] == [
        "library exported", "library whole", "library imported as acme-copy"
    ]  # fmt: skip
    assert "python -m app key add acme-copy --scopes query,read,ingest,adapters" in err
    assert query(settings, "select count(*) from tenants where slug = 'acme-copy'") == [(1,)]


async def test_as_json_and_refused(tenants, run, tmp_path):
    status, out, _ = await run("tenant", "export", "--json", "office", str(tmp_path / "office"))
    shown = json.loads(out)
    assert (status, shown["done"], shown["export"]["rows"]["documents"]) == (0, "exported", 2)
    status, out, err = await run("tenant", "import", "--json", str(tmp_path / "office"), "--as", "office")
    assert (status, out) == (1, "")
    assert "There is a tenant 'office' already" in err
    status, out, _ = await run("tenant", "import", "--json", str(tmp_path / "office"), "--as", "annex")
    assert (status, json.loads(out)["embedding"], json.loads(out)["refused"]) == (0, 0, [])
    status, _, err = await run("restore", "--check", str(tmp_path / "office"))
    assert status == 0, err
    with pytest.raises(SystemExit, match="2"):
        await run("tenant", "import", str(tmp_path / "office"))


async def test_a_missing_file_is_told(tenants, run, settings, tmp_path):
    ((blob,),) = query(settings, "select blob from documents where id = 'archive-1.txt'")
    moved = settings.blobs / blob
    moved.rename(tmp_path / "aside")
    try:
        status, _, err = await run("tenant", "export", "archive", str(tmp_path / "archive"))
    finally:
        (tmp_path / "aside").rename(moved)
    assert status == 1
    assert f"blobs/{blob}" in err
    status, _, err = await run("tenant", "import", str(tmp_path / "archive"), "--as", "archive-again")
    assert status == 0, err
