"""Imports: all or nothing, and later records win."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from gateway.model.errors import InvalidInput
from gateway.model.ids import FactRef, OwnerRef
from gateway.model.ports import Fact, Holdings, Record
from gateway.store.store import Store

from .game import ANN, BEN, GameAccount, bag, container_ref, definition, item, owner

ACCOUNT = GameAccount(world=1, created=datetime(2012, 8, 28, tzinfo=UTC), guilds=[])


async def stream(*records: Record) -> AsyncIterator[Record]:
    for record in records:
        yield record


async def test_an_import_is_counted_and_logged_for_each_owner(store: Store) -> None:
    counts = await store.import_records(
        "guildwars2",
        stream(
            owner(ANN),
            Holdings(container=bag("a"), children=[bag("b", parent_key="a")], items=[item("1"), item("2")]),
            Fact(ref=FactRef(*ANN, "account", ""), value=ACCOUNT),
            owner(BEN),
            *(definition(f"item:{number}") for number in range(2_500)),
            bag("a", BEN),
        ),
    )
    assert counts == {"owners": 2, "containers": 3, "items": 2, "facts": 1, "definitions": 2_500}
    assert len(await store.definition_keys("guildwars2", "item")) == 2_500
    (change,) = await store.changes_after(ANN, 0)
    assert (change.verb, change.body) == ("import", {"owners": 1, "containers": 2, "items": 2, "facts": 1})
    (change,) = await store.changes_after(OwnerRef("guildwars2", ""), 0)
    assert change.body == {"definitions": 2_500}
    assert await store.owner_refs("guildwars2") == [ANN, BEN]


async def test_a_container_alone_is_made_where_it_is_missing_and_left_where_it_stands(store: Store) -> None:
    holdings = Holdings(container=bag("a"), items=[item("1", container_key="a")])
    await store.import_records("guildwars2", [holdings, bag("a", name="other"), bag("b", name="new")])
    names = {
        ref.key: found.name for ref, found in (await store.containers([container_ref("a"), container_ref("b")])).items()
    }
    assert names == {"a": bag("a").name, "b": "new"}
    assert [one.key for one in await store.items_of(ANN)] == ["1"]


async def test_holdings_replace_what_came_before_them(store: Store) -> None:
    records = [bag("a"), bag("old", parent_key="a"), Holdings(container=bag("a"), children=[bag("b", parent_key="a")])]
    await store.import_records("guildwars2", records)
    await store.import_records("guildwars2", records)
    assert [one.key for one in await store.containers_of(ANN)] == ["a", "b"]


async def test_an_import_that_fails_leaves_nothing(store: Store) -> None:
    for wrong in (bag("a", OwnerRef("roblox", "1")), bag("a\0")):
        with pytest.raises(InvalidInput):
            await store.import_records("guildwars2", [owner(ANN), definition("item:1"), wrong])
    assert await store.owner_refs("guildwars2") == []
    assert await store.changes_after(ANN, 0) == []


async def test_a_record_twice_in_one_import_is_kept_as_it_came_last(store: Store) -> None:
    await store.import_records("guildwars2", [definition("item:1", level=1), definition("item:1", level=2)])
    (kept,) = (await store.definitions([definition("item:1").ref])).values()
    assert kept == definition("item:1", level=2)
