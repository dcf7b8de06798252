"""Understanding of questions, measured on shelves and questions of our own, without a language model.

    python -m bench.understanding --home /var/tmp/understanding
    python -m bench.understanding --url http://127.0.0.1:8000 --key kyu_… --kinds polite,numbers

`sets/` holds a file for each kind. One half of the questions is for choosing rules and thresholds (`tune`), the other
is reported: it has other documents, verbs and endings. In most kinds about a third of the questions has no answer on
the shelf. The service must have no other documents; the bench puts one shelf at a time there and removes it.
"""
