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


_IDLE: dict[str, list[str]] = {}
"""Of a template, the copies that are as they were made."""


@contextlib.asynccontextmanager
async def lent_database(server: str, template: str) -> AsyncGenerator[str]:
    """Give the URL of a copy, lent again if nothing was written to it: copying takes longer than most tests."""
    idle = _IDLE.setdefault(template, [])
    url = idle.pop() if idle else await make_database(server, template)
    try:
        yield url
    finally:
        if await _written(url) == await _written(template):
            idle.append(url)
        else:
            await _command(server, f"DROP DATABASE {_name(url)} WITH (FORCE)")


async def _written(url: str) -> list[Any]:
    """Tell states of a database apart: how many rows each table has, and which transaction wrote the last of them."""
    connection: Any = await cast("Any", asyncpg).connect(url)
    try:
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        counts = [f'SELECT count(*), max(xmin::text::bigint) FROM "{table[0]}"' for table in tables]
        return await connection.fetch(" UNION ALL ".join(counts))
    finally:
        await connection.close()


def _name(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")


async def _command(server: str, sql: str) -> None:
    connection: Any = await cast("Any", asyncpg).connect(server)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()
