"""A document's text: what chunks and citations point into, whole or in part."""

from __future__ import annotations

import random
from contextlib import contextmanager

import psycopg
import pytest

from app.api.document_texts import prefers_plain
from app.storage import texts
from app.storage.origins import unpack
from app.storage.texts import GAP
from ingest.loading.load import PAGE_BREAK
from tests.conftest import NewTenant, ingest_text
from tests.ingest.made import ENGLISH, KOREAN, MAKERS
from tests.ingest.made.pages import Sheet, pdf_of

LANGUAGES = {"en": ENGLISH, "ko": KOREAN}
# Of all formats tests/ingest/loading/test_formats.py compares the chunks with the text.
FILES = ["en.pdf", "ko.pptx", "en.xlsx", "ko.hwp", "ko.html", "en.eml"]
LONG = "\n\n".join(
    f"Shelf {n} holds the annals of {1392 + n}. 서가 {n}에는 {1392 + n}년의 실록이 있다 👑.  " for n in range(120)
)


@pytest.fixture(scope="module")
async def shelf(worker, new_tenant: NewTenant):
    """Files with and without pages, and a long text, stored in pieces of 50 code points."""
    client = await new_tenant()
    files = {name: (name, MAKERS[name[3:]](LANGUAGES[name[:2]])) for name in FILES}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(texts, "PIECE_CHARACTERS", 50)
        for name, file in files.items():
            sent = await client.post("/ingest?wait=60", files={"file": file}, data={"id": name})
            assert sent.json()["status"] == "succeeded", sent.text
        await ingest_text(client, LONG, id="long")
    return client


@contextmanager
def of_version_01(owner_url):
    """No text is stored of the documents, until it is put back."""
    with psycopg.connect(owner_url) as connection:
        for table in ("document_texts", "document_pages"):
            connection.execute(f"create table kept_{table} as table {table}")
            connection.execute(f"delete from {table}")
        connection.commit()
        yield
        for table in ("document_texts", "document_pages"):
            connection.execute(f"insert into {table} table kept_{table}")
            connection.execute(f"drop table kept_{table}")


async def read(client, document_id, **part):
    answer = await client.get(f"/documents/{document_id}/text", params=part)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def chunks_of(client, document_id):
    return (await client.get(f"/documents/{document_id}/chunks?limit=200")).json()["data"]


def of_span(text, span):
    return text[span["start"] : span["end"]]


@pytest.mark.parametrize("name", [*FILES, "long"])
async def test_each_chunk_is_its_span_of_the_text(shelf, name):
    found = await read(shelf, name)
    chunks = await chunks_of(shelf, name)
    assert chunks
    assert [of_span(found["text"], each["span"]) for each in chunks] == [each["text"] for each in chunks]
    assert found["span"] == {"start": 0, "end": found["length"]}
    assert found["length"] == len(found["text"])
    assert "rebuilt" not in found


@pytest.mark.parametrize("name", FILES)
async def test_pages_are_spans_of_the_text_and_its_chunks_lie_in_them(shelf, name):
    found, content = await read(shelf, name), LANGUAGES[name[:2]]
    pages = {each["page"]: each["span"] for each in found["pages"]}
    assert list(pages) == ([1, 2] if name[3:] in ("pdf", "pptx", "xlsx") else [])
    for chunk in await chunks_of(shelf, name):
        if chunk["page"]:
            page, span = pages[chunk["page"]], chunk["span"]
            assert page["start"] <= span["start"] < span["end"] <= page["end"]
    if pages:
        assert content.second in of_span(found["text"], pages[2])
        assert found["text"][pages[1]["end"] : pages[2]["start"]] == PAGE_BREAK


async def test_parts_are_what_python_cuts(shelf):
    whole, drawn = (await read(shelf, "long"))["text"], random.Random(7)
    assert whole == LONG
    ends = [sorted(drawn.choices(range(len(whole) + 20), k=2)) for _ in range(40)]
    for start, end in [*ends, [0, 0], [50, 100], [49, 51], [len(whole), len(whole) + 9], [9, 3]]:
        found = await read(shelf, "long", start=start, end=end)
        assert found["text"] == whole[start:end]
        assert found["length"] == len(whole)
        assert of_span(whole, found["span"]) == found["text"]


@pytest.mark.parametrize("name", [*FILES, "long"])
async def test_without_a_stored_text_the_chunks_are_put_together(shelf, owner_url, name):
    """What they leave out is marked, and white space it was."""
    stored, chunks = (await read(shelf, name))["text"], await chunks_of(shelf, name)
    with of_version_01(owner_url):
        found = await read(shelf, name)
        step = 1 + found["length"] // 9
        for start in range(0, found["length"] + step, step):
            assert (await read(shelf, name, start=start, end=start + step))["text"] == found["text"][
                start : start + step
            ]
    assert found["rebuilt"] is True
    assert [of_span(found["text"], each["span"]) for each in chunks] == [each["text"] for each in chunks]
    assert {each["page"] for each in found["pages"]} == {each["page"] for each in chunks} - {None}
    left_out = {real for real, made in zip(stored, found["text"], strict=False) if made == GAP}
    assert left_out == ({"\n"} if found["pages"] else set())
    assert [made for real, made in zip(stored, found["text"], strict=False) if made not in (GAP, real)] == []


async def test_as_plain_text_if_the_caller_prefers_it(shelf):
    answer = await shelf.get("/documents/long/text?start=5&end=90", headers={"Accept": "text/plain"})
    assert (answer.status_code, answer.text) == (200, LONG[5:90])
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-security-policy"].startswith("sandbox")
    assert answer.headers["vary"] == "Accept"
    head = await shelf.head("/documents/long/text", headers={"Accept": "text/plain"})
    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize(
    ("accept", "plain"),
    [
        ("", False), ("*/*", False), ("text/plain", True), ("text/*;q=0.5, application/json;q=0.4", True),
        ("application/json, text/plain, */*", False), ("text/plain; q=0.2, application/json", False),
        ("TEXT/PLAIN;charset=utf-8, */*;q=0.1", True), ("text/html", False), ("text/plain;q=0, */*", False),
        (",,;q=x, text/plain", True),
    ],
)  # fmt: skip
def test_accept_is_read_as_http_has_it(accept, plain):
    assert prefers_plain(accept) is plain


async def test_too_much_is_refused_and_never_cut(shelf, monkeypatch):
    monkeypatch.setattr(texts, "MAX_TEXT_CHARACTERS", 1000)
    refused = await shelf.get("/documents/long/text")
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/end")
    assert f"{len(LONG):,}" in refused.json()["detail"]
    parts = [(await read(shelf, "long", start=at, end=at + 1000))["text"] for at in range(0, len(LONG), 1000)]
    assert "".join(parts) == LONG
    monkeypatch.setattr(texts, "MAX_TEXT_PAGES", 1)
    refused = await shelf.get("/documents/en.pdf/text")
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_input")


async def test_a_new_version_brings_its_text_and_another_etag(shelf):
    await ingest_text(shelf, "The first wording.", id="changing")
    first = await shelf.get("/documents/changing/text")
    await ingest_text(shelf, "둘째 판.", id="changing")
    second = await shelf.get("/documents/changing/text")
    assert (first.json()["text"], second.json()["text"]) == ("The first wording.", "둘째 판.")
    assert first.headers["etag"] != second.headers["etag"]
    assert (await shelf.get("/documents/changing/text?start=1")).headers["etag"] == second.headers["etag"]
    await shelf.delete("/documents/changing")
    assert (await shelf.get("/documents/changing/text")).status_code == 404


async def test_it_is_the_tenants_alone_and_takes_the_scope_read(shelf, new_tenant: NewTenant):
    other, asking = await new_tenant(), await new_tenant(scopes=("query",))
    assert (await other.get("/documents/long/text")).status_code == 404
    assert (await asking.get("/documents/long/text")).status_code == 403


async def test_what_was_left_out_at_the_edges_of_a_page_stands_beside_its_span(shelf):
    sheets = [
        Sheet().text(50, 810, "두루미 나루 사규집", 9).text(50, 700, f"Rule {n}.").text(50, 30, f"- {n} -", 9)
        for n in (1, 2, 3)
    ]
    file = ("heads.pdf", pdf_of(sheets))
    sent = await shelf.post("/ingest?wait=60", files={"file": file}, data={"id": "heads.pdf"})
    assert sent.json()["status"] == "succeeded", sent.text
    part = await read(shelf, "heads.pdf")
    assert "나루" not in part["text"]
    assert [(page["head"], page["foot"]) for page in part["pages"]] == [
        ("두루미 나루 사규집", f"- {n} -") for n in (1, 2, 3)
    ]
    assert all(page.keys() == {"page", "span"} for page in (await read(shelf, "en.pdf"))["pages"])


async def test_the_pictures_that_begin_in_a_part_are_told_with_it(shelf, monkeypatch):
    lines = [f"{n}번 사진\n\n![등대 {n}]({n}.png)" for n in range(9)]
    page = f"{'가' * 300}\n\n" + "\n\n".join(lines)
    monkeypatch.setattr(texts, "PIECE_CHARACTERS", 50)
    file = ("a.md", page.encode())
    sent = await shelf.post("/ingest?wait=60", files={"file": file}, data={"id": "pictures"})
    assert sent.json()["status"] == "succeeded", sent.text
    whole = await read(shelf, "pictures")
    shown = [(of_span(whole["text"], each["span"]), each["alt"]) for each in whole["pictures"]]
    assert shown == [(f"![등대 {n}]({n}.png)", f"등대 {n}") for n in range(9)]
    assert whole["pictures"][0].keys() == {"span", "alt"}
    third = whole["pictures"][2]["span"]
    part = await read(shelf, "pictures", start=third["start"], end=third["end"] + 1)
    assert part["pictures"] == whole["pictures"][2:3]
    assert (await read(shelf, "pictures", end=300))["pictures"] == []
    file = ("a.html", b"<p>Front</p><img width=20 height=30>")
    await shelf.post("/ingest?wait=60", files={"file": file}, data={"id": "pictures"})
    assert (await read(shelf, "pictures"))["pictures"] == [
        {"span": {"start": 5, "end": 5}, "width": 20.0, "height": 30.0, "unit": "px"}
    ]


async def test_where_a_pdf_has_its_text_is_stored_with_it(shelf, owner_url):
    text = (await read(shelf, "en.pdf"))["pages"]
    with psycopg.connect(owner_url) as connection:
        found = connection.execute(
            "select document_id, stop - start, origins from document_pages where document_id in ('en.pdf', 'en.xlsx') "
            "and tenant_id = (select max(tenant_id) from document_pages where document_id = 'en.pdf') order by start"
        ).fetchall()
    packed = [(length, origins) for document, length, origins in found if document == "en.pdf"]
    assert len(packed) == len(text)
    assert all(sum(run for run, _ in unpack(origins)) == length for length, origins in packed)
    assert {origins for document, _, origins in found if document == "en.xlsx"} == {None}
