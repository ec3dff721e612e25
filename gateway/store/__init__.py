"""The local store: SQLite by default, PostgreSQL to scale, one set of statements for both."""
