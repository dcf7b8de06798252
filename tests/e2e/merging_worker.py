"""The worker, which merges postings all the time, however few there are, so that it is killed at it.

python -m tests.e2e.merging_worker
"""

from __future__ import annotations

import sys

import ingest.__main__ as command
from app.storage import posting_merges, posting_tables
from ingest import merging

if __name__ == "__main__":
    posting_merges.FEWEST_CHUNKS = 1
    posting_merges.SMALL_SEGMENTS = 2
    posting_tables.DELETED_KEPT_S = 0
    merging.EVERY_S = 0.05
    sys.exit(command.main(["worker"]))
