"""What a document's text lacks is told by the document, its job and the list, and goes with its version."""

from __future__ import annotations

import psycopg
import pytest

from tests.conftest import NewTenant, ingest_text
from tests.ingest.made import ENGLISH, KOREAN, MAKERS

MARKS = "e" + "\u0301\u0316" * 40
CUT = {
    "code": "truncated",
    "page": None,
    "part": None,
    "detail": "Runs of more than 30 combining marks were cut to that many.",
}
SEVERAL = [
    {"code": "hidden_part_skipped", "part": "숨긴 시트", "detail": "A sheet is hidden."},
    {"code": "unreadable_page", "page": 3, "detail": "A scan."},
]


async def send(client, name, content, document_id):
    sent = await client.post("/ingest?wait=60", files={"file": (name, content)}, data={"id": document_id})
    job = sent.json()
    assert job["status"] == "succeeded", job
    return job


@pytest.fixture(scope="module")
async def shelf(worker, new_tenant: NewTenant):
    client = await new_tenant()
    await send(client, "odd.txt", f"Marked {MARKS} text. 표시된 글.".encode(), "odd")
    await send(client, "a.pdf", MAKERS["pdf"](KOREAN), "paged")
    await ingest_text(client, "Plain. 평범한 글.", id="plain")
    return client


async def document(client, document_id):
    return (await client.get(f"/documents/{document_id}")).json()


async def test_a_document_tells_its_pages_and_what_its_text_lacks(shelf):
    odd, paged, plain = [await document(shelf, each) for each in ("odd", "paged", "plain")]
    assert (odd["pages"], odd["warnings"]) == (None, [CUT])
    assert (paged["pages"], paged["warnings"]) == ({"text": 2, "ocr": 0, "unreadable": 0}, [])
    assert (plain["pages"], plain["warnings"]) == (None, [])
    listed = (await shelf.get("/documents")).json()["data"]
    assert {each["id"]: (each["pages"], each["warnings"]) for each in listed} == {
        each["id"]: (each["pages"], each["warnings"]) for each in (odd, paged, plain)
    }


async def test_a_job_tells_it_too_even_if_nothing_changed(shelf):
    content = f"Marked {MARKS} text. 표시된 글.".encode()
    job = await send(shelf, "odd.txt", content, "odd")
    assert (job["documents"][0]["status"], job["documents"][0]["warnings"]) == ("unchanged", [CUT])
    assert job["with_warnings"] == 1
    again = await send(shelf, "b.pdf", MAKERS["pdf"](ENGLISH), "other")
    assert again["documents"][0]["pages"] == {"text": 2, "ocr": 0, "unreadable": 0}
    assert again["with_warnings"] == 0
    await shelf.delete("/documents/other")
    summaries = (await shelf.get("/jobs")).json()["data"]
    assert [each["with_warnings"] for each in summaries if each["id"] in (job["id"], again["id"])] == [0, 1]


async def test_another_version_has_its_own(worker, new_tenant: NewTenant):
    client = await new_tenant()
    await send(client, "a.txt", f"Marked {MARKS} text.".encode(), "a")
    assert (await document(client, "a"))["warnings"] == [CUT]
    await send(client, "a.pdf", MAKERS["pdf"](KOREAN), "a")
    found = await document(client, "a")
    assert (found["pages"], found["warnings"]) == ({"text": 2, "ocr": 0, "unreadable": 0}, [])


async def test_documents_with_a_warning_are_listed(settings, shelf, new_tenant: NewTenant):
    client = await new_tenant()
    for document_id in ("one", "two", "둘째"):
        await ingest_text(client, f"{document_id} holds text.", id=document_id, metadata={"shelf": document_id})
    with psycopg.connect(settings.owner_url) as owner:
        for document_id, warnings in (("one", SEVERAL[1:]), ("둘째", SEVERAL)):
            stored = psycopg.types.json.Jsonb(warnings)
            owner.execute("update documents set warnings = %s where id = %s", [stored, document_id])

    async def listed(**query):
        answer = await client.get("/documents", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    page = await listed(warning="unreadable_page", limit=1)
    assert [each["id"] for each in page["data"]] == ["one"]
    page = await listed(warning="unreadable_page", limit=1, cursor=page["next_cursor"])
    assert ([each["id"] for each in page["data"]], page["has_more"]) == (["둘째"], False)
    assert [each["part"] for each in page["data"][0]["warnings"]] == ["숨긴 시트", None]
    assert [each["id"] for each in (await listed(warning="hidden_part_skipped"))["data"]] == ["둘째"]
    only = '{"key": "metadata.shelf", "op": "eq", "value": "one"}'
    assert [each["id"] for each in (await listed(warning="unreadable_page", filters=only))["data"]] == ["one"]
    assert (await listed(warning="macro_skipped"))["data"] == []
    assert "one" not in {each["id"] for each in (await shelf.get("/documents?warning=unreadable_page")).json()["data"]}
    unknown = await client.get("/documents?warning=missing")
    assert (unknown.status_code, unknown.json()["errors"][0]["pointer"]) == (422, "/warning")


async def test_a_document_of_version_0_1_has_none(settings, shelf):
    """The migration leaves its rows so."""
    with psycopg.connect(settings.owner_url) as owner:
        defaults = owner.execute(
            "select table_name, column_name, is_nullable, column_default from information_schema.columns "
            "where column_name in ('page_counts', 'warnings') order by 1, 2"
        ).fetchall()
    assert defaults == [
        (table, *column)
        for table in ("documents", "job_items")
        for column in (("page_counts", "YES", None), ("warnings", "NO", "'[]'::jsonb"))
    ]
