"""What a request has read goes with it: nothing waits for Python to look for objects that hold each other."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Generator
from typing import Any

import pytest

from gateway.registry import PROVIDERS
from tests.budgets import test_avatars as avatars
from tests.budgets.conftest import OWNER, account
from tests.budgets.test_budgets import BAGS, EVERYTHING, WHOLE
from tests.gateways import Asked, header, local, mint, upstream

PROVIDER = PROVIDERS["guildwars2"]
GRAPH = {
    *(kind.__name__ for provider in PROVIDERS.values() for kind in (*provider.types, *provider.documents)),
    *("Slot", "Inventory", "Contents", "CharacterContents", "CommunityContents", "Figure", "CommunityMint"),
}


@pytest.fixture
def uncollected() -> Generator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()
    gc.set_debug(0)
    gc.garbage.clear()


async def left_by(asked: Asked, query: str, **variables: Any) -> Counter[str]:
    """Count the objects of the graph that only the collector frees after an operation."""
    (await asked.ask(query, **variables)).whole()
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    (await asked.ask(query, **variables)).whole()
    gc.collect()
    gc.set_debug(0)
    left = Counter(type(found).__name__ for found in gc.garbage)
    gc.garbage.clear()
    return Counter({name: count for name, count in left.items() if name in GRAPH})


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize("query", [BAGS, WHOLE, EVERYTHING], ids=["bags", "whole", "everything"])
async def test_the_objects_of_an_answer_go_with_its_request(query: str) -> None:
    async with local(PROVIDER, "sqlite://", documents=account(characters=3, items=20)) as here:
        assert not await left_by(here, query, owner=OWNER)
        async with upstream(PROVIDER, here) as there:
            there.headers[header(PROVIDER)] = await mint(here.gateway, PROVIDER, OWNER["key"])
            assert not await left_by(there, query, owner=OWNER)


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize("query", [avatars.SLOTS, avatars.WHOLE, avatars.ITEMS, avatars.FITS])
async def test_the_objects_of_an_avatar_go_with_its_request(query: str) -> None:
    async with local(avatars.PROVIDER, "sqlite://", documents=avatars.community(items=12)) as here:
        assert not await left_by(here, query, owner=avatars.OWNER)
        async with upstream(avatars.PROVIDER, here) as there:
            there.headers[header(avatars.PROVIDER)] = await mint(here.gateway, avatars.PROVIDER, avatars.OWNER["key"])
            assert not await left_by(there, query, owner=avatars.OWNER)


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize(
    "given",
    [
        {"slots": [{"slot": "s1", "definitionKey": "nova/i004"}]},
        {"slots": [{"slot": "s1", "definitionKey": "nova/i004"}], "transactionId": "t"},
        {"slots": [{"slot": "s1", "definitionKey": "nova/i000"}, {"slot": "x", "definitionKey": None}]},
        {"slots": [{"slot": "s1"}]},
        {"slots": [{"slot": "s1", "definitionKey": None}], "simulate": True},
        {
            "slots": [{"slot": "s1", "definitionKey": None}],
            "ifMatch": [{"container": avatars.AVATAR, "version": "0"}],
        },
    ],
    ids=["done", "repeated", "refused", "malformed", "simulated", "outdated"],
)
async def test_the_objects_of_a_write_go_with_its_request(given: dict[str, Any]) -> None:
    shared = {"transactionId", "simulate", "ifMatch"}
    async with local(avatars.PROVIDER, "sqlite://", documents=avatars.community(items=12)) as here:
        assert not await left_by(here, avatars.ALLOCATE, input={"container": avatars.AVATAR, **given})
        async with upstream(avatars.PROVIDER, here) as there:
            there.headers[header(avatars.PROVIDER)] = await mint(here.gateway, avatars.PROVIDER, avatars.OWNER["key"])
            if not shared & given.keys():
                assert not await left_by(there, avatars.ALLOCATE, input={"container": avatars.AVATAR, **given})
