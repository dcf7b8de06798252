"""python -m ingest add --in-place: the same without the API."""

from __future__ import annotations

import asyncio
import os

import pytest

from app.storage.tenants import tenant_by_slug
from ingest.__main__ import main
from ingest.sync import in_database
from ingest.sync.folder import Source, find
from tests.ingest.made.holding import mail, packed
from tests.ingest.sync.adding import FILES, interrupted, stored, worker, write


@pytest.fixture
async def here(new_tenant, settings, monkeypatch, capsys):
    """Runs the command in place, as an operator of this database would."""
    slug = f"in-place-{os.urandom(3).hex()}"
    client = await new_tenant(slug)
    monkeypatch.setenv("DATABASE_URL", settings.database_url.get_secret_value())
    monkeypatch.setenv("KYUJANG_HOME", str(settings.home))

    async def command(*arguments):
        status = await asyncio.to_thread(main, ["add", "--in-place", "--tenant", slug, *map(str, arguments)])
        return (status, *capsys.readouterr())

    return client, slug, command


async def test_in_place_it_goes_the_same_way(here, shelf):
    client, _, add_ = here
    write(shelf, {"empty.txt": ""})
    status, printed, complaints = await add_(shelf, "--metadata", '{"year": 2026}')
    assert (status, printed) == (1, "3 added, 0 replaced, 0 unchanged, 1 failed, 0 deleted.\n")
    assert complaints.startswith("empty (1)\n")
    there = await stored(client)
    assert there["규정/연차 휴가.txt"]["metadata"] == {"year": 2026, "folder": "shelf"}
    assert there["규정/연차 휴가.txt"]["source"] == "연차 휴가.txt"
    (shelf / "empty.txt").unlink()
    (shelf / "returns.md").unlink()
    write(shelf, {"규정/연차 휴가.txt": "연차 휴가는 20일이다."})
    status, printed, _ = await add_(shelf, "--metadata", '{"year": 2026}', "--delete")
    assert (status, printed) == (0, "0 added, 1 replaced, 1 unchanged, 0 failed, 1 deleted.\n")
    assert len(await stored(client)) == 2
    assert (await add_(shelf, "--tenant", "nobody"))[0] == 1


async def test_in_place_what_mail_holds_is_no_file_of_the_folder(here, shelf):
    client, _, add_ = here
    (shelf / "mail.eml").write_bytes(mail(("a.txt", b"Alpha."), ("b.docx", packed({"word/document.xml": b"<w:doc"}))))
    status, printed, complaints = await add_(shelf)
    assert (status, printed.splitlines()[0]) == (1, "4 added, 0 replaced, 0 unchanged, 1 failed, 0 deleted.")
    assert "mail.eml/b.docx" in complaints
    there = await stored(client)
    assert "mail.eml/a.txt" in there
    status, printed, _ = await add_(shelf, "--delete")
    assert (status, printed) == (0, "0 added, 0 replaced, 4 unchanged, 0 failed, 0 deleted.\n")
    assert await stored(client) == there


async def test_in_place_a_folder_goes_into_a_collection_and_moves_to_another(here, shelf):
    client, _, add_ = here
    assert (await client.post("/collections", json={"id": "인사"})).status_code == 201
    assert (await add_(shelf, "--collection", "no-such"))[0] == 1
    assert (await add_(shelf, "--collection", "인사"))[0] == 0
    assert {each["collection"] for each in (await stored(client)).values()} == {"인사"}
    assert "3 unchanged" in (await add_(shelf))[1]
    assert "3 replaced" in (await add_(shelf, "--collection", "default"))[1]
    assert {each["collection"] for each in (await stored(client)).values()} == {"default"}


async def test_in_place_interrupted_the_work_at_hand_goes_back(here, shelf):
    client, slug, add_ = here
    write(shelf, {"returns.md": "\n\n".join(f"Item {n} may be returned within {n} days." for n in range(4000))})
    status, printed, _ = await interrupted(client, str(shelf), "--in-place", "--tenant", slug)
    assert status == 130
    assert "a worker goes on" in printed
    jobs = [(await client.get(f"/jobs/{job['id']}")).json() for job in (await client.get("/jobs")).json()["data"]]
    held = {document["status"] for job in jobs for document in job["documents"]}
    assert "queued" in held
    assert "running" not in held
    for job in jobs:
        await client.delete(f"/jobs/{job['id']}")
    write(shelf, FILES)
    assert (await add_(shelf))[0] == 0
    assert len(await stored(client)) == 3


async def test_in_place_without_waiting_leaves_the_work_to_a_worker(here, shelf, services, monkeypatch):
    client, _, add_ = here
    monkeypatch.setattr(in_database, "BATCH", 2)
    status, printed, _ = await add_(shelf, "--no-wait")
    assert (status, "Accepted: 3;" in printed) == (0, True)
    assert await stored(client) == {}
    async with worker(services):
        while len(await stored(client)) < 3:
            await asyncio.sleep(0.05)


async def test_accept_makes_jobs_and_leaves_no_file_of_what_it_could_not_read(here, shelf, services, monkeypatch):
    client, slug, _ = here
    number = (await tenant_by_slug(services.database, slug)).number
    monkeypatch.setattr(in_database, "JOB_DOCUMENTS", 2)
    sources = find([shelf], include=[], exclude=[])
    jobs = await in_database.accept(services, number, sources, None)
    sizes = [(await client.get(f"/jobs/{job}")).json()["counts"]["total"] for job in jobs]
    assert sizes == [2, 1]
    blobs = services.blobs.locate(str(number))
    held = len(list(blobs.iterdir()))
    with pytest.raises(FileNotFoundError):
        await in_database.accept(services, number, [sources[0], Source(shelf / "gone.txt", "gone.txt")], None)
    assert held == len(list(blobs.iterdir())) == 3
