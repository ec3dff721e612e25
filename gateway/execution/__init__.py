"""How an operation runs: the guard, the cache of documents, and the plans that operations are compiled to."""
