"""Ids that are any printable text: in bodies, forms, paths, filters, citations, jobs and streams."""

from __future__ import annotations

import json
import random
import unicodedata
from urllib.parse import quote

import pytest

from tests.app.api.test_job_events import parsed
from tests.conftest import ingest_text

pytestmark = pytest.mark.usefixtures("worker")

# Of four bytes each, and nothing that PostgreSQL could compress.
LONGEST = "".join(map(chr, random.Random(1).sample(range(0x20000, 0x2A6DF), 512)))
IDS = [
    "보고서 (최종) v2.pdf", "a+b&c#d?.txt", "50% [old].md", "%2F", "%zz", "a", "a/chunks", "a%2Fchunks", "chunks",
    "chunks/chunks", "mail.eml/header", "mail.eml/body", ".", "..", "a/../b", "/etc/passwd", "//", "a/", "a//b", " ",
    "a\\b", "'; drop table documents; --", '"x"', "<b>*x*</b>", "{id}", "~", "x\u3000y\u00a0z", "👩‍👧.png", "می‌خواهم",
    "가" * 512, LONGEST,
]  # fmt: skip
UNPRINTABLE = [
    "\x00",
    "\n",
    "a\rb",
    "\x1b[2J",
    "\x7f",
    "\x9b",
    "\u00ad",
    "\u200b",
    "\u202e",
    "\u2028",
    "\ue000",
    "\u0378",
]


def encoded(document_id: str) -> str:
    """Dots too, which a client would take for a step up."""
    return quote(document_id, safe="").replace(".", "%2E")


def text_of(document_id: str) -> str:
    return f"The clerk keeps shelf number {IDS.index(document_id)} of the archive."


@pytest.fixture(scope="module")
async def shelf(new_tenant):
    client = await new_tenant()
    documents = [{"id": each, "text": text_of(each), "metadata": {"n": n}} for n, each in enumerate(IDS)]
    answer = await client.post("/ingest?wait=60", json={"documents": documents})
    assert [(each["id"], each["status"]) for each in answer.json()["documents"]] == [
        (each, "succeeded") for each in IDS
    ]
    return client


@pytest.mark.parametrize("document_id", IDS)
async def test_a_document_is_reached_by_its_encoded_id(shelf, document_id):
    path = f"/documents/{encoded(document_id)}"
    got = await shelf.get(path)
    assert (got.status_code, got.json()["id"], got.json()["metadata"]) == (
        200,
        document_id,
        {"n": IDS.index(document_id)},
    )
    assert (await shelf.head(path)).status_code == 200
    (chunk,) = (await shelf.get(f"{path}/chunks")).json()["data"]
    assert chunk["text"] == text_of(document_id)
    assert (await shelf.head(f"{path}/chunks")).status_code == 200


@pytest.mark.parametrize(
    ("path", "document_id"),
    [
        ("mail.eml/header", "mail.eml/header"), ("mail.eml/body", "mail.eml/body"), ("a//b", "a//b"), ("a/", "a/"),
        ("/etc/passwd", "/etc/passwd"), ("//", "//"), ("chunks", "chunks"), ("a%2fchunks", "a/chunks"),
        ("a/%2E./b", "a/../b"), ("50%25%20[old].md", "50% [old].md"), ("%7E", "~"), ("a%252Fchunks", "a%2Fchunks"),
    ],
)  # fmt: skip
async def test_a_plain_slash_stays_part_of_an_id(shelf, path, document_id):
    assert (await shelf.get(f"/documents/{path}")).json()["id"] == document_id
    (chunk,) = (await shelf.get(f"/documents/{path}/chunks")).json()["data"]
    assert chunk["text"] == text_of(document_id)


async def test_a_sub_resource_follows_a_plain_slash(shelf):
    (chunk,) = (await shelf.get("/documents/a/chunks")).json()["data"]
    assert chunk["text"] == text_of("a")
    (chunk,) = (await shelf.get("/documents/a/chunks/chunks")).json()["data"]
    assert chunk["text"] == text_of("a/chunks")
    assert (await shelf.get("/documents/chunks/chunks")).json()["data"][0]["text"] == text_of("chunks")
    assert (await shelf.get("/documents%2Fa")).status_code == 404
    assert (await shelf.get("/documents/")).status_code == 404


async def test_a_decomposed_id_is_the_composed_one(new_tenant):
    client = await new_tenant()
    decomposed = unicodedata.normalize("NFD", "각" * 512)
    await ingest_text(client, "The clerk keeps a diary.", id=decomposed)
    assert (await client.get(f"/documents/{encoded(decomposed)}")).json()["id"] == "각" * 512
    where = {"key": "document_id", "op": "eq", "value": decomposed}
    found = (await client.post("/search", json={"input": "diary", "filters": where})).json()["contexts"]
    assert [each["document_id"] for each in found] == ["각" * 512]
    again = await ingest_text(client, "The clerk keeps a diary.", id="각" * 512)
    assert again["counts"]["unchanged"] == 1
    assert (await client.delete(f"/documents/{encoded(decomposed)}")).status_code == 204


@pytest.mark.parametrize("odd", [*UNPRINTABLE, "x" * 513, "\U0001d15e" * 300, "e" + "\u0301" * 31, "x" * 3000])
async def test_what_is_no_id_is_refused_by_one_rule(shelf, odd):
    leaf = {"key": "document_id", "op": "in", "value": ["a", odd]}
    filters = json.dumps(leaf)
    answers = [
        (await shelf.post("/ingest", json={"documents": [{"text": "x", "id": odd}]}), "/documents/0/id"),
        (await shelf.post("/ingest", data={"id": odd}, files={"file": b"x"}), "/id"),
        (await shelf.get(f"/documents/{encoded(odd)}"), "/id"),
        (await shelf.get(f"/documents/{encoded(odd)}/chunks"), "/id"),
        (await shelf.delete(f"/documents/{encoded(odd)}"), "/id"),
        (await shelf.get("/documents", params={"filters": filters}), "/filters/value"),
        (await shelf.post("/search", json={"input": "x", "filters": leaf}), "/filters/value"),
        (await shelf.post("/query", json={"input": "x", "filters": leaf}), "/filters/value"),
    ]
    assert {(answer.status_code, pointer) for answer, pointer in answers} == {(422, pointer) for _, pointer in answers}
    for answer, pointer in answers:
        (error,) = answer.json()["errors"]
        assert error["pointer"] == pointer
        assert any(word in error["detail"] for word in ("printable", "1 to 512", "marks", "NUL"))
        assert odd not in answer.text


async def test_an_id_is_a_filter_in_a_body_and_in_an_address(shelf):
    for some in (IDS[:28], IDS[28:]):
        leaf = {"key": "document_id", "op": "in", "value": some}
        found = (await shelf.post("/search", json={"input": "clerk", "top_k": 100, "filters": leaf})).json()["contexts"]
        assert sorted(each["document_id"] for each in found) == sorted(some)
        listed = (await shelf.get("/documents", params={"filters": json.dumps(leaf)})).json()["data"]
        assert sorted(each["id"] for each in listed) == sorted(some)


async def test_pages_go_on_behind_any_id(shelf):
    seen, cursor = [], {}
    while cursor is not None:
        page = (await shelf.get("/documents", params={"limit": 1, **cursor})).json()
        seen += [each["id"] for each in page["data"]]
        cursor = {"cursor": page["next_cursor"]} if page["has_more"] else None
    assert sorted(seen) == sorted(IDS)


@pytest.mark.parametrize("stream", [False, True])
async def test_citations_and_streams_name_it(shelf, stream):
    for document_id in ("50% [old].md", "보고서 (최종) v2.pdf", '"x"', LONGEST):
        where = {"key": "document_id", "op": "eq", "value": document_id}
        asked = {"input": "Which shelf does the clerk keep?", "filters": where, "stream": stream}
        answer = await shelf.post("/query", json=asked)
        body = parsed(answer.text)[-1][2] if stream else answer.json()
        assert {each["document_id"] for each in body["citations"]} == {document_id}


async def test_the_events_of_a_job_name_it(new_tenant):
    client = await new_tenant()
    job = (await client.post("/ingest?wait=60", data={"id": "a\u3000\\n#?/chunks"}, files={"file": b"A note."})).json()
    events = parsed((await client.get(f"/jobs/{job['id']}/events")).text)
    assert {each["id"] for _, _, data in events for each in data.get("documents", [])} == {"a\u3000\\n#?/chunks"}


async def test_long_values_beside_a_long_id_are_stored_and_found(new_tenant):
    client = await new_tenant()
    key, value, number = LONGEST[:100], LONGEST[100:300], LONGEST[300:400]
    metadata = {key: value, number: 7}
    await ingest_text(client, "A note.", id=LONGEST, source=LONGEST[:500], title=LONGEST[:500], metadata=metadata)
    for name, wanted in metadata.items():
        where = {"key": f"metadata.{name}", "op": "eq", "value": wanted}
        found = (await client.post("/search", json={"input": "note", "filters": where})).json()["contexts"]
        assert [each["document_id"] for each in found] == [LONGEST]


async def test_what_is_deleted_is_that_document_alone(new_tenant):
    client = await new_tenant()
    ids = ["a", "a/chunks", "a%2Fchunks", "..", "/a", "a/", "50% [old].md", "b/chunks"]
    await client.post("/ingest?wait=60", json={"documents": [{"id": each, "text": f"Of {each}."} for each in ids]})
    left = set(ids)
    # To delete there is no sub-resource: each slash is part of the id.
    for each, path in ({each: encoded(each) for each in ids} | {"b/chunks": "b/chunks"}).items():
        assert (await client.delete(f"/documents/{path}")).status_code == 204
        left.remove(each)
        assert {there["id"] for there in (await client.get("/documents")).json()["data"]} == left
