"""What may be closed: the schema is not told, nor guessed at. A limit says which it is, and by how much it is over."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import get_introspection_query

from tests.http.doors import OWNER, TYPENAME, Door
from tests.sockets import socket

TELLING = [
    get_introspection_query(),
    "{ __schema { queryType { name } } }",
    '{ __type(name: "Item") { name } }',
    "{ a: _service { sdl } }",
    "query { ...F } fragment F on Query { ... on Query { b: __schema { description } } }",
]


@pytest.mark.parametrize("query", TELLING, ids=lambda query: query[:40].strip())
async def test_the_schema_is_told_unless_that_is_closed(query: str) -> None:
    assert "data" in (await Door().post({"query": query})).json()
    door = Door(introspection=False, batch=2)
    for body in ({"query": query}, [{"query": query}]):
        answer: Any = (await door.post(body)).json()
        refused: Any = answer[0] if isinstance(body, list) else answer
        assert "data" not in refused
        assert "not told" in refused["errors"][0]["message"]
    async with socket(door.app) as end:
        await end.begin()
        await end.subscribe("1", query)
        assert (await end.hear())["type"] == "error"


async def test_what_things_are_is_told_all_the_same() -> None:
    door = Door(introspection=False)
    assert await door.serves()
    answer = await door.ask(OWNER.replace("{ key }", "{ __typename key }"))
    assert answer.whole()["inventoryOwner"]["__typename"] == "InventoryOwner"


GUESSED: list[tuple[str, dict[str, Any]]] = [
    ("{ inventoryProvider { key } }", {}),
    ("{ inventoryProviders { ky } }", {}),
    ("{ inventoryViewer { owners { inventory { items(fist: 1) { nodes { id } } } } } }", {}),
    ("{ ... on Qery { __typename } }", {}),
    ("{ itemDefinitions(provider: ROBLO, keys: []) { key } }", {}),
    ("query($p: ProviderKy) { __typename }", {}),
    ("query($p: ProviderKey!) { itemDefinitions(provider: $p, keys: []) { key } }", {"p": "ROBLO"}),
    ("query($o: OwnerInput!) { inventory(owner: $o) { id } }", {"o": {"provider": "ROBLOX", "ky": "1", "key": "1"}}),
]


@pytest.mark.parametrize(("query", "variables"), GUESSED, ids=lambda value: str(value)[:40])
async def test_names_are_suggested_unless_that_is_closed(query: str, variables: dict[str, Any]) -> None:
    body = {"query": query, "variables": variables}
    told = (await Door().post(body)).text
    hidden = (await Door(suggestions=False).post(body)).text
    assert "Did you mean" in told
    assert "Did you mean" not in hidden
    assert '"errors"' in hidden


async def test_a_limit_says_which_it_is_and_by_how_much_it_is_passed() -> None:
    answer = await Door().ask("{ " + " ".join(f"a{number}: __typename" for number in range(60)) + " }")
    (error,) = answer.errors
    assert error["extensions"] == {
        "code": "LIMIT_EXCEEDED",
        "retryable": False,
        "explain": {"limit": "root_fields", "found": 60, "most": 50},
    }
    batch = await Door(batch=2).post([{"query": "{ " + " ".join(f"a{n}: __typename" for n in range(30)) + " }"}] * 2)
    assert batch.json()["errors"][0]["extensions"]["explain"] == {"limit": "root_fields", "found": 60, "most": 50}
    assert (await Door().post(TYPENAME)).status_code == 200
