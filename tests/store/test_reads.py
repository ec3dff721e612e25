"""Reads: what was stored is found by its key, and nothing else."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from gateway.model.errors import Internal
from gateway.model.ids import ContainerRef, DefinitionRef, FactRef, ItemRef, OwnerRef
from gateway.model.ports import Fact, Holdings
from gateway.store.engine import Database
from gateway.store.store import Store

from .game import ANN, BEN, TYPES, GameAccount, bag, container_ref, definition, item, owner

ACCOUNT = GameAccount(world=1, created=datetime(2012, 8, 28, tzinfo=UTC), guilds=["x"])


@pytest.fixture
async def world(store: Store) -> Store:
    """Give a store with a little of everything."""
    records = [
        owner(ANN, "Ann"),
        owner(BEN, None),
        Fact(ref=FactRef(*ANN, "account", ""), value=ACCOUNT),
        Fact(ref=FactRef(*ANN, "pvp", "1"), value=ACCOUNT),
        definition("item:7", name="Big Bag", level=3),
        definition("item:65"),
        definition("item:123456789"),
        definition("skin:1"),
        definition("loose"),
        bag("named", definition_key="item:7"),
        bag("", name="", sort="a", definition_key="item:7"),
        bag("unnamed", name="", definition_key="item:404", kind=bag("x").kind),
    ]
    await store.import_records("guildwars2", records)
    return store


async def test_owners_come_with_their_names(world: Store) -> None:
    found = await world.owners([ANN, BEN, OwnerRef("guildwars2", "Cid")])
    assert {ref: one.name for ref, one in found.items()} == {ANN: "Ann", BEN: None}
    assert await world.owner_refs("guildwars2") == [ANN, BEN]
    assert await world.owner_refs("roblox") == []


async def test_a_name_once_told_is_kept_until_another_is(world: Store) -> None:
    await world.import_records("guildwars2", [owner(ANN, None)])
    assert (await world.owners([ANN]))[ANN].name == "Ann"
    await world.import_records("guildwars2", [owner(ANN, "Anna")])
    assert (await world.owners([ANN]))[ANN].name == "Anna"


async def test_facts_are_found_by_kind_and_key(world: Store) -> None:
    refs = [FactRef(*ANN, "account", ""), FactRef(*ANN, "pvp", "2"), FactRef(*BEN, "account", "")]
    assert await world.facts(refs) == {refs[0]: ACCOUNT}
    assert [fact.ref.kind for fact in await world.facts_of(ANN)] == ["account", "pvp"]
    assert await world.facts_of(BEN) == []


async def test_a_container_without_a_name_shows_its_definitions_or_its_key(world: Store) -> None:
    found = await world.containers([container_ref(key) for key in ("named", "", "unnamed", "absent")])
    assert {ref.key: one.name for ref, one in found.items()} == {
        "named": "named",
        "": "Big Bag",
        "unnamed": "unnamed",
    }


async def test_definitions_are_listed_by_family_in_the_order_of_their_numbers(world: Store) -> None:
    assert await world.definition_keys("guildwars2", "item") == ["item:7", "item:65", "item:123456789"]
    assert await world.definition_keys("guildwars2", "skin") == ["skin:1"]
    assert await world.definition_keys("guildwars2", "") == ["loose"]
    assert await world.definition_keys("roblox", "item") == []
    ref = DefinitionRef("guildwars2", "item:7")
    assert await world.definitions([ref, DefinitionRef("guildwars2", "item:8")]) == {
        ref: definition("item:7", name="Big Bag", level=3)
    }


async def test_keys_that_no_store_can_hold_are_not_found(world: Store) -> None:
    for bad in ("a\0b", "\ud800"):
        assert await world.items([ItemRef(*ANN, bad)]) == {}
        assert await world.containers([ContainerRef("guildwars2", bad, "named")]) == {}
        assert await world.definitions([DefinitionRef("guildwars2", bad)]) == {}
        assert await world.owners([OwnerRef("guildwars2", bad)]) == {}
        assert await world.recorded(ANN, bad) is None
        assert await world.definition_keys("guildwars2", bad) == []


async def test_a_batch_past_the_drivers_limit_of_parameters_is_one_statement(world: Store) -> None:
    statements: list[str] = []
    world.on_statement = statements.append
    refs = [DefinitionRef("guildwars2", f"item:{number}") for number in range(40_000)]
    assert len(await world.definitions(refs)) == 2
    assert len(statements) == 1


async def test_an_owner_is_exported_whole(world: Store) -> None:
    async with world.writing(ANN) as writer:
        await writer.put_items([item("2"), item("1", container_key="named")])
    owned = await world.owned(ANN)
    assert owned is not None
    assert owned.owner.name == "Ann"
    assert [one.key for one in owned.items] == ["1", "2"]
    assert [one.key for one in owned.containers] == ["", "named", "unnamed"]
    assert [fact.value for fact in owned.facts] == [ACCOUNT, ACCOUNT]
    assert await world.owned(OwnerRef("guildwars2", "Cid")) is None


async def test_contents_are_what_lies_in_a_container_and_in_its_children(world: Store) -> None:
    async with world.writing(ANN, BEN) as writer:
        await writer.put_containers([bag("below", parent_key="named"), bag("deep", parent_key="below")])
        await writer.put_containers([bag("named", BEN), bag("below", BEN, parent_key="named")])
        await writer.put_items([item("2", container_key="below"), item("1", container_key="below")])
        await writer.put_items([item("3", container_key="named"), item("4", container_key="deep")])
        await writer.put_items([item("1", BEN, container_key="below"), item("5")])
    refs = [container_ref("named"), container_ref("below"), container_ref("absent"), container_ref("named", BEN)]
    found = await world.contents([*refs, *refs])
    assert {
        ref: (inside.container.ref, [one.key for one in inside.children], [one.key for one in inside.items])
        for ref, inside in found.items()
    } == {
        refs[0]: (refs[0], ["below"], ["3", "1", "2"]),
        refs[1]: (refs[1], ["deep"], ["1", "2", "4"]),
        refs[3]: (refs[3], ["below"], ["1"]),
    }
    # What two of them share is one object, whichever is asked first.
    assert found[refs[0]].children[0] is found[refs[1]].container
    assert found[refs[0]].items[1] is found[refs[1]].items[0]
    assert all(one.owner == BEN for one in found[refs[3]].items)


async def test_contents_of_one_container_are_two_statements_however_much_lies_in_it(world: Store) -> None:
    async with world.writing(ANN) as writer:
        await writer.put_items([item(f"{number:05}", container_key="named") for number in range(20_000)])
    statements: list[str] = []
    world.on_statement = statements.append
    inside = (await world.contents([container_ref("named")]))[container_ref("named")]
    assert [one.key for one in inside.items] == [f"{number:05}" for number in range(20_000)]
    assert len(statements) == 2


async def test_contents_are_read_as_of_one_moment(store: Store, store_url: str) -> None:
    """A writer swaps the bag's content, all of one kind; a reader never sees two kinds, or another bag's number."""
    other = await Store.open(store_url, TYPES)

    async def swap() -> None:
        for turn in range(40):
            name = f"turn {turn % 2}"
            held = [item(f"{turn % 2}-{number}", container_key="a") for number in range(5 + 5 * (turn % 2))]
            async with other.writing(ANN) as writer:
                await writer.replace(Holdings(container=bag("a", name=name), items=[*held]))

    writing = asyncio.ensure_future(swap())
    seen = 0
    while not writing.done():
        for inside in (await store.contents([container_ref("a")])).values():
            seen += 1
            kind = inside.container.name[-1]
            assert {one.key[0] for one in inside.items} == {kind}
            assert len(inside.items) == 5 + 5 * int(kind)
    await writing
    await other.aclose()
    assert seen


async def test_a_definition_that_cannot_be_read_fails_alone(store: Store, store_url: str) -> None:
    keys = ["item:1", "item:2"]
    await store.import_records("guildwars2", [definition(key) for key in keys])
    database = Database(store_url)
    async with database.writing() as connection:
        await connection.exec_driver_sql("UPDATE definitions SET details = 'broken' WHERE key = 'item:1'")
    await database.aclose()
    found = await store.definitions([DefinitionRef("guildwars2", key) for key in keys])
    broken, good = (found[DefinitionRef("guildwars2", key)] for key in keys)
    assert isinstance(broken, Internal)
    assert not isinstance(good, Internal)
