"""Notices: a change wakes those who wait for it, in this process and in others, and nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, cast

import asyncpg
import pytest

from gateway.model.ids import OwnerRef
from gateway.store import notices
from gateway.store.store import Store

from .game import ANN, BEN, TYPES

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PATIENCE = 5.0


@pytest.fixture
async def other(store: Store, store_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Store]:
    """Give the same store as another process has it."""
    monkeypatch.setattr(notices, "POLL", 0.02)
    other = await Store.open(store_url, types=TYPES)
    yield other
    await other.aclose()


async def change(store: Store, owner: OwnerRef = ANN, *, fails: bool = False) -> None:
    async with store.writing(owner) as writer:
        await writer.record(owner, "test", {}, at=NOW)
        if fails:
            raise ZeroDivisionError


async def woken(event: asyncio.Event) -> None:
    async with asyncio.timeout(PATIENCE):
        await event.wait()
    event.clear()


async def settled(store: Store, event: asyncio.Event) -> None:
    """Wait until the store hears others: at the latest then it looks for itself once."""
    await change(store)
    await woken(event)
    await asyncio.sleep(0.3)
    event.clear()


async def test_a_change_wakes_in_the_same_process(store: Store) -> None:
    async with store.listening(ANN) as mine, store.listening(ANN) as as_well, store.listening(BEN) as his:
        await asyncio.sleep(0.3)
        his.clear()
        await change(store)
        await woken(mine)
        await woken(as_well)
        assert not his.is_set()


async def test_a_change_of_another_process_wakes(store: Store, other: Store) -> None:
    async with store.listening(ANN) as mine, store.listening(BEN) as his:
        await settled(store, mine)
        his.clear()
        for _ in range(3):
            await change(other)
            await woken(mine)
        assert not his.is_set()


async def test_what_is_undone_wakes_nobody(store: Store, other: Store) -> None:
    async with store.listening(ANN) as mine:
        await settled(store, mine)
        for writing in (store, other):
            with pytest.raises(ZeroDivisionError):
                await change(writing, fails=True)
        await asyncio.sleep(0.2)
        assert not mine.is_set()


async def test_nothing_is_asked_while_nobody_listens(store: Store, other: Store) -> None:
    statements: list[str] = []
    async with store.listening(ANN) as mine:
        await settled(store, mine)
    store.on_statement = statements.append
    await asyncio.sleep(0.2)
    assert statements == []


@pytest.mark.parametrize("store_url", ["postgres"], indirect=True)
async def test_after_a_pause_in_which_nothing_was_heard_everybody_looks(
    store: Store, other: Store, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "_RETRY", 0.05)
    async with store.listening(ANN) as mine:
        await settled(store, mine)
        connection: Any = await cast("Any", asyncpg).connect(store_url)
        try:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND datname = current_database() AND query LIKE 'LISTEN%'"
            )
        finally:
            await connection.close()
        await change(other)
        await woken(mine)
        await asyncio.sleep(0.3)
        mine.clear()
        await change(other)
        await woken(mine)
