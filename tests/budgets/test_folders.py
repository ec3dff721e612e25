"""What trees of folders cost: upstream calls and SQL statements, pinned, however large the inventory."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from gateway.model.ids import CONTAINER, ContainerRef, OwnerRef, encode_id
from gateway.model.manifest import BackendKind, Capability
from gateway.registry import PROVIDERS
from tests.gateways import Asked, header, local, mint, upstream

PROVIDER = PROVIDERS["secondlife"]
AGENT = "aaaaaaaa-0000-4000-8000-00000000000a"
OWNER = {"provider": "SECOND_LIFE", "key": AGENT}
ZERO = "00000000-0000-0000-0000-000000000000"


def key(number: int) -> str:
    return f"11111111-0000-4000-8000-{number:012d}"


def inventory(*, wide: int, items: int) -> dict[str, Any]:
    """Give a tree: five levels of so many folders in one, each with so many items and a link."""
    numbers = iter(range(1, 1_000_000))

    def folder(parent: str, level: int) -> dict[str, Any]:
        me = key(next(numbers))
        things = {
            (one := f"22222222-0000-4000-8000-{next(numbers):012d}"): {
                "item_id": one,
                "name": f"Thing {at}",
                "type": 7,
                "permissions": {"base_mask": 0x7FFFFFFF, "owner_mask": 0x7FFFFFFF},
            }
            for at in range(items)
        }
        link = f"44444444-0000-4000-8000-{next(numbers):012d}"
        links = {link: {"item_id": link, "linked_id": next(iter(things)), "name": "Link", "type": 24}}
        children = [folder(me, level + 1) for _ in range(wide if level == 2 else 1)] if level < 5 else []
        return {
            "category_id": me,
            "parent_id": parent,
            "agent_id": AGENT,
            "name": f"Folder {me[-4:]}",
            "type_default": 8 if level == 0 else -1,
            "version": 1,
            "_embedded": {"items": things, "links": links, "categories": {one["category_id"]: one for one in children}},
        }

    return folder(ZERO, 0)


@pytest.fixture(params=[(2, 3), (18, 30)], ids=["small", "large"])
async def cells(request: pytest.FixtureRequest) -> AsyncGenerator[tuple[Asked, Asked]]:
    """Give a gateway over a store, and one over the first one's dialect, with few and with many things."""
    wide, items = request.param
    async with AsyncExitStack() as stack:
        documents = inventory(wide=wide, items=items)
        here = await stack.enter_async_context(local(PROVIDER, "sqlite://", documents=documents))
        there = await stack.enter_async_context(upstream(PROVIDER, here))
        there.headers[header(PROVIDER)] = await mint(here.gateway, PROVIDER, AGENT)
        # Whose capability it is, is asked once and then known.
        await there.ask("query($owner: OwnerInput!) { inventoryOwner(owner: $owner) { key } }", owner=OWNER)
        assert len(there.calls) == 1
        yield here, there


async def cost(cells: tuple[Asked, Asked], query: str, **variables: Any) -> tuple[int, int]:
    """Give the SQL statements that the store took, and the calls that the service took, for equal answers."""
    here, there = cells
    answer = await here.ask(query, owner=OWNER, **variables)
    statements = len(here.statements)
    assert (await there.ask(query, owner=OWNER, **variables)).whole() == answer.whole()
    return statements, len(there.calls)


def of_root(selected: str) -> str:
    return f'query($owner: OwnerInput!) {{ inventory(owner: $owner) {{ container(key: "root") {{ {selected} }} }} }}'


async def test_a_folder_by_its_special_name(cells: tuple[Asked, Asked]) -> None:
    assert await cost(cells, of_root("name version kind")) == (3, 1)


async def test_a_whole_tree_with_all_that_lies_in_it(cells: tuple[Asked, Asked]) -> None:
    selected = "descendants(first: 250) { totalCount nodes { name version items(first: 250) { nodes { name kind } } } }"
    # The owner, the name, the folder, its tree and how large that is; of the items, their folders and one list for all.
    assert await cost(cells, of_root(selected)) == (7, 2)


async def test_links_with_what_they_point_at(cells: tuple[Asked, Asked]) -> None:
    selected = (
        "... on SecondLifeCategory { links { nodes { ... on SecondLifeLink { isBroken target { __typename } } } } }"
    )
    assert await cost(cells, of_root(selected)) == (5, 2)


async def test_the_dialect_reads_any_tree_in_the_same_few_statements(cells: tuple[Asked, Asked]) -> None:
    here, there = cells
    capability = there.headers[header(PROVIDER)]
    # The capability; the folder; what lies below; the things; what the links point at.
    pinned = {
        "/category/root": 3,
        f"/category/{key(1)}/children?depth=0": 5,
        f"/category/{key(1)}/children?depth=*": 5,
        f"/category/{key(1)}/categories?depth=*": 3,
        f"/category/{key(1)}/links": 4,
    }
    found: dict[str, int] = {}
    for path in pinned:
        here.statements.clear()
        answer = await here.client.get(f"/rest/secondlife/{capability}{path}")
        assert answer.status_code == 200
        found[path] = len(here.statements)
    assert found == pinned


@pytest.mark.parametrize(
    ("verb", "given", "most"),
    [
        ("createContents", '{ container: $deep, containers: [{ name: "New" }] }', 7),
        ("updateContainers", '{ containers: [{ id: $deep, name: "Renamed" }] }', 6),
        ("moveContainers", "{ ids: [$deep], to: $top }", 7),
        ("copyContainers", "{ ids: [$deep], to: $top }", 12),
        ("deleteContainers", "{ ids: [$deep] }", 13),
    ],
)
async def test_a_write_costs_the_same_however_much_there_is(
    cells: tuple[Asked, Asked], verb: str, given: str, most: int
) -> None:
    here, there = cells
    owner = OwnerRef(PROVIDER.key, AGENT)
    # Folders that lie in others, the deepest last.
    *_, above, deepest = await here.gateway.store.below([ContainerRef(*owner, key(1))], depth=2)
    del above
    known = {"deep": deepest.ref, "top": ContainerRef(*owner, key(1))}
    used: dict[str, Any] = {name: encode_id(CONTAINER, ref) for name, ref in known.items() if f"${name}" in given}
    taken = ", ".join(f"${name}: ID!" for name in used)
    query = f"mutation({taken}) {{ {verb}(input: {given}) {{ changes {{ createdIds }} errors {{ code }} }} }}"
    answer = await here.ask(query, **used)
    assert answer.whole()[verb]["errors"] == []
    # One more for every thousand rows that are written.
    assert len(here.statements) <= most
    if Capability(verb) in PROVIDER.manifest.capabilities[BackendKind.UPSTREAM] and verb != "deleteContainers":
        assert (await there.ask(query, **used)).whole()[verb]["errors"] == []
        assert len(there.calls) == 1
