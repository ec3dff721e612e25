"""Databases of a test's own on the PostgreSQL server of the session."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncGenerator
from typing import Any, cast
from urllib.parse import urlsplit, urlunsplit

import asyncpg


@contextlib.asynccontextmanager
async def fresh_database(server: str, template: str | None = None) -> AsyncGenerator[str]:
    """Give the URL of a database, gone afterwards: empty, or a copy of the one that `template` names by its URL."""
    url = await make_database(server, template)
    try:
        yield url
    finally:
        await _command(server, f"DROP DATABASE {_name(url)} WITH (FORCE)")


async def make_database(server: str, template: str | None = None) -> str:
    """Make a database and give its URL."""
    database = f"gateway_{uuid.uuid4().hex}"
    await _command(server, f"CREATE DATABASE {database}" + (f" TEMPLATE {_name(template)}" if template else ""))
    parts = urlsplit(server)
    return urlunsplit((parts.scheme, parts.netloc, f"/{database}", parts.query, ""))


def _name(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")


async def _command(server: str, sql: str) -> None:
    connection: Any = await cast("Any", asyncpg).connect(server)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()
