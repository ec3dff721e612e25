"""What queries over a Roblox inventory cost: statements of the store, calls of the services; numbers pinned."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from gateway.registry import PROVIDERS
from tests.gateways import Asked, header, local, mint, upstream

PROVIDER = PROVIDERS["roblox"]
TYPES = ("HAT", "CLASSIC_SHIRT", "GEAR", "FACE")


def inventory(count: int) -> dict[str, Any]:
    """Give the documents of a user with so many assets, no two alike, a tenth of them limited."""
    items: list[Any] = []
    rows: list[Any] = []
    for number in range(1, count + 1):
        details: dict[str, Any] = {
            "assetId": str(number),
            "inventoryItemAssetType": TYPES[number % 4],
            "instanceId": str(number),
        }
        if number % 10 == 0:
            details["collectibleDetails"] = {"itemId": "i", "instanceId": "j", "instanceState": "AVAILABLE"}
            rows.append({"userAssetId": number, "assetId": number, "name": f"n{number}", "recentAveragePrice": 1})
        items.append({"assetDetails": details, "addTime": "2024-01-01T00:00:00Z"})
    definitions = [{"id": number, "itemType": "Asset", "name": f"n{number}"} for number in range(1, count + 1)]
    return {
        "/v1/users/7": {"id": 7, "name": "lot", "displayName": "Lot"},
        "/cloud/v2/users/7/inventory-items": {"inventoryItems": items, "nextPageToken": ""},
        "/v1/users/7/assets/collectibles": {"data": rows, "nextPageCursor": None},
        "/v1/definitions": definitions,
    }


async def opened(stack: AsyncExitStack, count: int) -> tuple[Asked, Asked]:
    here = await stack.enter_async_context(local(PROVIDER, "sqlite://", documents=inventory(count)))
    there = await stack.enter_async_context(upstream(PROVIDER, here))
    for part in ("cookie", "key"):
        here.headers[header(PROVIDER, part)] = await mint(here.gateway, PROVIDER, "7", part=part)
    there.headers.update(here.headers)
    return here, there


@pytest.fixture(params=[40, 240])
async def sides(request: pytest.FixtureRequest) -> AsyncGenerator[tuple[Asked, Asked]]:
    """Give the store, and our client in front of it, with inventories of two sizes."""
    async with AsyncExitStack() as stack:
        yield await opened(stack, request.param)


def of(selected: str) -> str:
    return f'{{ inventory(owner: {{ provider: ROBLOX, key: "7" }}) {{ {selected} }} }}'


STATEMENTS = {
    # The credential, the owner, who may see it, and the list itself.
    "items(first: 20) { nodes { key acquiredAt } }": 4,
    "items(first: 20) { nodes { key name definition { key } } }": 5,
    "items(first: 20) { totalCount nodes { key } }": 5,
    "collectibles(first: 20) { nodes { collectible { serialNumber state } } }": 4,
    "collectibles(first: 20) { nodes { collectible { stock recentAveragePrice } } }": 5,
    'container(key: "view:Accessories/Head") { items(first: 20) { nodes { key } } }': 5,
    "containers(kind: VIEW) { nodes { containers { nodes { key } } } }": 4,
    'container(key: "collection") { ... on RobloxCollection { entries { nodes { key } } } }': 5,
    "totals(first: 20) { nodes { key } }": 5,
}


@pytest.mark.parametrize("selected", STATEMENTS)
async def test_statements_do_not_grow_with_the_inventory(sides: tuple[Asked, Asked], selected: str) -> None:
    here, _ = sides
    (await here.ask(of(selected))).whole()
    assert len(here.statements) == STATEMENTS[selected], here.statements


CALLS = {
    "isVisible": {"can-view-inventory": 1},
    "items(first: 20) { nodes { key acquiredAt } }": {"can-view-inventory": 1, "inventory-items": 1},
    # A name is a question to v1.
    "items(first: 20) { nodes { name definition { key name } } }": {
        "can-view-inventory": 1,
        "inventory-items": 1,
        "items": 20,
    },
    "collectibles(first: 2) { nodes { collectible { stock recentAveragePrice } definition { name } } }": {
        "can-view-inventory": 1,
        "collectibles": 1,
        "inventory-items": 1,
    },
    "containers(kind: VIEW) { nodes { key } }": {"can-view-inventory": 1, "categories": 1},
    # One of them are the favourites.
    "containers(kind: VIEW) { nodes { containers { nodes { key } } } }": {
        "can-view-inventory": 1,
        "categories": 1,
        "favorites": 1,
    },
    'container(key: "favorites") { containers { nodes { key } } }': {"can-view-inventory": 1, "favorites": 1},
    'container(key: "view:Accessories/Head") { items(first: 20) { nodes { key } } }': {
        "can-view-inventory": 1,
        "categories": 1,
        "inventory-items": 1,
    },
}


def called(calls: list[str]) -> dict[str, int]:
    """Count calls by what they ask for."""
    paths = [call.partition("?")[0].split("/") for call in calls]
    return dict(Counter("items" if "Asset" in path else path[-1] for path in paths))


@pytest.mark.parametrize("selected", CALLS)
async def test_calls_do_not_grow_with_the_inventory(sides: tuple[Asked, Asked], selected: str) -> None:
    _, there = sides
    (await there.ask(of(selected))).whole()
    assert called(there.calls) == CALLS[selected]


async def test_a_whole_inventory_costs_a_call_for_each_hundred_and_is_asked_for_once(
    sides: tuple[Asked, Asked],
) -> None:
    _, there = sides
    found = (await there.ask(of("items(first: 250) { totalCount } totals(first: 5) { totalCount }"))).whole()
    count = found["inventory"]["items"]["totalCount"]
    assert called(there.calls)["inventory-items"] == -(-count // 100)
