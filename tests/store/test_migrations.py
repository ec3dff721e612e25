"""Migrations: they make what the tables say, once, however many start at once."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from gateway.store.engine import Database, StoreError
from gateway.store.migrations import check_revision, migrate
from gateway.store.tables import METADATA

_PROGRAM = """
import asyncio, sys
from gateway.store.store import Store

async def main():
    store = await Store.open(sys.argv[1])
    await store.migrate()
    await store.check()
    await store.aclose()

asyncio.run(main())
"""


def differences(connection: Connection) -> Any:
    return compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), METADATA)


async def test_migrations_make_the_tables(store_url: str) -> None:
    database = Database(store_url)
    await migrate(database)
    async with database.reading() as connection:
        assert await connection.run_sync(differences) == []
    await database.aclose()


async def test_migrating_again_changes_nothing(store_url: str) -> None:
    database = Database(store_url)
    await migrate(database)
    await migrate(database)
    await check_revision(database)
    await database.aclose()


async def test_processes_that_start_at_once_all_come_up(store_url: str) -> None:
    programs = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", _PROGRAM, store_url, stderr=asyncio.subprocess.PIPE)
        for _ in range(3)
    ]
    for program in programs:
        _, errors = await program.communicate()
        assert program.returncode == 0, errors.decode()


async def test_a_store_of_a_newer_gateway_is_left_alone(store_url: str) -> None:
    database = Database(store_url)
    await migrate(database)
    async with database.writing() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for refused in (migrate, check_revision):
        with pytest.raises(StoreError, match="newer"):
            await refused(database)
    await database.aclose()


async def test_a_migration_that_fails_leaves_nothing(store_url: str) -> None:
    database = Database(store_url)
    async with database.writing() as connection:
        await connection.execute(text("CREATE TABLE changes (wrong INTEGER)"))
    with pytest.raises(StoreError):
        await migrate(database)
    async with database.reading() as connection:
        context = await connection.run_sync(lambda inner: MigrationContext.configure(inner).get_current_revision())
        assert context is None
        assert await connection.run_sync(lambda inner: inner.dialect.get_table_names(inner)) == ["changes"]
    await database.aclose()
