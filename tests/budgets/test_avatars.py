"""What avatars cost: upstream calls and SQL statements, pinned, and the same for small and large catalogues."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from gateway.model.ids import CONTAINER, ContainerRef, encode_id
from gateway.registry import PROVIDERS
from tests.gateways import Asked, header, local, mint, upstream

PROVIDER = PROVIDERS["community"]
OWNER = {"provider": "COMMUNITY", "key": "nova/u"}
AVATAR = encode_id(CONTAINER, ContainerRef("community", OWNER["key"], "avatar"))

SLOTS = """query($owner: OwnerInput!) { inventory(owner: $owner) { container(key: "avatar") {
  slots { key item { quantity name slot { key } definition { name icon } } } } } }"""
WHOLE = """query($owner: OwnerInput!) { inventory(owner: $owner) { containers { nodes { version freeSlots
  slots { key item { quantity name definition { name rarity } } } items { totalCount nodes { key } }
  ... on CommunityAvatar { kit { name itemCount slots { id } } mints { status } updatedAt } } } } }"""
ITEMS = """query($owner: OwnerInput!) { inventory(owner: $owner) { items(first: 10, orderBy: NAME) { totalCount nodes {
  quantity name kind definition { rarity } container { key } slot { key }
  ... on CommunityItem { slots { key isRequired } } } } totals(first: 5) { edges { quantity node { name } } } } }"""
CATALOGUE = """query($owner: OwnerInput!) { inventory(owner: $owner) {
  catalogue(first: 5) { totalCount edges { quantity node { name rarity } } } } }"""
FITS = """query($owner: OwnerInput!) { inventory(owner: $owner) { container(key: "avatar") {
  slots { key accepts(first: 3) { totalCount edges { quantity node { name } } } } } } }"""
ALLOCATE = """mutation($input: AllocateSlotsInput!) { allocateSlots(input: $input) {
  container { version slots { key item { name } } } changes { updatedIds } errors { code } } }"""


def community(*, items: int) -> dict[str, Any]:
    """Give a community with so many items, every second of which a user owns, and three slots, two of them filled."""
    path = "/v1/community/nova/inventory"
    slots = [{"id": f"s{at}", "key": f"k{at}", "name": f"Slot {at}", "order": at, "required": False} for at in range(3)]
    catalogue = [
        {
            "id": f"i{at:03}",
            "name": f"Item {at:03}",
            "slotIds": [f"s{at % 3}"],
            "type": "wearable",
            "rarity": "rare",
            "attributes": [],
            "owned": False,
            "quantity": 0,
        }
        for at in range(items)
    ]
    owned = [{**item, "owned": True, "quantity": 1} for item in catalogue[::2]]
    filled = [{**slots[0], "item": owned[0]}, slots[1], {**slots[2], "item": owned[1]}]
    return {
        path: {"id": "inv", "ckey": "nova", "name": "Nova", "blockchains": ["sui"], "slotCount": 3, "itemCount": items},
        f"{path}/slots?userId=u": filled,
        f"{path}/items?onlyOwned=true&userId=u": {"items": owned, "total": len(owned)},
        f"{path}/items?onlyOwned=false": {"items": catalogue, "total": items},
        f"{path}/avatar?userId=u": {
            "userId": "u",
            "version": 2,
            "slots": [{"slotId": "s0", "itemId": "i000"}, {"slotId": "s2", "itemId": "i002"}],
            "mints": [],
        },
    }


@pytest.fixture(params=[12, 90], ids=["small", "large"])
async def cells(request: pytest.FixtureRequest) -> AsyncGenerator[tuple[Asked, Asked]]:
    """Give a gateway over a store, and one over the first one's dialect; all of a list fits a page of the service."""
    async with AsyncExitStack() as stack:
        here = await stack.enter_async_context(local(PROVIDER, "sqlite://", documents=community(items=request.param)))
        there = await stack.enter_async_context(upstream(PROVIDER, here))
        there.headers[header(PROVIDER)] = await mint(here.gateway, PROVIDER, OWNER["key"])
        # That the community's key is its own, is asked once and then known.
        await there.ask(SLOTS, owner=OWNER)
        assert [call.partition("?")[0].rpartition("/inventory")[2] for call in there.calls] == ["", "/slots"]
        there.calls.clear()
        yield here, there


async def cost(cells: tuple[Asked, Asked], query: str) -> tuple[int, list[str]]:
    """Give the SQL statements that the store took, and the calls that the service took, for equal answers."""
    here, there = cells
    answer = await here.ask(query, owner=OWNER)
    statements = len(here.statements)
    assert (await there.ask(query, owner=OWNER)).whole() == answer.whole()
    return statements, [call.rpartition("/inventory")[2].partition("?")[0] for call in there.calls]


async def test_slots_and_what_lies_in_them_cost_one_call(cells: tuple[Asked, Asked]) -> None:
    assert await cost(cells, SLOTS) == (5, ["/slots"])


async def test_a_whole_avatar_costs_its_three_documents(cells: tuple[Asked, Asked]) -> None:
    statements, calls = await cost(cells, WHOLE)
    assert sorted(calls) == ["", "/avatar", "/slots"]
    # Two are made apart or together, as the turns of the store's threads come.
    assert 8 <= statements <= 10


async def test_items_with_their_slots_cost_two_calls(cells: tuple[Asked, Asked]) -> None:
    statements, calls = await cost(cells, ITEMS)
    assert sorted(calls) == ["/items", "/slots"]
    assert 8 <= statements <= 10


async def test_a_page_of_the_catalogue_costs_the_same_wherever_it_ends(cells: tuple[Asked, Asked]) -> None:
    # That there is such a user, the slots tell.
    assert await cost(cells, CATALOGUE) == (4, ["/slots", "/items"])


async def test_what_fits_costs_a_call_for_each_slot_and_one_statement_for_all(cells: tuple[Asked, Asked]) -> None:
    statements, calls = await cost(cells, FITS)
    assert sorted(calls) == ["/slots", "/slots/s0/items", "/slots/s1/items", "/slots/s2/items"]
    assert statements == 8


async def test_an_allocation_costs_four_calls_or_eight_statements(cells: tuple[Asked, Asked]) -> None:
    here, there = cells
    given = {"container": AVATAR, "slots": [{"slot": "s1", "definitionKey": "nova/i004"}]}
    for asked in (there, here):
        answer = await asked.ask(ALLOCATE, input=given)
        assert answer.whole()["allocateSlots"]["errors"] == []
        given = {**given, "slots": [{"slot": "s1", "definitionKey": None}]}
    # The slots before, the call itself, and the slots and the avatar after.
    assert sorted(call.rpartition("/inventory")[2].partition("?")[0] for call in there.calls) == [
        "/avatar",
        "/slots",
        "/slots",
        "/slots/allocate",
    ]
    assert len(here.statements) == 8


async def test_what_is_refused_for_its_form_costs_no_call(cells: tuple[Asked, Asked]) -> None:
    here, there = cells
    for slots in ([], [{"slot": "s1"}], [{"slot": f"s{at}", "definitionKey": None} for at in range(101)]):
        for asked in (here, there):
            answer = await asked.ask(ALLOCATE, input={"container": AVATAR, "slots": slots})
            assert answer.whole()["allocateSlots"]["errors"]
            assert asked.calls == []
