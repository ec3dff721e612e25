"""Over sockets an upstream answers every root field as the local store does."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.conftest import NAME, PAGE, WORLD, Pair, of_inventory, owner

ROOTS = [
    "{ inventoryProviders { key title capabilities limits { __typename } kinds { key title } } }",
    f'{{ inventoryOwner(owner: {{ provider: {NAME}, key: "me" }}) {{ id key name }} }}',
    f'{{ inventory(owner: {{ provider: {NAME}, key: "me" }}) {{ id isVisible owner {{ key }} }} }}',
    f"""{{ a: inventory(owner: {{ provider: {NAME}, key: "me" }}) {{ id }}
        b: inventory(owner: {{ provider: {NAME}, key: "{WORLD.owner}" }}) {{ id }} }}""",
    f"""{{ inventories(owners: [{{ provider: {NAME}, key: "{WORLD.owner}" }}, {{ provider: {NAME}, key: "x" }},
        {{ provider: {NAME}, key: "{WORLD.unknown_owner}" }}, {{ provider: ROBLOX, key: "1" }}]) {{ id }} }}""",
    f"""{{ itemDefinitions(provider: {NAME}, keys: ["{WORLD.definition}", "{WORLD.unknown_definition}", "x"])
        {{ key name }} }}""",
    f"{{ itemDefinitions(provider: {NAME}, keys: []) {{ key }} }}",
    '{ itemDefinitions(provider: ROBLOX, keys: ["asset:1"]) { key } }',
    '{ node(id: "x") { id } }',
    '{ nodes(ids: ["x", "y"]) { id } }',
    "{ nothing }",
]


@pytest.mark.parametrize("query", ROOTS)
def test_every_root_field_is_answered_alike(pair: Pair, query: str) -> None:
    answer = pair.ask(query)
    assert answer.data or answer.errors


@pytest.mark.parametrize("order", ["NATURAL", "NAME", "QUANTITY_DESC"])
def test_searches_are_answered_alike(pair: Pair, order: str) -> None:
    query = f"""query($owners: [OwnerInput!]!, $after: String, $filter: ItemFilter) {{
        searchItems(owners: $owners, orderBy: {order}, filter: $filter, first: 4, after: $after) {{
            {PAGE} nodes {{ key name quantity }} }} }}"""
    owners = [owner(), owner(WORLD.unknown_owner), owner("me"), owner("x")]
    page = pair.ask(query, owners=owners, after=None).data["searchItems"]
    pair.ask(query, owners=owners, after=page["pageInfo"]["endCursor"])
    pair.ask(query, owners=owners, filter={"text": WORLD.text})
    pair.ask(query, owners=owners, after="x")
    pair.ask(query, owners=[])


def test_a_verb_that_is_not_supported_is_refused_alike(pair: Pair) -> None:
    items = pair.ask(of_inventory("id items(first: 1) { nodes { id } }"), owner=owner()).whole()["inventory"]
    query = """mutation($ids: [ID!]!, $to: ID!) { moveItems(input: { ids: $ids, to: $to }) {
        errors { __typename code message provider retryable } changes { movedIds } } }"""
    containers = pair.ask(of_inventory('container(key: "bank") { id }'), owner=owner()).whole()["inventory"]
    variables: dict[str, Any] = {"ids": [items["items"]["nodes"][0]["id"]], "to": containers["container"]["id"]}
    (error,) = pair.ask(query, **variables).whole()["moveItems"]["errors"]
    assert (error["code"], error["provider"]) == ("UNSUPPORTED", NAME)
