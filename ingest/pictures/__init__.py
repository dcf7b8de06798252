"""Has a model describe the pictures in documents: a child takes them out of the file, the worker asks the model."""
