"""The nouns: what the graph is made of, and the seams that providers and backends implement. No I/O."""
