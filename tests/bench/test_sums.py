from __future__ import annotations

from bench.sums import RESULTS, SUM, SUMS, growth_over_http, with_sums

PAGE = """
| chunks | index | dense ms | hybrid ms | lexical ms |
| --- | --- | --- | --- | --- |
| 10,000 | pgvector | 30 / 40 | 40 / 57 | 10 / 21 |
| 10,000 | faiss | 1 / 2 | 1 / 2 | 1 / 2 |
| 1,000,000 | pgvector | 60 / 90 | 100 / 90 | 12 / 90 |

<!-- sum: growth-over-http -->
It hardly grows.

The rest stays.
"""


def test_the_sums_of_the_results_are_those_of_its_tables():
    page = RESULTS.read_text()
    assert {found["name"] for found in SUM.finditer(page)} == SUMS.keys()
    assert with_sums(page) == page, "run: python -m bench.sums"


def test_a_sum_is_computed_from_the_table():
    said = growth_over_http(PAGE)
    assert "grows 2.0-fold, of a lexical one 1.2-fold and of a hybrid one 2.5-fold" in said
    assert with_sums(PAGE) == PAGE.replace("It hardly grows.", said)
