"""Filters as a caller sends them: on /search, /query and /documents; what is wrong with one is said and pointed at."""

from __future__ import annotations

import json

import pytest

from tests.conftest import ingest_text

pytestmark = pytest.mark.usefixtures("worker")

DOCUMENTS = {
    "notes/봄": {"year": 2024, "tags": ["plan", "봄"], "draft": True, 'odd"; --.key': "x"},
    "notes/여름": {"year": 2025.5, "tags": ["plan"], "draft": False, "editor": None},
    "notes/fall": {"year": "2025", "tags": "plan", "editor": "김 서기"},
}


@pytest.fixture(scope="module")
async def library(new_tenant):
    client = await new_tenant()
    for id_, metadata in DOCUMENTS.items():
        await ingest_text(client, f"The annals of {id_} are kept here.", id=id_, source=f"{id_}.md", metadata=metadata)
    return client


def leaf(key, op, value):
    return {"key": key, "op": op, "value": value}


SPRING, SUMMER, FALL = DOCUMENTS
YEAR_OVER_2023 = leaf("metadata.year", "gt", 2023)
FOUND = {
    "a number": (leaf("metadata.year", "eq", 2024.0), [SPRING]),
    "numbers alone compare with numbers": (leaf("metadata.year", "gte", 2024), [SPRING, SUMMER]),
    "text alone compares with text": (leaf("metadata.year", "gte", "2024"), [FALL]),
    "a boolean is no number": (leaf("metadata.draft", "eq", 1), []),
    "a boolean": (leaf("metadata.draft", "eq", False), [SUMMER]),
    "null or missing": (leaf("metadata.editor", "eq", None), [SPRING, SUMMER]),
    "there and not null": (leaf("metadata.editor", "ne", None), [FALL]),
    "ne holds where eq does not": (leaf("metadata.year", "ne", 2024), [SUMMER, FALL]),
    "in": (leaf("metadata.year", "in", ["2025", 2024]), [SPRING, FALL]),
    "contains looks into lists": (leaf("metadata.tags", "contains", "plan"), [SPRING, SUMMER]),
    "Korean, decomposed": (leaf("metadata.tags", "contains", "\u1107\u1169\u11b7"), [SPRING]),
    "an odd key": (leaf('metadata.odd"; --.key', "eq", "x"), [SPRING]),
    "an id": (leaf("document_id", "in", [SUMMER, "nobody"]), [SUMMER]),
    "a source": (leaf("source", "eq", "notes/fall.md"), [FALL]),
    "before": (leaf("created_at", "lt", "2020-01-01T00:00:00Z"), []),
    "seven digits": (leaf("created_at", "gte", "2020-01-01T00:00:00.4999999Z"), [SPRING, SUMMER, FALL]),
    "nine digits": (leaf("created_at", "lt", "2020-01-01T00:00:00.499999999Z"), []),
    "a leap second": (leaf("created_at", "gte", "2016-12-31t23:59:60+00:00"), [SPRING, SUMMER, FALL]),
    "after": (leaf("created_at", "gte", "2020-01-01T09:00:00.5+09:00"), [SPRING, SUMMER, FALL]),
    "and": ({"and": [YEAR_OVER_2023, leaf("metadata.draft", "eq", True)]}, [SPRING]),
    "or": ({"or": [leaf("metadata.year", "eq", "2025"), leaf("metadata.draft", "eq", True)]}, [SPRING, FALL]),
    "not": ({"not": YEAR_OVER_2023}, [FALL]),
}


@pytest.mark.parametrize("case", FOUND)
async def test_a_filter_holds_for_search_and_list(library, case):
    filters, expected = FOUND[case]
    found = await library.post("/search", json={"input": "annals", "filters": filters})
    assert sorted(each["document_id"] for each in found.json()["contexts"]) == sorted(expected)
    listed = await library.get("/documents", params={"filters": json.dumps(filters)})
    assert sorted(each["id"] for each in listed.json()["data"]) == sorted(expected)


async def test_query_takes_the_filter_and_says_when_nothing_matches(library):
    answer = await library.post("/query", json={"input": "Where are the annals?", "filters": FOUND["a number"][0]})
    assert {each["document_id"] for each in answer.json()["contexts"]} == {SPRING}
    nothing = await library.post("/query", json={"input": "annals?", "filters": FOUND["a boolean is no number"][0]})
    assert nothing.json()["no_answer_reason"] == "nothing_retrieved"
    dry = await library.post(
        "/query", json={"input": "annals?", "filters": FOUND["a source"][0], "dry_run": True, "top_k": 1}
    )
    assert dry.json()["contexts"][0]["document_id"] == FALL


async def test_pages_of_a_filtered_list_go_on_where_they_ended(library):
    filters = json.dumps(FOUND["numbers alone compare with numbers"][0])
    first = (await library.get("/documents", params={"filters": filters, "limit": 1})).json()
    second = (await library.get("/documents", params={"filters": filters, "cursor": first["next_cursor"]})).json()
    assert [first["has_more"], second["has_more"]] == [True, False]
    assert sorted(each["id"] for each in first["data"] + second["data"]) == sorted([SPRING, SUMMER])


def nested(depth):
    return YEAR_OVER_2023 if depth == 1 else {"not": nested(depth - 1)}


WRONG = {
    "no filter": ({}, "/filters"),
    "a list": ([YEAR_OVER_2023], "/filters"),
    "unknown key": (leaf("title", "eq", "x"), "/filters/key"),
    "metadata alone": (leaf("metadata.", "eq", "x"), "/filters/key"),
    "NUL in a key": (leaf("metadata.\x00", "eq", "x"), "/filters/key"),
    "a long key": (leaf("metadata." + "x" * 17_000, "eq", "x"), "/filters/key"),
    "no key": (leaf(None, "eq", "x"), "/filters/key"),
    "unknown op": (leaf("source", "like", "x"), "/filters/op"),
    "no op": (leaf("source", None, "x"), "/filters"),
    "no value": ({"key": "source", "op": "eq"}, "/filters"),
    "unknown field": ({**YEAR_OVER_2023, "boost": 2}, "/filters/boost"),
    "two forms": ({**YEAR_OVER_2023, "not": YEAR_OVER_2023}, "/filters"),
    "an empty and": ({"and": []}, "/filters/and"),
    "and of nothing": ({"and": None}, "/filters"),
    "inside": ({"or": [YEAR_OVER_2023, leaf("metadata.year", "gt", True)]}, "/filters/or/1/value"),
    "an object": (leaf("metadata.year", "eq", {"a": 1}), "/filters/value"),
    "in without a list": (leaf("metadata.year", "in", 1), "/filters/value"),
    "in of nothing": (leaf("metadata.year", "in", []), "/filters/value"),
    "contains on a text": (leaf("source", "contains", "x"), "/filters/value"),
    "more than null": (leaf("metadata.year", "gt", None), "/filters/value"),
    "a number as id": (leaf("document_id", "eq", 7), "/filters/value"),
    "no time": (leaf("created_at", "gt", "yesterday"), "/filters/value"),
    "a time without offset": (leaf("created_at", "gt", "2026-01-01T00:00:00"), "/filters/value"),
    "second 61": (leaf("created_at", "gt", "2026-02-20T00:00:61Z"), "/filters/value"),
    "a time beyond all": (leaf("created_at", "gt", "9999-12-31T23:59:60Z"), "/filters/value"),
    "an impossible time": (leaf("created_at", "gt", "2026-02-30T00:00:00Z"), "/filters/value"),
    "a huge integer": (leaf("metadata.year", "eq", 10**30), "/filters/value"),
    "a lone surrogate": (leaf("source", "eq", "\ud800"), "/filters/value"),
    "a long text": (leaf("source", "eq", "x" * 17_000), "/filters/value"),
    "too deep": (nested(6), "/filters"),
    "very deep": (nested(300), "/filters"),
    "too many": ({"or": [YEAR_OVER_2023] * 201}, "/filters"),
    "too many values": (leaf("metadata.year", "in", list(range(201))), "/filters"),
}


@pytest.mark.parametrize("case", WRONG)
async def test_a_wrong_filter_is_pointed_at(library, case):
    filters, pointer = WRONG[case]
    body = json.dumps({"input": "annals", "filters": filters})
    answer = await library.post("/search", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422, answer.text
    assert pointer in [each["pointer"] for each in answer.json()["errors"]]


@pytest.mark.parametrize("case", [case for case in WRONG if case != "a lone surrogate"])
async def test_in_the_address_too(library, case):
    filters, pointer = WRONG[case]
    answer = await library.get("/documents", params={"filters": json.dumps(filters)})
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize("filters", ["", "{", "[" * 10_000, '{"key" NaN}', "null", "x" * 30_000])
async def test_an_address_that_is_no_filter(library, filters):
    answer = await library.get("/documents", params={"filters": filters})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/filters"


async def test_five_levels_are_fine(library):
    answer = await library.post("/search", json={"input": "annals", "filters": nested(5)})
    assert [each["document_id"] for each in answer.json()["contexts"]].count(FALL) == 0
    assert len(answer.json()["contexts"]) == 2


async def test_not_a_number_is_no_value(library):
    body = '{"input": "annals", "filters": {"key": "metadata.year", "op": "lt", "value": NaN}}'
    answer = await library.post("/search", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/filters/value")


NAMED = {
    "a part of the id": ("봄", [SPRING]),
    "decomposed": ("\u1107\u1169\u11b7", [SPRING]),
    "in either case": ("FALL", [FALL]),
    "the source": ("름.MD", [SUMMER]),
    "the title": ("Annals of Fall", [FALL]),
    "no pattern": ("notes_", []),
    "not across fields": (f"{FALL}{FALL}", []),
    "nothing": ("winter", []),
}


@pytest.mark.parametrize("case", NAMED)
async def test_documents_are_found_by_a_part_of_their_name(library, new_tenant, case):
    part, expected = NAMED[case]
    await library.patch(f"/documents/{FALL.replace('/', '%2F')}?wait=30", json={"title": "The annals of fall"})
    found = (await library.get("/documents", params={"q": part})).json()
    assert sorted(each["id"] for each in found["data"]) == sorted(expected)
    assert (await (await new_tenant()).get("/documents", params={"q": part})).json()["data"] == []


async def test_names_are_found_page_by_page_and_within_filters(library):
    page = (await library.get("/documents", params={"q": "notes", "limit": 2})).json()
    rest = (await library.get("/documents", params={"q": "notes", "cursor": page["next_cursor"]})).json()
    assert sorted(each["id"] for each in page["data"] + rest["data"]) == sorted(DOCUMENTS)
    filters = json.dumps(leaf("metadata.draft", "eq", False))
    assert [
        each["id"]
        for each in (await library.get("/documents", params={"q": "notes", "filters": filters})).json()["data"]
    ] == [SUMMER]


@pytest.mark.parametrize("part", ["", "a\x00", "a\nb", "x" * 201])
async def test_no_name_is_like_that(library, part):
    refused = await library.get("/documents", params={"q": part})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/q")
