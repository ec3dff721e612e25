"""What queries cost: upstream calls and SQL statements, pinned."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack

import pytest

from gateway.registry import PROVIDERS
from tests.budgets.conftest import OWNER, account
from tests.gateways import Asked, header, local, mint, upstream

PROVIDER = PROVIDERS["guildwars2"]

NAMES = "query($owner: OwnerInput!) { inventory(owner: $owner) { containers(kind: CHARACTER) { nodes { name } } } }"
STORAGE = "query($owner: OwnerInput!) { inventory(owner: $owner) { containers(kind: STORAGE) { nodes { name } } } }"
BANK = (
    'query($owner: OwnerInput!) { inventory(owner: $owner) { container(key: "bank") { freeSlots capacity version } } }'
)
BAGS = """query($owner: OwnerInput!) { inventory(owner: $owner) { container(key: "character:Hero 00") {
  name capacity freeSlots ... on GuildWars2Character { bagSlots { index bag { name freeSlots
    slots { index item { id quantity slot { id } container { id } } } } } } } } }"""
WHOLE = """query($owner: OwnerInput!) { inventory(owner: $owner) { containers(kind: CHARACTER) { nodes { name
  ... on GuildWars2Character { bagSlots { bag { definition { name } slots { item {
    quantity definition { name icon rarity } ... on GuildWars2Item {
      skin { name } stats { definition { name } } dyes { name } upgrades { name } } } } } } } } } } }"""
EVERYTHING = """query($owner: OwnerInput!) { inventory(owner: $owner) { isVisible
  a: items(first: 5) { totalCount nodes { name } } b: items(orderBy: NAME, first: 5) { nodes { name } }
  c: items(filter: { text: "item 9" }) { nodes { name } } totals(first: 3) { nodes { name } totalCount } }
  inventoryOwner(owner: $owner) { owns(definitionKey: "item:900") }
  searchItems(owners: [$owner], first: 5) { nodes { name } } }"""


@pytest.fixture(params=[2, 20], ids=["small", "large"])
async def cells(request: pytest.FixtureRequest) -> AsyncGenerator[tuple[Asked, Asked]]:
    """Give a gateway over a store, and one over the first one's dialect, with few and with many items."""
    async with AsyncExitStack() as stack:
        here = await stack.enter_async_context(
            local(PROVIDER, "sqlite://", documents=account(characters=3, items=request.param))
        )
        there = await stack.enter_async_context(upstream(PROVIDER, here))
        there.headers[header(PROVIDER)] = await mint(here.gateway, PROVIDER, OWNER["key"])
        # Whose credential it is, is asked once and then known.
        await there.ask(STORAGE, owner=OWNER)
        assert [call.split("?")[0].rpartition("/v2")[2] for call in there.calls] == ["/account"]
        yield here, there


async def cost(cells: tuple[Asked, Asked], query: str) -> tuple[int, int]:
    """Give the SQL statements that the store took, and the calls that the service took, for equal answers."""
    here, there = cells
    answer = await here.ask(query, owner=OWNER)
    statements = len(here.statements)
    assert (await there.ask(query, owner=OWNER)).whole() == answer.whole()
    return statements, len(there.calls)


async def test_names_cost_one_call(cells: tuple[Asked, Asked]) -> None:
    assert await cost(cells, NAMES) == (2, 1)


async def test_storage_is_known_without_a_call(cells: tuple[Asked, Asked]) -> None:
    assert await cost(cells, STORAGE) == (2, 0)


async def test_the_bank_costs_one_call(cells: tuple[Asked, Asked]) -> None:
    assert await cost(cells, BANK) == (4, 1)


async def test_one_characters_bags_cost_one_call(cells: tuple[Asked, Asked]) -> None:
    assert await cost(cells, BAGS) == (4, 1)


async def test_all_characters_with_definitions_cost_no_more_for_more_items(cells: tuple[Asked, Asked]) -> None:
    # Names, three inventories, and one batch each of items, skins, stats and colours.
    assert await cost(cells, WHOLE) == (5, 8)


async def test_lists_of_one_query_share_what_they_read(cells: tuple[Asked, Asked]) -> None:
    statements, calls = await cost(cells, EVERYTHING)
    # Names, three inventories, three storages, the token, one batch of items; for owns, totals and search nothing more.
    assert calls == 9
    # Up to two are made apart or together, as the turns of the store's threads come.
    assert 10 <= statements <= 12


async def test_a_batch_takes_two_hundred_ids(cells: tuple[Asked, Asked]) -> None:
    _, there = cells
    query = "query($keys: [String!]!) { itemDefinitions(provider: GUILD_WARS_2, keys: $keys) { key } }"
    await there.ask(query, keys=[f"item:{number}" for number in range(1, 201)])
    assert len(there.calls) == 1
    await there.ask(query, keys=[f"item:{number}" for number in range(301, 502)])
    assert len(there.calls) == 2
    await there.ask(query, keys=["item:900"] * 250)
    assert [call.partition("ids=")[2].partition("&")[0] for call in there.calls] == ["900"]


async def test_what_is_kept_of_the_catalogue_costs_no_call(cells: tuple[Asked, Asked]) -> None:
    _, there = cells
    first = (await there.ask(WHOLE, owner=OWNER)).whole()
    assert (await there.ask(WHOLE, owner=OWNER)).whole() == first
    # Names and three inventories.
    assert len(there.calls) == 4


async def test_a_refused_argument_costs_nothing(cells: tuple[Asked, Asked]) -> None:
    here, there = cells
    query = "query($owner: OwnerInput!) { inventory(owner: $owner) { items(first: 0) { totalCount } } }"
    for asked, costs in ((here, 1), (there, 0)):
        assert (await asked.ask(query, owner=OWNER)).codes == ["INVALID_INPUT"]
        assert len(asked.statements) + len(asked.calls) == costs
