"""The benchmark: what an answer costs here, beside the same answer written by hand."""
