"""Writes: none is lost, none is half done."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from gateway.model.errors import Conflict, Internal
from gateway.model.ids import OwnerRef
from gateway.model.ports import Holdings
from gateway.model.scalars import BigInt
from gateway.store.store import Store

from .game import ANN, BEN, TYPES, bag, container_ref, item

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("stores", [1, 2])
async def test_no_update_is_lost(store_url: str, stores: int) -> None:
    opened = [await Store.open(store_url, TYPES) for _ in range(stores)]
    try:
        await opened[0].migrate()

        async def add(store: Store) -> None:
            async with store.writing(ANN) as writer:
                ref = item("1").ref
                held = (await writer.items([ref])).get(ref)
                await writer.put_items([item("1", quantity=BigInt(1 + (held.quantity if held else 0)))])
                await writer.record(ANN, "test", {}, at=NOW)

        await asyncio.gather(*(add(store) for store in opened for _ in range(40 // stores)))
        (kept,) = await opened[0].items_of(ANN)
        assert kept.quantity == 40
        assert [change.sequence for change in await opened[0].changes_after(ANN, 0)] == list(range(1, 41))
    finally:
        for store in opened:
            await store.aclose()


async def test_a_write_that_fails_is_undone(store: Store) -> None:
    async def write() -> None:
        async with store.writing(ANN) as writer:
            await writer.put_items([item("1")])
            raise FileNotFoundError("an error of the caller's own")

    with pytest.raises(FileNotFoundError):
        await write()
    assert await store.items_of(ANN) == []


async def test_nothing_is_written_without_the_lock(store: Store) -> None:
    async with store.writing(ANN) as writer:
        with pytest.raises(RuntimeError):
            await writer.put_items([item("1", BEN)])
        with pytest.raises(RuntimeError):
            await writer.delete_items([item("1", BEN).ref])
        with pytest.raises(RuntimeError):
            await writer.delete_containers([container_ref("1", BEN)])


async def test_a_transaction_id_is_recorded_once_for_each_owner(store: Store) -> None:
    async with store.writing(ANN, BEN) as writer:
        await writer.record(ANN, "moveItems", {"moved": ["1"]}, at=NOW, transaction_id="t", input_hash="h")
        await writer.record(BEN, "moveItems", {}, at=NOW, transaction_id="t", input_hash="h")
        await writer.record(ANN, "moveItems", {}, at=NOW, transaction_id=None)
        await writer.record(ANN, "moveItems", {}, at=NOW, transaction_id=None)
    change = await store.recorded(ANN, "t")
    assert change is not None
    assert (change.sequence, change.verb, change.input_hash, change.body) == (1, "moveItems", "h", {"moved": ["1"]})
    assert await store.recorded(ANN, "other") is None
    with pytest.raises(Internal):
        async with store.writing(ANN) as writer:
            await writer.record(ANN, "moveItems", {}, at=NOW, transaction_id="t")


async def test_holdings_replace_what_was_below(store: Store) -> None:
    def world() -> list[Holdings]:
        return [
            Holdings(
                container=bag("hero"),
                children=[bag("bag", parent_key="hero"), bag("pouch", parent_key="bag")],
                items=[
                    item("worn", container_key="hero"),
                    item("kept", container_key="bag"),
                    item("deep", container_key="pouch"),
                ],
            ),
            Holdings(container=bag("bank"), items=[item("gold", container_key="bank")]),
        ]

    async with store.writing(ANN, BEN) as writer:
        for holdings in world():
            await writer.replace(holdings)
        await writer.put_items([item("worn", BEN, container_key="hero")])
    async with store.writing(ANN) as writer:
        await writer.replace(Holdings(container=bag("hero", name="New"), items=[item("new", container_key="hero")]))
    assert [one.key for one in await store.items_of(ANN)] == ["gold", "new"]
    assert [(one.key, one.name) for one in await store.containers_of(ANN)] == [("bank", "bank"), ("hero", "New")]
    assert [one.key for one in await store.items_of(BEN)] == ["worn"]


async def test_containers_are_removed_with_all_below(store: Store) -> None:
    async with store.writing(ANN) as writer:
        await writer.put_containers([bag("a"), bag("b", parent_key="a"), bag("c")])
        await writer.put_items([item("1", container_key="b"), item("2", container_key="c"), item("3")])
        await writer.delete_containers([container_ref("a")])
        await writer.delete_items([item("3").ref])
    assert [one.key for one in await store.containers_of(ANN)] == ["c"]
    assert [one.key for one in await store.items_of(ANN)] == ["2"]


# SQLite has one lock, so that no two writers can wait for each other.
@pytest.mark.parametrize("store_url", ["postgres"], indirect=True)
async def test_writers_that_wait_for_each_other_are_told_to_try_again(store_url: str) -> None:
    store = await Store.open(store_url, TYPES)
    await store.migrate()
    both = asyncio.Barrier(2)

    async def write(first: OwnerRef, second: OwnerRef) -> None:
        async with store.writing(first) as writer:
            await both.wait()
            await writer.lock(second)

    async with store.writing(ANN, BEN):
        pass
    results = await asyncio.gather(write(ANN, BEN), write(BEN, ANN), return_exceptions=True)
    await store.aclose()
    (error,) = [result for result in results if result is not None]
    assert isinstance(error, Conflict)
    assert error.retryable
