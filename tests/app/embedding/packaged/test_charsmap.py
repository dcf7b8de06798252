"""The map as `tokenizers` reads it: what is in it is replaced, and nothing else is."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers.normalizers import Precompiled

from app.embedding.packaged.charsmap import charsmap
from app.embedding.packaged.model_file import packaged_file, read

# The reader ends a text at NUL; a surrogate is no character.
characters = st.characters(exclude_characters="\x00", exclude_categories=["Cs"])


def test_every_character_becomes_what_the_model_wants():
    wanted = read(packaged_file()).normalization
    normalizer = Precompiled(charsmap(wanted))
    everything = [chr(n) for n in range(1, sys.maxunicode + 1) if not 0xD800 <= n <= 0xDFFF]
    assert len(wanted) > 4000
    assert [c for c in everything if normalizer.normalize_str(c) != wanted.get(c, c)] == []


@given(st.dictionaries(characters, st.text(characters, max_size=3), min_size=1, max_size=30), st.sets(characters))
def test_any_map(replacements, others):
    normalizer = Precompiled(charsmap(replacements))
    for character in {*replacements, *others}:
        assert normalizer.normalize_str(character) == replacements.get(character, character)


@pytest.mark.parametrize("text", ["", "ab", "아"])
def test_a_replacement_may_be_nothing_one_or_several(text):
    assert Precompiled(charsmap({"x": text})).normalize_str("yx") == f"y{text}"
