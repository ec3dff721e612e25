"""What a request has read goes with it: nothing waits for Python to look for objects that hold each other."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Generator

import pytest

from gateway.registry import PROVIDERS
from tests.budgets.conftest import OWNER, account
from tests.budgets.test_budgets import BAGS, EVERYTHING, WHOLE
from tests.gateways import Asked, header, local, mint, upstream

PROVIDER = PROVIDERS["guildwars2"]
GRAPH = {*(kind.__name__ for kind in PROVIDER.types), "Slot", "Inventory", "Contents", "CharacterContents"}


@pytest.fixture
def uncollected() -> Generator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()
    gc.set_debug(0)
    gc.garbage.clear()


async def left_by(asked: Asked, query: str) -> Counter[str]:
    """Count the objects of the graph that only the collector frees after a query."""
    (await asked.ask(query, owner=OWNER)).whole()
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    (await asked.ask(query, owner=OWNER)).whole()
    gc.collect()
    gc.set_debug(0)
    left = Counter(type(found).__name__ for found in gc.garbage)
    gc.garbage.clear()
    return Counter({name: count for name, count in left.items() if name in GRAPH})


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize("query", [BAGS, WHOLE, EVERYTHING], ids=["bags", "whole", "everything"])
async def test_the_objects_of_an_answer_go_with_its_request(query: str) -> None:
    async with local(PROVIDER, "sqlite://", documents=account(characters=3, items=20)) as here:
        assert not await left_by(here, query)
        async with upstream(PROVIDER, here) as there:
            there.headers[header(PROVIDER)] = await mint(here.gateway, PROVIDER, OWNER["key"])
            assert not await left_by(there, query)
