"""The GraphiQL page that browsers get at the address of the graph."""

from __future__ import annotations

from strawberry.http.ides import get_graphql_ide_html

PAGE = get_graphql_ide_html("graphiql")
"""Strawberry's page: it loads its scripts from a CDN, so it needs the internet."""
