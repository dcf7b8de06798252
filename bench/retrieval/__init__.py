"""Retrieval measured: latency, throughput, recall, memory; beside raw pgvector and raw FAISS in the same run.

    python -m bench.retrieval build   --home /var/tmp/bench --sizes 10000,100000,1000000
    python -m bench.retrieval measure --home /var/tmp/bench --sizes 10000,100000,1000000 --json results.json

`build` takes long (an hour and 12 GB for a million chunks in both layouts) and may share the machine; `measure` wants
it quiet, and can be run again and again. Above 200,000
chunks raw pgvector searches our index by itself, without the tenant, row-level security or a filter. Tables go to
stdout, progress to stderr. Set OMP_NUM_THREADS=1 for both.
"""
