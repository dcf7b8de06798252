"""Answers measured: how often they hold the gold answer, cite the gold passage, and are refused where there is none.

    python -m bench.answer --home /var/tmp/bench --data ../shared/data
    python -m bench.answer --url http://127.0.0.1:8000 --key kyu_… --data ../shared/data

With `--home` it starts `python -m app up` there: without an engine for the way `none` (extractive answers), with the
packaged model for the ways `extract`, `mark` and `refuse`, which are values of `grounding`. With `--url` it asks a
service that runs already, with whatever model it has. `--data` holds `en` and `ko`, each with corpus.jsonl,
queries.jsonl ("text", "answers", "gold_doc_ids") and unanswerable.jsonl ("text", "kind"); the corpora go to one tenant.
Tables go to stdout, progress to stderr.
"""
