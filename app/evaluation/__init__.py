"""python -m app eval: how well a running service finds the documents that answer questions."""
