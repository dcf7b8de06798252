"""What mail and archives hold: documents of their own, accepted, replaced and deleted with the one that holds them."""

from __future__ import annotations

import dataclasses
import tempfile

import psycopg
import pytest

from app import libreoffice
from app.sandbox.forked import ParentDied
from app.storage import jobs
from ingest import staging
from ingest.cleanup import remove_noted, sweep
from ingest.jobs import queue
from ingest.loading import conversion
from ingest.members import _Taken
from ingest.pipeline import ingest
from tests.contract.texts import merge_all
from tests.ingest.made.content import ENGLISH
from tests.ingest.made.hancom import compound
from tests.ingest.made.holding import mail, packed
from tests.ingest.made.office import docx
from tests.ingest.working import Worker, rows, until

pytestmark = pytest.mark.usefixtures("nothing_queued")

NOTES = "The lock code of the boat house is 8831.\n"
PLAN = "우물 청소는 토요일에 한다.\n"


@pytest.fixture
async def working(services):
    async with Worker(services):
        yield


async def send(client, name: str, content: bytes, **fields):
    answer = await client.post("/ingest", files={"file": (name, content)}, data={"id": name, **fields})
    assert answer.status_code == 202
    return await until(client, answer.json()["id"], "succeeded", "partial", "failed", timeout=600)


async def stored(client, **query):
    page = (await client.get("/documents", params={"limit": 200, **query})).json()
    return {each["id"]: each for each in page["data"]}


async def text_of(client, document_id: str) -> str:
    return (await client.get(f"/documents/{document_id.replace('/', '%2F')}/text")).json()["text"]


async def test_attachments_are_documents_of_their_own(working, new_tenant):
    client = await new_tenant()
    sent = mail(("notes.txt", NOTES.encode()), ("우물.md", PLAN.encode()))
    job = await send(client, "mail.eml", sent, metadata='{"year": 2031}')
    assert [(each["id"], each["parent"], each["status"]) for each in job["documents"]] == [
        ("mail.eml", None, "succeeded"),
        ("mail.eml/notes.txt", "mail.eml", "succeeded"),
        ("mail.eml/우물.md", "mail.eml", "succeeded"),
    ]
    found = await stored(client)
    assert {each["parent"] for each in found.values()} == {None, "mail.eml"}
    assert all(each["metadata"] == {"year": 2031} for each in found.values())
    assert found["mail.eml/우물.md"]["source"] == "우물.md"
    assert (await text_of(client, "mail.eml/notes.txt")).strip() == NOTES.strip()
    assert "Attachment: notes.txt" in await text_of(client, "mail.eml")
    assert set(await stored(client, parent="mail.eml")) == {"mail.eml/notes.txt", "mail.eml/우물.md"}
    hits = (await client.post("/search", json={"input": "boat house lock code"})).json()["contexts"]
    assert hits[0]["document_id"] == "mail.eml/notes.txt"


async def test_a_new_version_replaces_what_the_old_one_held(working, new_tenant):
    client = await new_tenant()
    await send(client, "mail.eml", mail(("a.txt", b"Alpha."), ("b.txt", b"Beta."), ("c.txt", b"Gamma.")))
    before = await stored(client)
    job = await send(client, "mail.eml", mail(("a.txt", b"Alpha."), ("c.txt", b"Delta.")))
    assert {each["id"]: each["status"] for each in job["documents"]} == {
        "mail.eml": "succeeded", "mail.eml/a.txt": "unchanged", "mail.eml/c.txt": "succeeded",
    }  # fmt: skip
    after = await stored(client)
    assert set(after) == {"mail.eml", "mail.eml/a.txt", "mail.eml/c.txt"}
    assert after["mail.eml/a.txt"]["updated_at"] == before["mail.eml/a.txt"]["updated_at"]
    assert (await text_of(client, "mail.eml/c.txt")).strip() == "Delta."
    await send(client, "mail.eml", b"No mail any more.")
    assert set(await stored(client)) == {"mail.eml"}


async def test_deletion_takes_what_is_held_with_it_from_disk_too(working, new_tenant, services, owner_url):
    client = await new_tenant()
    inner = packed({"deep/계획.txt": PLAN.encode(), "mail.eml": mail(("notes.txt", NOTES.encode()))})
    await send(client, "mail.eml", mail(("papers.zip", inner), ("a.txt", b"Alpha.")))
    assert set(await stored(client)) == {
        "mail.eml", "mail.eml/a.txt", "mail.eml/papers.zip", "mail.eml/papers.zip/deep/계획.txt",
        "mail.eml/papers.zip/mail.eml", "mail.eml/papers.zip/mail.eml/notes.txt",
    }  # fmt: skip
    number = rows(owner_url, "select max(id) from tenants")[0][0]
    assert (await client.delete("/documents/mail.eml")).status_code == 204
    assert await stored(client) == {}
    assert (await client.post("/search", json={"input": "boat house"})).json()["contexts"] == []
    while await remove_noted(services):
        pass
    await sweep(services, older_than_s=-1)
    assert [each async for each in services.blobs.list_older(-1) if each.startswith(f"{number}/")] == []
    await merge_all(services.database, number)
    left = "select count(*) from {} where tenant_id = " + str(number)
    assert [rows(owner_url, left.format(table))[0][0] for table in ("chunks", "postings", "document_texts")] == [0] * 3
    assert rows(owner_url, f"select chunk_count from tenants where id = {number}") == [(0,)]


async def test_what_is_deleted_alone_stays_away_until_its_parent_changes(working, new_tenant):
    client = await new_tenant()
    sent = mail(("a.txt", b"Alpha."), ("b.txt", b"Beta."))
    await send(client, "mail.eml", sent)
    await client.delete("/documents/mail.eml%2Fa.txt")
    assert (await send(client, "mail.eml", sent))["counts"]["unchanged"] == 1
    assert set(await stored(client)) == {"mail.eml", "mail.eml/b.txt"}
    await send(client, "mail.eml", mail(("a.txt", b"Alpha."), text="Again."))
    assert set(await stored(client)) == {"mail.eml", "mail.eml/a.txt"}


async def test_metadata_is_that_of_the_parent(working, new_tenant):
    client = await new_tenant()
    sent = mail(("papers.zip", packed({"a.txt": b"Alpha."})))
    await send(client, "mail.eml", sent, metadata='{"n": 1}')
    await client.patch("/documents/mail.eml", json={"metadata": {"n": 2}})
    assert {each["metadata"]["n"] for each in (await stored(client)).values()} == {2}
    await send(client, "mail.eml", sent, metadata='{"n": 3}')
    found = await stored(client)
    assert len(found) == 3
    assert {each["metadata"]["n"] for each in found.values()} == {3}


async def test_failures_and_what_is_not_read_are_told(working, new_tenant):
    client = await new_tenant()
    broken = packed({"word/document.xml": b"<w:document"})
    job = await send(
        client, "mail.eml", mail(("a.docx", broken), ("b.bin", bytes(range(256)) * 9), ("c.txt", b"Gamma."))
    )
    assert job["status"] == "partial"
    assert [(each["id"], each["status"]) for each in job["documents"]] == [
        ("mail.eml", "succeeded"), ("mail.eml/a.docx", "failed"), ("mail.eml/c.txt", "succeeded"),
    ]  # fmt: skip
    assert job["documents"][1]["error"]["code"] == "corrupt"
    (warning,) = (await client.get("/documents/mail.eml")).json()["warnings"]
    assert (warning["code"], warning["part"]) == ("attachment_skipped", "b.bin")


async def test_a_document_of_its_own_is_not_taken_over(working, new_tenant):
    client = await new_tenant()
    await send(client, "mail.eml/a.txt", b"My own.")
    await send(client, "mail.eml", mail(("a.txt", b"Alpha."), ("b.txt", b"Beta.")))
    assert (await text_of(client, "mail.eml/a.txt")).strip() == "My own."
    await client.delete("/documents/mail.eml")
    assert set(await stored(client)) == {"mail.eml/a.txt"}


async def test_a_killed_worker_neither_loses_nor_doubles(services, new_tenant, owner_url, monkeypatch):
    """Killed once what it holds is stored, and before that is accepted."""
    client = await new_tenant()
    publish, calls = staging.publish, []

    async def dies_once(*arguments):
        calls.append(arguments)
        if len(calls) == 1:
            raise RuntimeError("killed")
        await publish(*arguments)

    monkeypatch.setattr(staging, "publish", dies_once)
    async with Worker(services):
        job = await send(client, "mail.eml", mail(("a.txt", b"Alpha."), ("b.txt", b"Beta.")))
    assert job["counts"]["total"] == 3
    assert set(await stored(client)) == {"mail.eml", "mail.eml/a.txt", "mail.eml/b.txt"}
    counted = "select document_id, count(*) from chunks where document_id like 'mail.eml/%' group by 1, tenant_id"
    assert {count for _, count in rows(owner_url, counted)} == {1}


async def test_quines_and_deep_nesting_end(working, new_tenant):
    client = await new_tenant()
    inner = packed({"a.txt": b"At the bottom."})
    for _ in range(5):
        inner = packed({"n.zip": inner})
    job = await send(client, "r.zip", inner)
    assert [each["id"] for each in job["documents"]] == [
        "r.zip", "r.zip/n.zip", "r.zip/n.zip/n.zip", "r.zip/n.zip/n.zip/n.zip",
    ]  # fmt: skip
    assert job["status"] == "succeeded"


@pytest.mark.parametrize(
    ("limits", "named"),
    [({"max_members": 5}, "KYUJANG_MAX_MEMBERS"), ({"max_unpacked_mb": 1}, "KYUJANG_MAX_UNPACKED_MB")],
)
async def test_what_holds_too_much_is_refused_and_leaves_nothing(services, new_tenant, limits, named, owner_url):
    client = await new_tenant()
    strict = dataclasses.replace(services, settings=services.settings.model_copy(update=limits))
    files = {f"{n}.txt": b"x" * 300_000 for n in range(10)}
    async with Worker(strict):
        job = await send(client, "a.zip", packed(files))
    assert job["documents"][0]["error"]["code"] == "too_large"
    assert named in job["documents"][0]["error"]["detail"]
    assert await stored(client) == {}
    number = rows(owner_url, "select max(id) from tenants")[0][0]
    await remove_noted(services)
    assert [each async for each in services.blobs.list_older(-1) if each.startswith(f"{number}/")] == []


async def test_limits_hold_over_all_depths(services, new_tenant):
    client = await new_tenant()
    inner = packed({f"{n}.txt": f"Line {n}.".encode() for n in range(4)})
    strict = dataclasses.replace(services, settings=services.settings.model_copy(update={"max_members": 9}))
    async with Worker(strict):
        job = await send(client, "a.zip", packed({f"{n}.zip": inner for n in range(4)}))
    assert len(await stored(client)) <= 10
    assert {each["error"]["code"] for each in job["documents"] if each["status"] == "failed"} == {"too_large"}


async def test_it_is_taken_apart_again_when_the_parent_of_the_child_has_died(working, new_tenant, monkeypatch):
    taken, receive = [], _Taken._receive

    async def once_more(self, *given):
        skipped = await receive(self, *given)
        taken.append(len(self.uploads))
        if len(taken) == 1:
            raise ParentDied
        return skipped

    monkeypatch.setattr(_Taken, "_receive", once_more)
    client = await new_tenant()
    await send(client, "a.zip", packed({"a.txt": b"Alpha.", "b.txt": "나라.".encode()}))
    assert set(await stored(client)) == {"a.zip", "a.zip/a.txt", "a.zip/b.txt"}
    assert taken == [2, 2]


async def test_a_rechunk_takes_out_what_an_older_reader_left_in(working, new_tenant, owner_url):
    client = await new_tenant()
    sent = mail(("a.txt", b"Alpha."), ("b.txt", "나라.".encode()), ("c.bin", bytes(range(256)) * 9))
    await send(client, "mail.eml", sent)
    number = rows(owner_url, "select max(id) from tenants")[0][0]
    await client.delete("/documents/mail.eml%2Fa.txt")

    async def rechunk(change: str) -> set[str]:
        with psycopg.connect(owner_url) as owner:
            owner.execute(f"update documents set {change} where tenant_id = {number} and id = 'mail.eml'")
        job = (await client.post("/documents/rechunk")).json()
        await until(client, job["id"], "succeeded", timeout=600)
        (warning,) = (await client.get("/documents/mail.eml")).json()["warnings"]
        assert (warning["code"], warning["part"]) == ("attachment_skipped", "c.bin")
        return set(await stored(client))

    assert await rechunk("splitter = 'another'") == {"mail.eml", "mail.eml/b.txt"}
    assert await rechunk("loader = 1") == {"mail.eml", "mail.eml/a.txt", "mail.eml/b.txt"}
    counted = f"select document_id, count(*) from chunks where tenant_id = {number} group by 1"
    assert {count for _, count in rows(owner_url, counted)} == {1}


async def test_a_job_that_is_followed_grows(working, new_tenant, services, owner_url):
    client = await new_tenant()
    job = await send(client, "mail.eml", mail(("a.txt", b"Alpha.")))
    number = rows(owner_url, "select max(id) from tenants")[0][0]
    whole = await jobs.get_job(services.database, number, job["id"])
    before = dataclasses.replace(whole, documents=whole.documents[:1])
    assert (await jobs.read_again(services.database, number, before)).documents == whole.documents


async def test_what_is_held_comes_before_later_uploads(services, new_tenant):
    client = await new_tenant()
    sent = {"file": ("a.zip", packed({"1.txt": b"One.", "2.txt": b"Two."}))}
    await client.post("/ingest", files=sent, data={"id": "a.zip"})
    await client.post("/ingest", json={"documents": [{"id": "later", "text": "Later."}]})
    order = []
    while (claimed := await queue.claim(services.database, "here", "ingest", lease_s=60)) is not None:
        await ingest(services, claimed)
        order.append(claimed.document_id)
    assert order == ["a.zip", "a.zip/1.txt", "a.zip/2.txt", "later"]


@pytest.mark.parametrize("pack", [lambda *files: packed(dict(files)), mail], ids=["archive", "mail"])
async def test_what_failed_for_want_of_libreoffice_is_tried_again_once_it_is_there(
    working, new_tenant, monkeypatch, tmp_path, pack
):
    client = await new_tenant()
    monkeypatch.setattr(libreoffice, "program", lambda: None)
    sent = pack(("Old.DOC", compound({"WordDocument": b"x", "Today": docx(ENGLISH)})), ("a.txt", b"Alpha."))
    assert (await send(client, "papers", sent))["status"] == "partial"
    assert not (await client.get("/documents/papers")).json()["outdated"]
    assert (await client.post("/documents/rechunk", json={}, params={"wait": 60})).json()["documents"] == []

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(libreoffice, "program", lambda: tmp_path)
    monkeypatch.setattr(conversion, "CHILD", "tests.ingest.loading.converting_child")
    assert (await client.get("/documents/papers")).json()["outdated"]
    job = (await client.post("/documents/rechunk", json={}, params={"wait": 60})).json()
    assert (job["counts"]["succeeded"], job["counts"]["unchanged"]) == (2, 1)
    found = await stored(client)
    assert set(found) == {"papers", "papers/Old.DOC", "papers/a.txt"}
    assert not any(each["outdated"] for each in found.values())


async def test_what_holds_no_old_file_lacks_no_libreoffice(working, new_tenant, monkeypatch):
    client = await new_tenant()
    monkeypatch.setattr(libreoffice, "program", lambda: None)
    await send(client, "papers", packed({"a.txt": b"Alpha."}))
    assert "LibreOffice" not in (await client.get("/documents/papers")).json()["splitter"]
