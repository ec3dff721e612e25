"""The catalogue in the store: families, what fits a slot, and how many of it an owner holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.model.arguments import AcceptArguments, CatalogueArguments
from gateway.model.ids import DefinitionRef, ItemRef, OwnerRef, SlotRef
from gateway.model.manifest import ProviderKey
from gateway.model.ports import Catalogue, Stock
from gateway.model.relations import Asked, attribute, graph_type
from gateway.model.scalars import BigInt
from gateway.store.reads import Drawn
from gateway.store.store import Store

from .game import ANN, BEN, TYPES, GameDefinition, bag, item, owner

CATALOGUE = OwnerRef("guildwars2", "")


@graph_type
class GameGear(GameDefinition):
    """What is made for slots."""

    slots: list[str] = attribute("Which.")

    @property
    def fits(self) -> Sequence[str]:
        return self.slots


def gear(key: str, *slots: str, provider: ProviderKey = ProviderKey.GUILD_WARS_2) -> GameGear:
    return GameGear(provider=provider, key=key, flags=[], extra={}, slots=list(slots))


async def opened(store_url: str) -> Store:
    store = await Store.open(store_url, (*TYPES, GameGear))
    await store.migrate()
    async with store.writing(CATALOGUE, ANN, BEN, OwnerRef("roblox", "")) as writer:
        await writer.put_owner(owner())
        # Not in their order, and one of another provider.
        await writer.put_definitions([gear(f"gear:{number}", "head") for number in (30, 2, 10)])
        await writer.put_definitions([gear("gear:5", "hand", "head", "hand"), gear("gear:7")])
        await writer.put_definitions([gear("gear:4", "head", provider=ProviderKey.ROBLOX)])
        held: dict[str, Any] = {"definition_key": "gear:2"}
        await writer.put_items([item("1", quantity=BigInt(2), **held), item("2", quantity=BigInt(3), **held)])
        await writer.put_items([item("3", quantity=BigInt(0), definition_key="gear:10")])
        await writer.put_items([item("1", BEN, definition_key="gear:10"), item("2", BEN, definition_key="gear:30")])
    return store


def asked(by: OwnerRef, slot: str | None = None, **more: Any) -> tuple[Asked, Drawn]:
    ref = by if slot is None else SlotRef(*by, "box", slot)
    arguments = (CatalogueArguments if slot is None else AcceptArguments)(**more)
    return Asked("guildwars2", ref, arguments), Drawn(owner=by, source=slot or "gear", counts=True)


async def listed(store: Store, *lists: tuple[Asked, Drawn]) -> list[list[tuple[str, int | None]]]:
    drawn = dict(lists)
    parts = await store.catalogue([*drawn], drawn)
    counts = await store.count_catalogue([*drawn], drawn)
    found = [[(ref.key, quantity) for _, (ref, quantity) in parts[one].entries] for one in drawn]
    for one, entries in zip(drawn, found, strict=True):
        if not parts[one].has_next and not parts[one].has_previous:
            assert counts[one] == len(entries)
    return found


async def test_a_family_is_listed_in_its_order_with_what_an_owner_holds(store_url: str) -> None:
    store = await opened(store_url)
    family, owned = await listed(store, asked(ANN), asked(ANN, only_owned=True))
    assert family == [("gear:2", 5), ("gear:5", 0), ("gear:7", 0), ("gear:10", 0), ("gear:30", 0)]
    assert owned == [("gear:2", 5)]
    first, other = await listed(store, asked(ANN, only_owned=True, first=1), asked(BEN, only_owned=True, first=1))
    assert (first, other) == ([("gear:2", 5)], [("gear:10", 1)])
    await store.aclose()


async def test_what_fits_a_slot_is_listed_until_it_is_no_longer_there(store_url: str) -> None:
    store = await opened(store_url)
    head, hand, foot = await listed(store, asked(ANN, "head"), asked(ANN, "hand"), asked(ANN, "foot"))
    assert head == [("gear:2", 5), ("gear:5", 0), ("gear:10", 0), ("gear:30", 0)]
    assert (hand, foot) == ([("gear:5", 0)], [])
    async with store.writing(CATALOGUE) as writer:
        await writer.put_definitions([gear("gear:5", "foot")])
        await writer.delete_definitions([DefinitionRef("guildwars2", "gear:2")])
    head, hand, foot = await listed(store, asked(ANN, "head"), asked(ANN, "hand"), asked(ANN, "foot"))
    assert (head, hand, foot) == ([("gear:10", 0), ("gear:30", 0)], [], [("gear:5", 0)])
    assert await store.count_definitions("guildwars2", ["gear", "none"]) == {"gear": 4}
    await store.aclose()


async def test_pages_by_number_are_those_of_the_whole(store_url: str) -> None:
    from gateway.model.paging import NATURAL, Window
    from gateway.model.relations import argument

    class Numbered(CatalogueArguments):
        page: int = argument("Which.", default=1)

        @property
        def window(self) -> Window:
            return Window(order=NATURAL, size=2, skip=(self.page - 1) * 2)

    store = await opened(store_url)
    (whole,) = await listed(store, asked(ANN))
    drawn = Drawn(owner=ANN, source="gear", counts=True)
    pages = [(Asked("guildwars2", ANN, Numbered(page=page)), drawn) for page in (1, 2, 3, 4)]
    assert await listed(store, *pages) == [whole[:2], whole[2:4], whole[4:], []]
    await store.aclose()


async def test_a_whole_catalogue_takes_the_place_of_its_family_alone(store_url: str) -> None:
    store = await opened(store_url)
    await store.import_records(
        "guildwars2", [Catalogue(provider="guildwars2", family="gear", definitions=[gear("gear:7", "head")])]
    )
    assert await store.definition_keys("guildwars2", "gear") == ["gear:7"]
    assert await store.definition_keys("roblox", "gear") == ["gear:4"]
    assert await listed(store, asked(ANN, "head")) == [[("gear:7", 0)]]
    await store.aclose()


async def test_stock_replaces_what_lies_in_no_container(store_url: str) -> None:
    store = await opened(store_url)
    async with store.writing(ANN) as writer:
        await writer.put_containers([bag("box")])
        await writer.put_items([item("in", container_key="box", quantity=BigInt(9))])
    told = Stock(owner=ANN, items=[item("2", quantity=BigInt(8))], gone=["3"], whole=False)
    await store.import_records("guildwars2", [told])
    assert {one.key: one.quantity for one in await store.items_of(ANN)} == {"1": 2, "2": 8, "in": 9}
    found = Stock(owner=ANN, items=[], gone=[], whole=False, found=[item("2"), item("4")])
    await store.import_records("guildwars2", [found])
    assert {one.key: one.quantity for one in await store.items_of(ANN)} == {"1": 2, "2": 8, "4": 1, "in": 9}
    await store.import_records("guildwars2", [Stock(owner=ANN, items=[item("5")], gone=[], whole=True)])
    assert {one.key for one in await store.items_of(ANN)} == {"5", "in"}
    assert (await store.items([ItemRef(*BEN, "1")]))[ItemRef(*BEN, "1")].quantity == 1
    await store.aclose()
