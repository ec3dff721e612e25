"""Migrations: bring a database to the newest revision, and tell which one it is at."""

from __future__ import annotations

import functools
from importlib.resources import as_file, files

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text

from gateway.store.engine import Database, StoreError

_TOO_NEW = "was written by a newer gateway: install that one."

# Any number will do that nothing else at the same PostgreSQL database locks by.
_ADVISORY_LOCK = 0x676174657761


async def migrate(database: Database) -> None:
    """Bring the database to the newest revision, in one transaction and one process at a time.

    Raises StoreError where that cannot be, or where the database is newer than this program.
    """
    with database.opening():
        async with database.writing() as connection:
            if not database.is_sqlite:
                # Another process may take longer than a writer waits.
                await connection.execute(text("SET LOCAL lock_timeout = 0"))
                await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})
            if await connection.run_sync(_revision) == _revisions()[0]:
                return
            try:
                await connection.run_sync(_upgrade)
            except CommandError:
                raise StoreError(f"The store at {database.title} {_TOO_NEW}") from None


async def check_revision(database: Database) -> None:
    """Raise StoreError unless the database can be read and is at the newest revision."""
    with database.opening():
        async with database.reading() as connection:
            at = await connection.run_sync(_revision)
    head, known = _revisions()
    if at == head:
        return
    if at is None or at in known:
        raise StoreError(f"The store at {database.title} is not migrated: run `gateway migrate`.")
    raise StoreError(f"The store at {database.title} {_TOO_NEW}")


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _upgrade(connection: Connection) -> None:
    with as_file(files(__name__)) as folder:
        config = _config(str(folder))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


@functools.cache
def _revisions() -> tuple[str | None, frozenset[str]]:
    """Give the newest revision, and all that this program knows."""
    with as_file(files(__name__)) as folder:
        script = ScriptDirectory.from_config(_config(str(folder)))
        return script.get_current_head(), frozenset(revision.revision for revision in script.walk_revisions())


def _config(folder: str) -> Config:
    config = Config()
    config.set_main_option("script_location", folder.replace("%", "%%"))
    return config
