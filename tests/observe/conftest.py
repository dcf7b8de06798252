"""What the tests of workers begin with."""

from tests.ingest.conftest import nothing_queued

__all__ = ["nothing_queued"]
