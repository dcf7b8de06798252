"""Other frameworks on the same documents: the same model, chunk size and number of threads, each as its users have it.

One script a framework, run in an environment of their own; what they share is in contender.py.
"""
