"""python -m app eval: measure how well a running service finds the documents that answer questions."""
