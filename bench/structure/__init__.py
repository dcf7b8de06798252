"""Counts the structure of `app` and `ingest` from their source alone: `python -m bench.structure [ROOT] [--json]`."""
