"""Ingest measured: the whole way of a document beside the bare encoder and beside other frameworks; memory; loaders;
growth; an upload's memory; what a query waits for while documents are taken in.

    python -m bench.ingest peers   --home /var/tmp/bench
    python -m bench.ingest measure --home /var/tmp/bench --corpus en.jsonl,ko.jsonl --documents FOLDER

`peers` installs LangChain, LlamaIndex, Haystack and txtai in an environment of their own (bench/ingest/peers.txt).
`measure` wants the machine quiet. Each part's figures are kept in the home as soon as it is done, and the same command
goes on with the parts that are missing; those that `--parts` names are measured again. Tables go to stdout, progress to
stderr.
"""
