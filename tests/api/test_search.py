"""The search over several inventories is one list: in one order, each item once, whatever the page size."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api.keys import SearchKey
from gateway.api.search import search_items
from gateway.model.arguments import ItemFilter, ItemOrder
from gateway.model.errors import InvalidInput, UpstreamTimeout
from gateway.model.ids import OwnerRef
from gateway.model.item import Item, ItemConnection
from gateway.model.listing import list_items
from gateway.model.relations import Asked, graph_type
from gateway.model.scalars import BigInt


@graph_type
class Thing(Item):
    """An item of these tests."""


OWNERS = tuple(OwnerRef(provider, owner) for provider, owner in (("roblox", "b"), ("guildwars2", "a"), ("roblox", "a")))
HOLDINGS = st.lists(
    st.tuples(st.sampled_from(OWNERS), st.sampled_from(["x", "X", "y", ""]), st.integers(1, 3)), max_size=14
)


class Inventories:
    """The loaders of a request over lists in memory; an owner may fail."""

    def __init__(self, items: list[Item], failing: OwnerRef | None = None) -> None:
        self.items, self.failing = items, failing

    async def owner(self, provider: str, key: str) -> OwnerRef:
        return OwnerRef(provider, key)

    async def load(self, loader: str, key: Any) -> Any:
        assert loader == "items_by_owner"
        asked = cast("Asked", key)
        if asked.ref == self.failing:
            raise UpstreamTimeout("no")
        if asked.ref not in OWNERS:
            return None
        mine = [item for item in self.items if item.owner == asked.ref]
        return ItemConnection.of(list_items(mine, asked.arguments, {}))


def things(holdings: list[tuple[OwnerRef, str, int]]) -> list[Item]:
    return [
        Thing(owner=owner, key=str(place), sort=f"{place:03}", name=name, quantity=BigInt(quantity))
        for place, (owner, name, quantity) in enumerate(holdings)
    ]


def key(order: ItemOrder, size: int, after: str | None, owners: tuple[OwnerRef, ...] = OWNERS) -> SearchKey:
    return SearchKey("", owners, ItemFilter(), order, size, after)


@given(HOLDINGS, st.sampled_from(list(ItemOrder)), st.integers(1, 4))
async def test_pages_of_a_search_cover_everything_once_in_order(
    holdings: list[tuple[OwnerRef, str, int]], order: ItemOrder, size: int
) -> None:
    items = things(holdings)
    loading = Inventories(items)
    seen: list[str] = []
    after: str | None = None
    while True:
        page = await search_items(loading, key(order, size, after))
        assert page.is_complete
        seen += [item.key for item in page.nodes if item is not None]
        after = page.page_info.end_cursor
        if not page.page_info.has_next_page:
            break

    def place(item: Item) -> Any:
        value: Any = 0
        if order is ItemOrder.NAME:
            value = (item.name or "").casefold()
        elif order is ItemOrder.QUANTITY_DESC:
            value = -item.quantity
        return value, OWNERS.index(item.owner), item.sort

    assert seen == [item.key for item in sorted(items, key=place)]


async def test_an_owner_that_fails_is_a_problem_and_the_rest_is_there() -> None:
    items = things([(owner, "x", 1) for owner in OWNERS])
    page = await search_items(Inventories(items, failing=OWNERS[1]), key(ItemOrder.NATURAL, 10, None))
    assert [item.key for item in page.nodes if item is not None] == ["0", "2"]
    assert not page.is_complete
    (problem,) = page.problems
    assert (problem.code.value, problem.owner_key, problem.retryable) == ("UPSTREAM_TIMEOUT", "a", True)


async def test_a_cursor_of_another_search_is_refused() -> None:
    items = things([(owner, "x", 1) for owner in OWNERS])
    page = await search_items(Inventories(items), key(ItemOrder.NATURAL, 1, None))
    cursor = page.page_info.end_cursor
    with pytest.raises(InvalidInput):
        await search_items(Inventories(items), key(ItemOrder.NATURAL, 1, cursor, OWNERS[1:]))
    with pytest.raises(InvalidInput):
        await search_items(Inventories(items), key(ItemOrder.NAME, 1, cursor))


async def test_an_owner_asked_twice_is_listed_once() -> None:
    items = things([(OWNERS[0], "x", 1)])
    page = await search_items(Inventories(items), key(ItemOrder.NATURAL, 5, None, (OWNERS[0], OWNERS[0])))
    assert len(page.nodes) == 1
