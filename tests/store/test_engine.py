"""The engine: URLs, what goes wrong, and what is told of it."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy import delete

from gateway.model.errors import Conflict, Internal
from gateway.model.ids import OwnerRef
from gateway.store import engine
from gateway.store.store import Store, StoreError
from gateway.store.tables import ITEMS

from .game import ANN, TYPES, item, owner


@pytest.mark.parametrize(
    "url",
    [
        "mysql://root:hunter2@localhost/x",
        "sqlite:///nowhere/at/all/store.db",
        "sqlite://store.db",
        "hunter2",
        "postgresql://ann:hunter2@127.0.0.1:1/inventory",
        "postgresql://ann:hunter2@127.0.0.1:99999/inventory",
        "postgresql://ann:hunter2@127.0.0.1:1/inventory?wrong=1",
        "postgresql://ann:hunter2@127.0.0.1:1/inventory?sslmode=disable",
    ],
)
async def test_a_store_that_cannot_be_reached_says_so_without_its_password(url: str) -> None:
    with pytest.raises(StoreError) as caught:
        await Store.open(url)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "store.db"
    file.write_text("what a pity\n" * 1000)
    with pytest.raises(StoreError, match="not a database"):
        await Store.open(f"sqlite:///{file}")


async def test_a_store_not_migrated_is_not_ready(store_url: str) -> None:
    store = await Store.open(store_url)
    try:
        with pytest.raises(StoreError, match="gateway migrate"):
            await store.check()
        await store.migrate()
        await store.check()
    finally:
        await store.aclose()


async def test_a_relative_file_is_made_where_the_program_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = await Store.open("sqlite:///here.db")
    await store.aclose()
    assert (tmp_path / "here.db").exists()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
async def test_a_store_without_a_file_is_gone_when_closed(url: str) -> None:
    store = await Store.open(url, TYPES)
    await store.migrate()
    async with store.writing(ANN) as writer:
        await writer.put_owner(owner())
    assert await store.owner_refs("guildwars2") == [ANN]
    await store.aclose()
    again = await Store.open(url, TYPES)
    with pytest.raises(StoreError):
        await again.check()
    await again.aclose()


async def test_sqlite_runs_as_it_should(tmp_path: Path) -> None:
    database = engine.Database(f"sqlite:///{tmp_path}/store.db")
    expected = {"journal_mode": "wal", "foreign_keys": 1, "busy_timeout": 10_000, "synchronous": 1}
    async with database.reading() as connection:
        for name, value in expected.items():
            assert (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar() == value
    await database.aclose()


async def test_an_error_of_the_database_shows_no_statement(store: Store) -> None:
    async with store._database.writing() as connection:  # pyright: ignore[reportPrivateUsage]  -- to break it
        await connection.exec_driver_sql("DROP TABLE items")
    with pytest.raises(Internal) as caught:
        await store.items([item("1").ref])
    assert caught.value.message == "The store failed."


async def test_statements_are_counted_and_transactions_are_not(store: Store) -> None:
    statements: list[str] = []
    store.on_statement = statements.append
    await store.owned(ANN)
    assert len(statements) == 1
    await store.items([item("1").ref])
    assert len(statements) == 2


async def test_reads_that_are_given_up_leave_their_connections(store: Store) -> None:
    async with store.writing(ANN) as writer:
        await writer.put_items([item(str(number)) for number in range(2_000)])
    for _ in range(3):
        reads = [asyncio.create_task(store.items_of(ANN)) for _ in range(25)]
        await asyncio.sleep(0.002)
        for read in reads:
            read.cancel()
        await asyncio.gather(*reads, return_exceptions=True)
    async with asyncio.timeout(10):
        assert len(await store.items_of(ANN)) == 2_000


async def test_more_reads_at_once_than_there_are_connections_all_come_back(store: Store) -> None:
    async with store.writing(ANN) as writer:
        await writer.put_items([item("1")])
    found = await asyncio.gather(*(store.items([item("1").ref]) for _ in range(60)))
    assert all(len(one) == 1 for one in found)


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
async def test_what_reads_cannot_write(store: Store) -> None:
    async with store.writing(ANN) as writer:
        await writer.put_items([item("1")])
    with pytest.raises(Internal):
        await store._database.rows(delete(ITEMS), {})  # pyright: ignore[reportPrivateUsage]  -- no read does so
    assert len(await store.items_of(ANN)) == 1


async def test_a_writer_that_waits_too_long_is_told_to_try_again(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "LOCK_WAIT", 0.2)
    store, other = await Store.open(store_url, TYPES), await Store.open(store_url, TYPES)
    try:
        await store.migrate()
        async with store.writing(ANN):
            for waiting in (store, other):
                with pytest.raises(Conflict) as caught:
                    async with waiting.writing(ANN):
                        pytest.fail("two writers hold one lock")
                assert caught.value.retryable
    finally:
        await store.aclose()
        await other.aclose()


async def test_a_writer_that_is_cancelled_leaves_the_lock(store: Store) -> None:
    async def write() -> None:
        async with store.writing(ANN) as writer:
            await writer.put_items([item("1")])
            await asyncio.sleep(60)

    for delay in (0.0, 0.002, 0.05):
        task = asyncio.create_task(write())
        await asyncio.sleep(delay)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(5), store.writing(ANN) as writer:
            assert await writer.items_of(ANN) == []


@pytest.mark.parametrize("store_url", ["postgres"], indirect=True)
async def test_a_server_that_was_started_anew_is_reached_again(store: Store, store_url: str) -> None:
    assert await store.owner_refs("guildwars2") == []
    other = engine.Database(store_url)
    async with other.reading() as connection:
        end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        here = "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        assert (await connection.exec_driver_sql(f"{end} {here}")).scalar()
    await other.aclose()
    assert await store.owner_refs("guildwars2") == []


async def test_a_lock_that_another_process_holds_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "store.db"
    store = await Store.open(f"sqlite:///{file}", TYPES)
    await store.migrate()
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    async def write() -> None:
        async with store.writing(ANN) as writer:
            await writer.put_owner(owner())

    task = asyncio.create_task(write())
    await asyncio.sleep(0.1)
    assert not task.done()
    # Reads do not wait for writers.
    assert await store.owner_refs("guildwars2") == []
    other.execute("COMMIT")
    other.close()
    await task
    await store.aclose()


async def test_one_who_leaves_while_a_connection_is_made_leaves_nothing_open(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    store = await Store.open(url)
    await store.migrate()
    await store.aclose()

    async def write(store: Store) -> None:
        async with store.writing(OwnerRef("roblox", "1")):
            pass

    before = threading.active_count()
    for turns in range(25):
        store = Store(url)
        task = asyncio.create_task(write(store))
        for _ in range(turns):
            await asyncio.sleep(0.0002)
        task.cancel()
        # And once more, as where a limit of time ends in the same moment.
        await asyncio.sleep(0.0002)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await store.aclose()
    gc.collect()
    assert threading.active_count() <= before
