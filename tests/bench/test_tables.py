"""The measuring of tables agrees with what a person would count."""

from __future__ import annotations

import pytest

from bench.tables.__main__ import REQUIREMENTS, SEEDS
from bench.tables.grid import Counts, Covered, cells, from_markdown, words
from bench.tables.made import LAYOUTS, made

GOLD = [["Boat", "Fee", Covered("Fee")], ["Heron", "3", ""], ["두루미호", "", "4"]]


@pytest.mark.parametrize(
    ("read", "f1"),
    [
        ([["Boat", "Fee", "Fee"], ["Heron", "3", ""], ["두루미 호", "", "4"]], 1.0),
        ([["Boat", "Fee", ""], ["Heron", "3", ""], ["두루미호", "", "4"]], 1.0),
        ([["Boat", "Fee", ""], ["", "", ""], ["Heron", "3", ""], ["두루미호", "", "4"]], 1.0),
        ([["Boat", "Fee", ""], ["Heron", "3", ""], ["두루미호", "4", ""]], 2 * 5 / 12),
        ([["Heron", "3"]], 2 * 2 / 8),
        ([], 0.0),
    ],
)
def test_cells_count_in_their_columns_and_rows_in_their_order(read, f1):
    assert cells([GOLD], [read] if read else []).f1 == pytest.approx(f1)


def test_a_table_that_is_not_there_counts_against_the_reader():
    assert cells([GOLD], [[["Boat", "Fee", ""], ["Heron", "3", ""], ["두루미호", "", "4"]], [["a", "b"]]]) == Counts(
        6, 8, 6
    )


def test_a_table_over_pages_is_one():
    parts = [[["Boat", "Fee"], ["Heron", "3"]], [["Boat", "Fee"], ["Teal", "4"]]]
    assert cells([[["Boat", "Fee"], ["Heron", "3"], ["Teal", "4"]]], parts).f1 == 1.0


def test_words_count_in_their_order():
    assert words("one two three four", "one three two four") == Counts(3, 4, 4)


def test_markdown_is_taken_apart():
    tables, text = from_markdown("# Fees\n\n| Boat \\| raft | Fee |\n| --- | --- |\n| Heron |  |\n\nDone.")
    assert tables == [[["Boat \\| raft", "Fee"], ["Heron", ""]]]
    assert text.split() == ["Fees", "Boat", "\\", "raft", "Fee", "Heron", "Done."]


def test_the_halves_differ_and_each_layout_is_in_both_languages():
    assert not set(SEEDS["tuning"]) & set(SEEDS["report"])
    documents = list(made(range(2)))
    assert {document.name.rpartition("-")[0] for document in documents} == {
        f"{layout}-{language}" for layout in LAYOUTS for language in ("en", "ko")
    }
    assert all(document.tables and document.words for document in documents)
    assert documents == list(made(range(2)))


def test_the_other_readers_are_pinned():
    assert all("==" in line for line in REQUIREMENTS.read_text().split())
