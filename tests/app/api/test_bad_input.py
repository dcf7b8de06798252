"""Whatever comes in: a problem that says what is wrong, never a 500, and the service goes on."""

from __future__ import annotations

import base64
import gzip
import json
import os
import unicodedata
from typing import Any

import pytest

from tests.conftest import ingest_text

pytestmark = pytest.mark.usefixtures("worker")

JSON = {"content-type": "application/json"}
MARKS = "e" + "\u0301" * 31
SURROGATE = b'{"input": "lone \\ud800 surrogate"}'

BAD_BODIES = {
    "no JSON": (b"{input: 1", 400, "invalid_json"),
    "empty": (b"", 422, "invalid_input"),
    "an array": (b"[]", 422, "invalid_input"),
    "not UTF-8": (b'{"input": "\xff\xfe"}', 400, "invalid_json"),
    "very deep": (b'{"input": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, "invalid_json"),
    "a huge integer": (b'{"input": "x", "top_k": ' + b"9" * 5000 + b"}", 400, "invalid_json"),
    "unknown field": (b'{"input": "x", "colour": "red"}', 422, "invalid_input"),
    "wrong type": (b'{"input": 7}', 422, "invalid_input"),
    "a number as text": (b'{"input": "x", "top_k": "5"}', 422, "invalid_input"),
    "a huge top_k": (b'{"input": "x", "top_k": 1000000}', 422, "invalid_input"),
    "a negative top_k": (b'{"input": "x", "top_k": -1}', 422, "invalid_input"),
    "NaN": (b'{"input": "x", "min_score": NaN}', 422, "invalid_input"),
    "a lone surrogate": (SURROGATE, 422, "invalid_input"),
    "a lone surrogate as a field": (b'{"input": "x", "\\ud800": 1}', 422, "invalid_input"),
    "NUL": (b'{"input": "a\\u0000b"}', 422, "invalid_input"),
    "a run of combining marks": (b'{"input": "e' + b"\\u0301" * 31 + b'"}', 422, "invalid_input"),
    "white space": (b'{"input": " \\n "}', 422, "invalid_input"),
    "too long": (b'{"input": "' + b"x" * 20_001 + b'"}', 422, "invalid_input"),
}


@pytest.mark.parametrize("path", ["/search", "/query"])
@pytest.mark.parametrize("case", BAD_BODIES)
async def test_a_bad_question_gets_a_clear_problem(tenant, path, case):
    content, status, code = BAD_BODIES[case]
    answer = await tenant.post(path, content=content, headers=JSON)
    body = answer.json()
    assert (answer.status_code, body["code"]) == (status, code), body
    assert answer.headers["content-type"] == "application/problem+json"
    assert body["request_id"] == answer.headers["x-request-id"]
    assert body["detail"]
    if status == 422:
        assert body["errors"]


async def test_an_unknown_field_is_named(tenant):
    body = (await tenant.post("/query", json={"input": "x", "colour": "red"})).json()
    assert body["errors"][0]["pointer"] == "/colour"
    nested = (await tenant.post("/ingest", json={"documents": [{"text": "x", "colour": 1}]})).json()
    assert nested["errors"][0]["pointer"] == "/documents/0/colour"


FORGED = [
    ("documents", ["\ud800"]),
    ("documents/a/chunks", [2**70]),
    ("documents/a/chunks", [-(2**70)]),
    ("jobs", ["\ud800", "job_1"]),
    ("jobs", ["2026-01-01T00:00:00+00:00", "\udfff"]),
    ("prompts", ["\ud800"]),
]


def forged(values: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode()


BAD_INGESTS = {
    "no documents": {"documents": []},
    "no text": {"documents": [{"title": "x"}]},
    "NUL in the text": {"documents": [{"text": "a\x00b"}]},
    "a run of marks in the text": {"documents": [{"text": MARKS}]},
    "a run of marks in the title": {"documents": [{"text": "x", "title": MARKS}]},
    "a run of marks in metadata": {"documents": [{"text": "x", "metadata": {MARKS: [MARKS]}}]},
    "a run of marks in the id": {"documents": [{"text": "x", "id": MARKS}]},
    "NUL in metadata": {"documents": [{"text": "x", "metadata": {"a": "b\x00"}}]},
    "deep metadata": {"documents": [{"text": "x", "metadata": {"a": {"b": {"c": {"d": {"e": {"f": {"g": 1}}}}}}}}]},
    "large metadata": {"documents": [{"text": "x", "metadata": {"a": "가" * 6_000}}]},
    "metadata without end": {"documents": [{"text": "x", "metadata": {"a": [[["b" * 300] * 60]]}}]},
    "an empty key": {"documents": [{"text": "x", "metadata": {"": 1}}]},
    "an empty key further in": {"documents": [{"text": "x", "metadata": {"a": [{"": 1}]}}]},
    "an escape in the title": {"documents": [{"text": "x", "title": "a\x1b[2J"}]},
    "C1 in the source": {"documents": [{"text": "x", "source": "a\x9b2J"}]},
    "a line break in the source": {"documents": [{"text": "x", "source": "a\u2028b"}]},
    "metadata is a list": {"documents": [{"text": "x", "metadata": []}]},
    "an id of ours": {"documents": [{"text": "x", "id": "doc_1"}]},
    "an odd id": {"documents": [{"text": "x", "id": "a\nb"}]},
    "a long id": {"documents": [{"text": "x", "id": "가" * 513}]},
}


@pytest.mark.parametrize("case", BAD_INGESTS)
async def test_a_bad_ingest_is_refused_whole(tenant, case):
    answer = await tenant.post("/ingest", json=BAD_INGESTS[case])
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")


async def test_an_id_may_be_in_any_script(tenant):
    job = await ingest_text(tenant, "규장각은 1776년에 세워졌다.", id="규정/2024: 1.0")
    assert job["documents"][0]["id"] == "규정/2024: 1.0"
    assert (await tenant.get("/documents/규정/2024: 1.0")).status_code == 200


# What the worker finds out about a file: (name, content, code)
BAD_FILES = [
    ("empty.txt", b"", "empty"),
    ("blank.md", b" \n\t\n", "empty"),
    ("broken.pdf", b"%PDF-1.7\nthis is no PDF", "corrupt"),
    ("garbage.bin", os.urandom(10 << 20), "unsupported_type"),
    ("picture.png", b"\x89PNG\r\n\x1a\n" + bytes(100), "corrupt"),
    ("garbage.docx", b"PK\x03\x04" + os.urandom(5000), "corrupt"),
]


@pytest.mark.parametrize(("name", "content", "code"), BAD_FILES, ids=[name for name, *_ in BAD_FILES])
async def test_a_bad_file_fails_alone(tenant, name, content, code):
    good = f"A good file beside {name}.".encode()
    files = [("file", (name, content)), ("file", ("good.txt", good))]
    job = (await tenant.post("/ingest?wait=60", files=files)).json()
    bad, fine = job["documents"]
    assert (bad["status"], bad["error"]["code"]) == ("failed", code)
    assert bad["error"]["detail"]
    assert fine["status"] == "succeeded"
    assert job["status"] == "partial"


BAD_FORMS = {
    "no file": {"data": {"id": "x"}, "files": {"other": b"x"}},
    "a text as file": {"data": {"file": "x"}, "files": {"file": b"x"}},
    "metadata no JSON": {"data": {"metadata": "{"}, "files": {"file": b"x"}},
    "metadata no object": {"data": {"metadata": "[1]"}, "files": {"file": b"x"}},
    "one id for two files": {"data": {"id": "x"}, "files": [("file", b"x"), ("file", b"y")]},
    "a run of marks in the id": {"data": {"id": MARKS}, "files": {"file": b"x"}},
    "a run of marks in metadata": {"data": {"metadata": f'{{"a": "{MARKS}"}}'}, "files": {"file": b"x"}},
    "an id of ours": {"data": {"id": "doc_x"}, "files": {"file": b"x"}},
    "unknown field": {"data": {"colour": "red"}, "files": {"file": b"x"}},
}


@pytest.mark.parametrize("case", BAD_FORMS)
async def test_a_bad_form_is_refused(tenant, case):
    answer = await tenant.post("/ingest", **BAD_FORMS[case])
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")


@pytest.mark.parametrize(
    ("headers", "content", "status"),
    [
        ({"content-type": "text/plain"}, b"x", 415),
        ({}, b"x", 415),
        ({"content-type": "multipart/form-data"}, b"x", 400),
        ({"content-type": "multipart/form-data; boundary=x"}, b"--y\r\n", 400),
        ({"content-type": "application/json"}, b"{", 400),
    ],
)
async def test_a_body_of_another_kind_is_refused(tenant, headers, content, status):
    answer = await tenant.post("/ingest", content=content, headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("path", "limit", "named"),
    [
        ("/ingest", 16 << 20, "16 MB, the limit of this service (KYUJANG_MAX_JSON_MB)"),
        ("/search", 1 << 20, "1 MB"),
        ("/query", 1 << 20, "1 MB"),
    ],
)
async def test_too_large_names_the_limit(tenant, path, limit, named):
    answer = await tenant.post(path, content=b" " * (limit + 1), headers=JSON)
    assert answer.status_code == 413
    assert named in answer.json()["detail"]
    assert (await tenant.post(path, content=b" " * limit, headers=JSON)).status_code in (400, 422)


async def test_the_limits_are_published(tenant, settings):
    limits = (await tenant.get("/limits")).json()
    assert (limits["max_json_bytes"], limits["max_question_bytes"]) == (settings.max_json_mb << 20, 1 << 20)


@pytest.mark.parametrize("path", ["/query", "/search", "/v1/chat/completions"])
async def test_a_content_type_raises_no_limit(tenant, path):
    for kind, status in {"multipart/form-data; boundary=x": 415, "application/merge-patch+json": 413}.items():
        answer = await tenant.post(path, content=b" " * ((1 << 20) + 1), headers={"content-type": kind})
        assert answer.status_code == status


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/no/such/path", 404),
        ("PUT", "/query", 405),
        ("GET", "/documents/%00", 422),
        ("GET", f"/documents/{MARKS}", 422),
        ("DELETE", f"/documents/{MARKS}", 422),
        ("GET", f"/documents/{MARKS}/chunks", 422),
        ("GET", "/documents/" + "x" * 513, 422),
        ("GET", f'/documents?filters={{"key":"metadata.{MARKS}","op":"eq","value":1}}', 422),
        ("GET", f'/documents?filters={{"key":"source","op":"eq","value":"{MARKS}"}}', 422),
        ("GET", "/documents/%ED%A0%80", 422),
        ("GET", "/jobs/%00", 404),
        ("GET", "/jobs/%F0%9F%92%A9", 404),
        ("GET", "/documents?cursor=x", 422),
        ("GET", "/documents?cursor=WyJcdTAwMDAiXQ==", 422),
        *(("GET", f"/{where}?cursor={forged(value)}", 422) for where, value in FORGED),
        ("GET", "/documents?limit=0", 422),
        ("GET", "/documents?limit=ten", 422),
        ("GET", "/jobs?cursor=WyJhIiwgImIiXQ==", 422),
        ("GET", "/adapters/A", 422),
        ("GET", "/adapters/tone?version=0", 422),
        ("GET", "/adapters/tone", 404),
        ("GET", "/adapters?cursor=WyJhIl0=", 422),
        ("GET", "/adapters/activations?cursor=WyJhIl0=", 422),
        ("GET", "/adapters/%00", 422),
        ("POST", "/ingest?wait=61", 422),
        ("POST", "/ingest?wait=nan", 422),
    ],
)
async def test_a_bad_path_or_parameter_gets_a_problem(tenant, method, path, status):
    answer = await tenant.request(method, path)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_key_is_asked_for_before_the_id_is_looked_at(anonymous):
    answer = await anonymous.get(f"/documents/{MARKS}")
    assert answer.status_code == 401


async def test_a_file_s_runs_of_marks_are_cut_and_the_log_says_so(tenant, caplog):
    files = {"file": (f"{MARKS}.txt", f"Marked {MARKS} text.".encode())}
    job = (await tenant.post("/ingest?wait=60", files=files, data={"id": "marked"})).json()
    assert job["status"] == "succeeded", job
    assert unicodedata.normalize("NFD", job["documents"][0]["source"]) == MARKS[:-1] + ".txt"
    (chunk,) = (await tenant.get("/documents/marked/chunks")).json()["data"]
    assert unicodedata.normalize("NFD", chunk["text"]) == f"Marked {MARKS[:-1]} text."
    assert [record.document for record in caplog.records if "combining marks" in record.message] == ["marked"]


async def test_a_request_id_is_taken_if_it_is_sane(tenant):
    assert (await tenant.get("/healthz", headers={"X-Request-Id": "my-id.7"})).headers["x-request-id"] == "my-id.7"
    made = (await tenant.get("/healthz", headers={"X-Request-Id": "no good\tid"})).headers["x-request-id"]
    assert made.startswith("req_")


async def test_a_key_is_in_no_log_line(tenant, caplog):
    secret = tenant.headers["authorization"].removeprefix("Bearer ")
    with caplog.at_level("DEBUG"):
        await tenant.post("/query", json={"input": "x", "colour": secret})
        await tenant.get("/documents", headers={"Authorization": f"Bearer {secret}x"})
    assert caplog.records
    assert secret not in caplog.text


async def test_of_a_form_that_is_cut_nothing_is_accepted(new_tenant, settings):
    client, kind = await new_tenant(), {"content-type": "multipart/form-data; boundary=x"}
    part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nSome text.\r\n'
    for sent in (part * 2 + part[:30], part * 2, part * 2 + b"--x"):
        answer = await client.post("/ingest", content=sent, headers=kind)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    assert (await client.get("/jobs")).json()["data"] == []
    whole = await client.post("/ingest?wait=60", content=part * 2 + b"--x--", headers=kind)
    assert whole.json()["counts"]["total"] == 2


async def test_a_body_in_another_encoding_is_refused_by_its_name(tenant):
    headers = {**JSON, "content-encoding": "gzip"}
    refused = await tenant.post("/search", content=gzip.compress(b'{"input": "x"}'), headers=headers)
    assert (refused.status_code, refused.headers["accept-encoding"]) == (415, "identity")
    assert "'gzip'" in refused.json()["detail"]
    assert (
        await tenant.post("/search", json={"input": "x"}, headers={"content-encoding": "identity"})
    ).status_code == 200


@pytest.mark.parametrize(
    ("form", "limit"),
    [
        ({"files": [("file", (f"{n}.txt", b"x")) for n in range(1_001)]}, "1000"),
        ({"data": {"metadata": ["{}"] * 11}, "files": {"file": b"x"}}, "10"),
        ({"data": {"metadata": "x" * ((1 << 20) + 1)}, "files": {"file": b"x"}}, "1024KB"),
    ],
)
async def test_a_form_beyond_a_limit_is_413_by_its_name(tenant, form, limit):
    refused = await tenant.post("/ingest", **form)
    assert (refused.status_code, refused.json()["code"]) == (413, "too_large"), refused.text
    assert limit in refused.json()["detail"]


async def test_what_metadata_may_hold_a_filter_can_ask_for(tenant):
    metadata = {"k" * 8_000: "가" * 2_600, "short": "a" * 300}
    await ingest_text(tenant, "A document with much metadata.", metadata=metadata)
    for key, value in metadata.items():
        where = {"key": f"metadata.{key}", "op": "eq", "value": value}
        found = await tenant.post("/search", json={"input": "document", "filters": where})
        assert len(found.json()["contexts"]) == 1, found.text
        where["value"] = value[:-1]
        assert not (await tenant.post("/search", json={"input": "document", "filters": where})).json()["contexts"]
