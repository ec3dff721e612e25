"""Lists: pages cover everything once, in every order and filter, and no statement scans a table."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, event

from gateway.model.arguments import (
    BothWaysArguments,
    CollectibleArguments,
    ContainerArguments,
    ContainerKind,
    DescendantArguments,
    ItemArguments,
    ItemFilter,
    ItemOrder,
    NumberedArguments,
    PageArguments,
    TotalArguments,
    fold,
)
from gateway.model.collectible import Collectible
from gateway.model.ids import DefinitionRef, ItemRef, OwnerRef, OwnershipRef
from gateway.model.item import Item
from gateway.model.paging import NATURAL, Part, Position, encode_cursor, part_of
from gateway.model.positions import position_of
from gateway.model.relations import Asked
from gateway.model.scalars import big
from gateway.store.store import Store

from .game import ANN, BEN, PROVIDER, TYPES, GameDefinition, GameItem, bag, container_ref, definition, item, owner

DEFINITIONS = [
    definition("item:1", kind="Weapon", name="Sword of STRASSE", rarity="Rare"),
    definition("item:2", kind="Armor", name="straße", rarity="Basic"),
    definition("item:30", kind="Weapon", name=None, rarity=None),
    definition("item:4", kind=None, name="Ünder 😀"),
]
CATALOGUE = {one.key: one for one in DEFINITIONS}


def holdings(owner: OwnerRef) -> list[GameItem]:
    """Make 60 items in three bags, with ties in every order."""
    chance = random.Random(owner.owner)
    made: list[GameItem] = []
    for number in range(60):
        collectible = Collectible(serial_number=chance.choice([None, big(1), big(2), big(2**53)]))
        made.append(
            item(
                f"i{number}",
                owner,
                sort=f"{chance.choice('abcé😀')}{number:03}",
                container_key=chance.choice(["bag-1", "bag-2", "bag-3", None]),
                name=chance.choice([None, None, "Zed", "zed", "Étoile", "Straße 5"]),
                kind=chance.choice([None, None, "Weapon", "Toy"]),
                definition_key=chance.choice([None, "item:1", "item:2", "item:30", "item:4", "item:unknown"]),
                quantity=big(chance.choice([0, 1, 1, 250, 2**40])),
                acquired_at=chance.choice([None, datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=UTC)])
                or chance.choice([None, datetime(1969, 1, 1, tzinfo=UTC) + timedelta(days=number)]),
                collectible=chance.choice([None, collectible]),
            )
        )
    return made


ITEMS = {ref: holdings(ref) for ref in (ANN, BEN)}


def of_definition(one: Item) -> GameDefinition | None:
    return CATALOGUE.get(one.definition_key or "")


def name_of(one: Item) -> str | None:
    found = of_definition(one)
    name = one.name if one.name is not None else found and found.name
    return None if name is None else fold(name)


def passes(wanted: ItemFilter, one: Item) -> bool:
    found = of_definition(one)
    kind = one.kind if one.kind is not None else found and found.kind
    return (
        one.quantity >= wanted.least
        and (wanted.kinds is None or kind in wanted.kinds)
        and (wanted.rarities is None or (found is not None and found.rarity in wanted.rarities))
        and (wanted.is_collectible is None or wanted.is_collectible == (one.collectible is not None))
        and (wanted.definition_keys is None or one.definition_key in wanted.definition_keys)
        and (wanted.shelves is None or one.container_key in wanted.shelves)
        and (wanted.folded is None or wanted.folded in (name_of(one) or ""))
    )


def placed(order: ItemOrder) -> Callable[[Item], Position]:
    return lambda one: position_of(one, order, name_of(one))


def shown(part: Part[Any]) -> tuple[Any, ...]:
    return part.entries, part.has_next, part.has_previous


@pytest.fixture
async def world(store: Store) -> Store:
    """Give a store with two owners, their items and a catalogue."""
    await store.import_records(PROVIDER.value, [*DEFINITIONS, owner(ANN), owner(BEN, "Ben")])
    async with store.writing(ANN, BEN) as writer:
        for ref, items in ITEMS.items():
            await writer.put_containers([bag(f"bag-{number}", ref) for number in range(1, 4)])
            await writer.put_items(items)
    return store


filters = st.builds(
    ItemFilter,
    kinds=st.none() | st.lists(st.sampled_from(["Weapon", "Toy", "Armor", "no\0ne"]), max_size=2),
    rarities=st.none() | st.just(["Rare", "Basic"]),
    is_collectible=st.none() | st.booleans(),
    definition_keys=st.none() | st.just(["item:1", "item:30"]),
    min_quantity=st.none() | st.sampled_from([0, 1, 2]),
    text=st.none() | st.sampled_from(["STRASSE", "zed", "é", "%", "😀", "a\0"]),
    shelves=st.none() | st.sampled_from([(), ("bag-1", "bag-3"), ("none",)]),
)


@settings(
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None
)
@given(
    wanted=st.none() | filters,
    order=st.sampled_from(ItemOrder),
    size=st.sampled_from([1, 7, 25, 250]),
    backwards=st.booleans(),
    within=st.none() | st.sampled_from(["bag-1", "bag-2", "none"]),
)
async def test_pages_cover_everything_once(
    world: Store, wanted: ItemFilter | None, order: ItemOrder, size: int, backwards: bool, within: str | None
) -> None:
    refs = [ANN, BEN, OwnerRef("guildwars2", "nobody"), OwnerRef("guildwars2", "no\0body")]
    expected = {
        ref: [
            one
            for one in ITEMS.get(ref, [])
            if passes(wanted or ItemFilter(), one) and (within is None or one.container_key == within)
        ]
        for ref in refs
    }

    def asking(ref: OwnerRef, cursor: str | None) -> Asked:
        asked_of = ref if within is None else container_ref(within, ref)
        if within is not None:
            arguments: Any = ItemArguments(filter=wanted, order_by=order, first=size, after=cursor)
        elif backwards:
            arguments = BothWaysArguments(filter=wanted, order_by=order, first=None, last=size, before=cursor)
        else:
            arguments = BothWaysArguments(filter=wanted, order_by=order, first=size, after=cursor)
        return Asked(ref.provider, asked_of, arguments)

    firsts = await world.item_lists([asking(ref, None) for ref in refs])
    for ref in refs:
        asked = asking(ref, None)
        part = firsts[asked]
        covered: list[Item] = []
        while True:
            assert shown(part) == shown(part_of(expected[ref], asked.arguments.window, position=placed(order)))
            page = [one for _, one in part.entries]
            backward = asked.arguments.window.backwards
            covered = [*page, *covered] if backward else [*covered, *page]
            if not (part.has_previous if backward else part.has_next):
                break
            asked = asking(ref, encode_cursor(part.entries[0 if backward else -1][0]))
            part = (await world.item_lists([asked]))[asked]
        assert covered == sorted(expected[ref], key=placed(order))
        first = asking(ref, None)
        assert (await world.count_items([first]))[first] == len(covered)


@pytest.mark.parametrize("size", [1, 7, 60])
@pytest.mark.parametrize("backwards", [False, True])
async def test_numbers_at_the_end_of_keys_order_as_numbers(world: Store, size: int, backwards: bool) -> None:
    wanted = ItemFilter(min_quantity=0, shelves=("bag-1", "bag-2"))
    keys: list[str] = []
    cursor: str | None = None
    while True:
        arguments = (
            NumberedArguments(filter=wanted, last=size, before=cursor)
            if backwards
            else NumberedArguments(filter=wanted, first=size, after=cursor)
        )
        asked = Asked(ANN.provider, ANN, arguments)
        part = (await world.item_lists([asked]))[asked]
        page = [one.key for _, one in part.entries]
        keys = [*page, *keys] if backwards else [*keys, *page]
        if not (part.has_previous if backwards else part.has_next):
            break
        cursor = encode_cursor(part.entries[0 if backwards else -1][0])
    expected = sorted(int(one.key[1:]) for one in ITEMS[ANN] if one.container_key in ("bag-1", "bag-2"))
    assert [int(key[1:]) for key in keys] == expected
    assert (await world.count_items([asked]))[asked] == len(expected)


@pytest.mark.parametrize("order", ItemOrder)
async def test_a_cursor_that_no_entry_was_given_is_a_place_too(world: Store, order: ItemOrder) -> None:
    values: list[Any] = ["", "zed\0", "\U0010ffff"] if order is ItemOrder.NAME else [-(2**63), 0, 2**63 - 1, 2**64 - 1]
    for value in values:
        for sort in ("", "b", "x\0y"):
            cursor = encode_cursor(Position(str(order.value), value, sort))
            arguments = BothWaysArguments(order_by=order, first=250, after=cursor)
            asked = Asked(ANN.provider, ANN, arguments)
            if order is ItemOrder.NATURAL and value != 0:
                continue
            expected = part_of([one for one in ITEMS[ANN] if one.quantity], arguments.window, position=placed(order))
            assert shown((await world.item_lists([asked]))[asked]) == shown(expected)


async def test_collectibles_are_items(world: Store) -> None:
    asked = Asked(ANN.provider, ANN, CollectibleArguments(order_by=ItemOrder.SERIAL_ASC, last=3))
    part = (await world.item_lists([asked]))[asked]
    assert len(part.entries) == 3
    assert part.has_previous
    assert all(one.collectible for _, one in part.entries)


async def test_totals_sum_what_passes(world: Store) -> None:
    wanted = ItemFilter(min_quantity=2)
    sums: dict[str, int] = {}
    for one in ITEMS[BEN]:
        if one.definition_key and passes(wanted, one):
            sums[one.definition_key] = sums.get(one.definition_key, 0) + one.quantity
    found: dict[str, int] = {}
    cursor: str | None = None
    while True:
        asked = Asked(BEN.provider, BEN, TotalArguments(filter=wanted, first=2, after=cursor))
        part = (await world.totals([asked]))[asked]
        found.update({ref.key: quantity for _, (ref, quantity) in part.entries})
        if not part.has_next:
            break
        cursor = encode_cursor(part.entries[-1][0])
    assert list(found.items()) == sorted(sums.items())
    counted = Asked(BEN.provider, BEN, TotalArguments(filter=wanted))
    assert (await world.count_totals([counted]))[counted] == len(sums)


async def test_whether_an_owner_holds_one(world: Store) -> None:
    refs = [OwnershipRef(*ANN, key) for key in ("item:1", "item:unknown", "item:9", "a\0b")]
    held = await world.holds(refs)
    for ref in refs:
        assert held[ref] is any(one.definition_key == ref.definition and one.quantity for one in ITEMS[ANN])


CONTAINERS = [
    bag("bank", sort="a", kind=ContainerKind.STORAGE),
    bag("all", sort="b", kind=ContainerKind.VIEW),
    bag("hero", sort="c", kind=ContainerKind.CHARACTER),
    *(bag(f"hero-{number}", sort=f"c/{number:02}", parent_key="hero") for number in range(12)),
    *(bag(f"hero-3-{number}", sort=f"c/03/{number}", parent_key="hero-3") for number in range(3)),
    bag("deep", sort="c/03/1/0", parent_key="hero-3-1"),
]


@pytest.fixture
async def tree(store: Store) -> Store:
    """Give a store with a tree of containers."""
    async with store.writing(ANN) as writer:
        await writer.put_containers(CONTAINERS)
    return store


async def all_containers(store: Store, ask: Callable[[str | None], Asked]) -> list[str]:
    keys: list[str] = []
    cursor: str | None = None
    while True:
        asked = ask(cursor)
        part = (await store.container_lists([asked]))[asked]
        keys += [one.key for _, one in part.entries]
        if not part.has_next:
            assert (await store.count_containers([ask(None)]))[ask(None)] == len(keys)
            return keys
        assert part.entries[-1][0] == Position(NATURAL, 0, part.entries[-1][1].sort)
        cursor = encode_cursor(part.entries[-1][0])


async def test_views_are_listed_only_when_asked_for(tree: Store) -> None:
    def top(kind: ContainerKind | None) -> Callable[[str | None], Asked]:
        return lambda after: Asked(ANN.provider, ANN, ContainerArguments(kind=kind, first=1, after=after))

    assert await all_containers(tree, top(None)) == ["bank", "hero"]
    assert await all_containers(tree, top(ContainerKind.VIEW)) == ["all"]
    assert await all_containers(tree, top(ContainerKind.FOLDER)) == []


async def test_children_and_trees_are_listed_parents_first(tree: Store) -> None:
    hero = container_ref("hero")

    def children(after: str | None) -> Asked:
        return Asked(ANN.provider, hero, PageArguments(first=5, after=after))

    def below(depth: int | None) -> Callable[[str | None], Asked]:
        return lambda after: Asked(ANN.provider, hero, DescendantArguments(max_depth=depth, first=4, after=after))

    direct = [one.key for one in CONTAINERS if one.parent_key == "hero"]
    third = [f"hero-3-{number}" for number in range(3)]
    assert await all_containers(tree, children) == direct
    assert await all_containers(tree, below(1)) == direct
    assert await all_containers(tree, below(2)) == [*direct, *third]
    whole = [*direct, *third, "deep"]
    assert await all_containers(tree, below(None)) == whole
    assert [one.key for one in await tree.below([hero])] == whole
    assert [one.key for one in await tree.below([hero], depth=2)] == [*direct, *third]
    assert len(await tree.below([hero], most=2)) == 2
    assert await tree.below([hero], depth=0) == []
    deep = [container_ref("deep"), container_ref("hero"), container_ref("nowhere")]
    assert sorted(one.key for one in await tree.above(deep)) == ["hero", "hero-3", "hero-3-1"]
    assert [one.key for one in (await tree.contents([hero]))[hero].children] == direct


async def test_many_lists_are_read_by_one_statement(tree: Store) -> None:
    statements: list[str] = []
    tree.on_statement = statements.append
    asked = [Asked(ANN.provider, one.ref, PageArguments(first=2)) for one in CONTAINERS]
    parts = await tree.container_lists(asked)
    assert len(statements) == 1
    assert [one.key for _, one in parts[asked[2]].entries] == ["hero-0", "hero-1"]
    assert parts[asked[0]].entries == []


async def test_a_circle_of_containers_ends(store: Store) -> None:
    async with store.writing(ANN) as writer:
        await writer.put_containers([bag("a", parent_key="b"), bag("b", parent_key="a")])
    for depth in (None, 3):
        asked = Asked(ANN.provider, container_ref("a"), DescendantArguments(max_depth=depth))
        assert (await store.count_containers([asked]))[asked] == 2
        assert {one.key for _, one in (await store.container_lists([asked]))[asked].entries} == {"a", "b"}
    async with store.writing(ANN) as writer:
        await writer.delete_containers([container_ref("a")])
    assert await store.containers_of(ANN) == []


@pytest.fixture
async def plans(tmp_path: Path) -> AsyncIterator[tuple[Store, list[str]]]:
    """Give a SQLite store, and the steps of the plan of every statement that it runs."""
    steps: list[str] = []

    def explain(_connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith(("SELECT", "WITH", "DELETE", "UPDATE")):
            cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            steps.extend(f"{row[3]} << {statement}" for row in cursor.fetchall())

    store = await Store.open(f"sqlite:///{tmp_path}/plans.db", TYPES)
    await store.migrate()
    event.listen(Engine, "before_cursor_execute", explain)
    try:
        yield store, steps
    finally:
        event.remove(Engine, "before_cursor_execute", explain)
        await store.aclose()


async def test_no_read_scans_a_table(plans: tuple[Store, list[str]]) -> None:
    store, steps = plans
    filtered = ItemFilter(
        kinds=["a"], rarities=["b"], is_collectible=True, definition_keys=["c"], min_quantity=1, text="d"
    )
    cursors = {
        order: encode_cursor(Position(str(order.value), "" if order is ItemOrder.NAME else 0, ""))
        for order in ItemOrder
    }
    ref = container_ref("a")
    for wanted in (None, filtered):
        for order, cursor in cursors.items():
            page: dict[str, Any] = {"filter": wanted, "order_by": order, "first": 2, "after": cursor}
            backwards = BothWaysArguments(filter=wanted, order_by=order, first=None, last=2, before=cursor)
            await store.item_lists(
                [
                    Asked("guildwars2", ANN, BothWaysArguments(**page)),
                    Asked("guildwars2", ANN, backwards),
                    Asked("guildwars2", ref, ItemArguments(**page)),
                ]
            )
        await store.count_items([Asked("guildwars2", one, ItemArguments(filter=wanted)) for one in (ANN, ref)])
        totals = [Asked("guildwars2", ANN, TotalArguments(filter=wanted, after=cursors[ItemOrder.NATURAL]))]
        await store.totals(totals)
        await store.count_totals(totals)
    lists = [
        Asked("guildwars2", ANN, ContainerArguments()),
        Asked("guildwars2", ANN, ContainerArguments(kind=ContainerKind.BAG)),
        Asked("guildwars2", ref, PageArguments()),
        Asked("guildwars2", ref, DescendantArguments(max_depth=2)),
        Asked("guildwars2", ref, DescendantArguments()),
    ]
    await store.container_lists(lists)
    await store.count_containers(lists)
    await store.owners([ANN])
    await store.owner_refs("guildwars2")
    await store.containers([ref])
    await store.contents([ref])
    await store.below([ref])
    await store.items([ItemRef(*ANN, "a")])
    await store.holds([OwnershipRef(*ANN, "a")])
    await store.definitions([DefinitionRef("guildwars2", "a")])
    await store.definition_keys("guildwars2", "item")
    await store.recorded(ANN, "a")
    await store.changes_after(ANN, 0)
    await store.import_records("guildwars2", [owner()])
    await store.owned(ANN)
    await store.grant("guildwars2", "key", "secret", datetime.now(UTC))
    await store.grants("guildwars2")
    await store.revoke_grant("guildwars2", "label")
    async with store.writing(ANN) as writer:
        await writer.delete_items([item("a").ref])
        await writer.delete_containers([ref])
    tables = (
        "owners",
        "facts",
        "containers",
        "items",
        "definitions",
        "grants",
        "changes",
        "bounded",
        "child",
        "bounding",
    )
    assert len(steps) > 100
    assert [step for step in steps if any(step.startswith(f"SCAN {table}") for table in tables)] == []
    assert [step for step in steps if "AUTOMATIC" in step.split(" << ")[0]] == []
    # In natural order, pages come out of the index as they are.
    listed = [step for step in steps if "WITH pages AS" in step and step.startswith("SEARCH items")]
    assert listed
    assert all("sort>" in step or "sort<" in step for step in listed)
