"""The engine: a URL becomes connections to SQLite or PostgreSQL, and what their drivers raise becomes ours."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeAlias, cast

import asyncpg
from sqlalchemy import URL, Connection, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.sql import Executable

from gateway.model.errors import Conflict, GatewayError, Internal

LOCK_WAIT = 10.0
"""Seconds that a writer waits for another."""

_SWITCH_WAIT = 0.02
_READERS = 5
_NOT_COUNTED = ("BEGIN", "COMMIT", "ROLLBACK", "PRAGMA")

_LOCKED = "55P03"
_DEADLOCK = "40P01"
_SERIALIZATION = "40001"

_DRIVER_ERRORS = (SQLAlchemyError, sqlite3.Error, asyncpg.PostgresError, asyncpg.InterfaceError, OSError)


Query: TypeAlias = tuple[Executable, Mapping[str, Any]]
"""A statement that reads, and its parameters."""

Rows: TypeAlias = Sequence[Sequence[Any]]
"""What a statement gave, each row with its columns in order."""


class StoreError(Exception):
    """The store cannot be opened, or is not as it must be; the message names no password and no statement."""


class Database:
    """The connections to one database; SQLite's file is made where there is none, `sqlite://` is gone when closed.

    One statement alone runs without a transaction; `reading` and `writing` open one. `on_statement` is called with the
    text of every statement, transaction control left out.
    """

    def __init__(self, url: str) -> None:
        parsed = _parsed(url)
        self.title = _title(parsed)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        self.on_statement: Callable[[str], None] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        # In one process writers stand in line here: SQLite's own waiting is blind, and holds a thread and a connection.
        self._writers = asyncio.Lock()
        if self.is_sqlite:
            if parsed.database in (None, "", ":memory:"):
                self._folder = tempfile.TemporaryDirectory(prefix="gateway-store-")
                parsed = parsed.set(database=str(Path(self._folder.name) / "store.db"))
            self.engine = _sqlite_engine(parsed)
            self._alone = self.engine
            self._snapshot = self.engine.execution_options(gateway_begin="BEGIN")
            self._write = self.engine.execution_options(gateway_begin="BEGIN IMMEDIATE")
        else:
            self.engine = _postgres_engine(parsed)
            self._alone = self.engine.execution_options(isolation_level="AUTOCOMMIT")
            self._snapshot = self.engine.execution_options(isolation_level="REPEATABLE READ")
            self._write = self.engine
        event.listen(self.engine.sync_engine, "before_cursor_execute", self._count)
        self._readers = _Readers(parsed, self._count) if self.is_sqlite else None

    async def rows(self, statement: Executable, values: Mapping[str, Any]) -> Rows:
        """Run one statement that reads, and give its rows."""
        (rows,) = await self.together([(statement, values)])
        return rows

    async def together(self, queries: Sequence[Query]) -> list[Rows]:
        """Run statements that read, as of one moment, and give the rows of each."""
        with translated():
            if self._readers is not None:
                return await self._readers.run(queries)
            try:
                return await self._together(queries)
            except DBAPIError as error:
                # A server that was started anew has closed the connections of the pool; nothing was written yet.
                if not error.connection_invalidated:
                    raise
                return await self._together(queries)

    async def _together(self, queries: Sequence[Query]) -> list[Rows]:
        async with AsyncExitStack() as stack:
            connection = await self._opened(stack, self._alone if len(queries) == 1 else self._snapshot)
            return await run(connection, queries)

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[AsyncConnection]:
        """Open a transaction in which all statements see one state."""
        with translated():
            async with AsyncExitStack() as stack:
                connection = await self._opened(stack, self._snapshot)
                await stack.enter_async_context(connection.begin())
                yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncGenerator[AsyncConnection]:
        """Open a transaction that writes; it is committed at the end, and undone by any exception."""
        with translated():
            async with AsyncExitStack() as stack:
                if self.is_sqlite:
                    await self._turn(stack)
                connection = await self._opened(stack, self._write)
                await stack.enter_async_context(connection.begin())
                yield connection

    async def _opened(self, stack: AsyncExitStack, engine: AsyncEngine) -> AsyncConnection:
        try:
            if not self.is_sqlite:
                return await stack.enter_async_context(engine.connect())
            connection = engine.connect()
            # Of a connection that is broken off while it is made, aiosqlite leaves a thread and a file open.
            starting = asyncio.ensure_future(connection.start())
            stopped: asyncio.CancelledError | None = None
            while not starting.done():
                try:
                    await asyncio.wait({starting})
                except asyncio.CancelledError as error:
                    stopped = error
            starting.result()
            stack.push_async_exit(connection)
            if stopped is not None:
                raise stopped
            return connection
        except DBAPIError:
            raise
        except _DRIVER_ERRORS as error:
            # Only here: within a transaction an OSError is of the caller's own doing.
            raise Internal("The store cannot be reached.", retryable=True) from error

    async def _turn(self, stack: AsyncExitStack) -> None:
        try:
            async with asyncio.timeout(LOCK_WAIT):
                await stack.enter_async_context(self._writers)
        except TimeoutError:
            raise _busy() from None

    async def analyze(self) -> None:
        """Let the database count anew what its plans go by."""
        with translated():
            async with AsyncExitStack() as stack:
                connection = await self._opened(stack, self._alone)
                await connection.exec_driver_sql("ANALYZE")

    async def connect(self) -> None:
        """Reach the database, or raise StoreError."""
        with self.opening():
            file = self.engine.url.database
            if self.is_sqlite and file:
                # aiosqlite 0.22 leaves a thread behind, which fails later, where the file cannot be opened.
                await asyncio.to_thread(_touch, file)
            async with self._alone.connect() as connection:
                await connection.exec_driver_sql("SELECT 1")

    @contextmanager
    def opening(self) -> Generator[None]:
        """Turn what a driver raises while the store is opened into StoreError."""
        try:
            yield
        except (*_DRIVER_ERRORS, ArithmeticError, TypeError, ValueError) as error:
            raise StoreError(f"The store at {self.title} cannot be used: {self._reason(error)}") from None
        except GatewayError as error:
            reason = error.message if error.__cause__ is None else self._reason(error.__cause__)
            raise StoreError(f"The store at {self.title} cannot be used: {reason}") from None

    async def aclose(self) -> None:
        """Close all connections; a database of tests' is removed."""
        if self._readers is not None:
            await self._readers.aclose()
        await self.engine.dispose()
        if self._folder is not None:
            self._folder.cleanup()

    def _reason(self, error: BaseException) -> str:
        told = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
        reason = next(iter(str(told).splitlines()), "") or type(told).__name__
        # asyncpg's errors come wrapped as `<class '...'>: text`.
        reason = reason.partition(">: ")[2] if reason.startswith("<class ") else reason
        password = self.engine.url.password
        return reason.replace(password, "***") if password else reason

    def _count(self, _connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if self.on_statement is not None and not statement.startswith(_NOT_COUNTED):
            self.on_statement(statement)


async def run(connection: AsyncConnection, queries: Sequence[Query]) -> list[Rows]:
    """Run statements over a connection, in its transaction if it has one, and give the rows of each."""
    return [(await connection.execute(statement, values)).all() for statement, values in queries]


class _Readers:
    """Threads that read from SQLite: a whole read is one errand, where the asynchronous driver makes ten of it.

    Rows come as the driver makes them: a column of a type that SQLite does not have (Boolean, DateTime) would have to
    be converted.
    """

    def __init__(self, url: URL, count: Callable[..., None]) -> None:
        engine = create_engine(url.set(drivername="sqlite"), hide_parameters=True, pool_size=_READERS, max_overflow=0)
        event.listen(engine, "connect", _prepare_reader)
        event.listen(engine, "begin", _begin_sqlite)
        event.listen(engine, "before_cursor_execute", count)
        self._engine = engine
        self._snapshot = engine.execution_options(gateway_begin="BEGIN")
        self._threads = ThreadPoolExecutor(_READERS, thread_name_prefix="gateway-store")

    async def run(self, queries: Sequence[Query]) -> list[Rows]:
        """Run statements as of one moment, and give the rows of each."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._run, queries)

    def _run(self, queries: Sequence[Query]) -> list[Rows]:
        with (self._engine if len(queries) == 1 else self._snapshot).connect() as connection:
            # Past SQLAlchemy's own rows: they cost a fifth more, and have nothing to convert.
            return [cast("Any", connection.execute(*query)).cursor.fetchall() for query in queries]

    async def aclose(self) -> None:
        """Wait for the reads under way, and close the connections."""
        await asyncio.to_thread(self._threads.shutdown)
        self._engine.dispose()


@contextmanager
def translated() -> Generator[None]:
    """Turn what a driver raises while the store is in use into GatewayErrors, none of which shows a statement."""
    try:
        yield
    except DBAPIError as error:
        raise _translated(error) from error
    except SQLAlchemyError as error:
        raise Internal("The store failed.") from error


def _translated(error: DBAPIError) -> GatewayError:
    state = getattr(error.orig, "sqlstate", None)
    if state == _LOCKED or "database is locked" in str(error.orig):
        return _busy()
    if state in (_DEADLOCK, _SERIALIZATION):
        return Conflict("Another write was in the way; nothing was written.", retryable=True)
    if error.connection_invalidated:
        return Internal("The connection to the store was lost.", retryable=True)
    return Internal("The store failed.")


def _busy() -> Conflict:
    return Conflict("Another write is still under way; nothing was written.", retryable=True)


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise StoreError("The store's URL is none; it is `sqlite:///FILE` or `postgresql://...`.") from None
    if parsed.drivername == "sqlite":
        if parsed.host or parsed.query:
            raise StoreError("A SQLite store is `sqlite:///FILE`: three slashes, and nothing behind the file.")
        return parsed.set(drivername="sqlite+aiosqlite")
    if parsed.drivername == "postgresql":
        # libpq's name for what asyncpg calls `ssl`.
        mode = parsed.query.get("sslmode")
        if mode is not None:
            parsed = parsed.difference_update_query(["sslmode"]).update_query_dict({"ssl": mode})
        return parsed.set(drivername="postgresql+asyncpg")
    raise StoreError(f"`{parsed.drivername}` is no store; it is `sqlite:///FILE` or `postgresql://...`.")


def _title(url: URL) -> str:
    """Name a database for people, without its password or parameters."""
    if url.get_backend_name() == "sqlite":
        return url.database or "memory"
    return f"{url.host or url.query.get('host', 'localhost')}/{url.database or ''}"


def _postgres_engine(url: URL) -> AsyncEngine:
    # JIT compiles a page's statement for longer than the page takes.
    settings = {"lock_timeout": str(int(LOCK_WAIT * 1000)), "jit": "off", "application_name": "gateway"}
    return create_async_engine(
        url,
        hide_parameters=True,
        pool_size=10,
        max_overflow=10,
        connect_args={"server_settings": settings, "timeout": LOCK_WAIT},
    )


def _sqlite_engine(url: URL) -> AsyncEngine:
    engine = create_async_engine(url, hide_parameters=True, pool_size=5, max_overflow=5)
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _prepare_reader(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None
    connection.execute(f"PRAGMA busy_timeout = {int(LOCK_WAIT * 1000)}")
    connection.execute("PRAGMA query_only = ON")


def _touch(file: str) -> None:
    sqlite3.connect(file).close()


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver shall begin no transaction by itself: we do, in `_begin_sqlite`.
    connection.isolation_level = None
    connection.run_async(_set_pragmas)


async def _set_pragmas(connection: Any) -> None:
    async def pragma(text: str) -> Any:
        cursor = await connection.execute(f"PRAGMA {text}")
        row = await cursor.fetchone()
        await cursor.close()
        return row and row[0]

    await pragma(f"busy_timeout = {int(LOCK_WAIT * 1000)}")
    await pragma("foreign_keys = ON")
    await pragma("synchronous = NORMAL")
    deadline = asyncio.get_running_loop().time() + LOCK_WAIT
    while await pragma("journal_mode") != "wal":
        # The switch, once in a file's life, does not wait for others by itself.
        try:
            await pragma("journal_mode = WAL")
        except sqlite3.OperationalError:
            if asyncio.get_running_loop().time() > deadline:
                raise
            await asyncio.sleep(_SWITCH_WAIT)


def _begin_sqlite(connection: Connection) -> None:
    begin = connection.get_execution_options().get("gateway_begin")
    if begin is not None:
        connection.exec_driver_sql(begin)
