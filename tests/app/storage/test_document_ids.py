"""The one rule for ids of documents."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import StringConstraints, TypeAdapter, ValidationError

from app.storage.document_ids import DocumentId, NewDocumentId, clean_id

OF_0_1: TypeAdapter[str] = TypeAdapter(Annotated[str, StringConstraints(pattern=r"^[\w.\-:/ ]{1,200}$")])

HIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
AT_MOST = ["x" * 512, "\U0001f600" * 512, unicodedata.normalize("NFD", "각" * 512), "\u1f82" * 512]


def takes(rule, text: str) -> bool:
    try:
        rule(text)
    except (ValueError, ValidationError):
        return False
    return True


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
@example("\u200d\u200c")
@example("\u3000\u00a0")
def test_what_0_1_took_is_an_id_still(text):
    normal = unicodedata.normalize("NFC", text)
    if takes(OF_0_1.validate_python, normal):
        assert clean_id(text) == normal


@given(st.text(max_size=20))
def test_an_id_is_in_nfc_and_can_be_seen(text):
    if takes(clean_id, text):
        cleaned = clean_id(text)
        assert cleaned == clean_id(cleaned) == unicodedata.normalize("NFC", text)
        assert not HIDDEN.search(cleaned)


@pytest.mark.parametrize("text", AT_MOST)
def test_characters_are_counted_in_nfc(text):
    assert len(clean_id(text)) == 512
    assert not takes(clean_id, text + "x")


def test_only_the_service_makes_ids_like_its_own():
    assert TypeAdapter(DocumentId).validate_python("doc_1") == "doc_1"
    assert not takes(TypeAdapter(NewDocumentId).validate_python, "doc_1")
