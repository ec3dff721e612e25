"""Over sockets an upstream answers every field of every type that the samples reach as the local store does."""

from __future__ import annotations

import pytest
from graphql import GraphQLSchema

from gateway.registry import PROVIDERS
from tests.e2e.conftest import NAME, WORLD, Pair, owner
from tests.e2e.selections import composite, schema_of, selection, strings, typenames

DEPTH = 4
ARGUMENTS = {
    "container(key)": '"bank"',
    "owns(definitionKey)": '"item:46735"',
}


@pytest.fixture(scope="module")
def schema(pair: Pair) -> GraphQLSchema:
    return schema_of(pair.local.gateway, PROVIDERS["guildwars2"])


def test_every_field_below_an_inventory_is_answered_alike(pair: Pair, schema: GraphQLSchema) -> None:
    below = selection(schema, composite(schema, "Inventory"), DEPTH, ARGUMENTS, back=True)
    answer = pair.ask(f"query($owner: OwnerInput!) {{ inventory(owner: $owner) {below} }}", owner=owner())
    assert "inventory" in answer.data


@pytest.mark.parametrize(
    ("name", "connection", "reached"),
    [
        (
            "containers",
            "ContainerConnection",
            "Character CharacterSummary Crafting BagSlot Bag Storage MaterialCategory Item ItemDefinition",
        ),
        ("items", "ItemConnection", "Item ItemDefinition Skin Stats ItemStat Color Dye Attribute StatAttribute"),
        ("totals", "DefinitionConnection", "ItemDefinition"),
    ],
)
def test_every_field_of_what_is_listed_is_answered_alike(
    pair: Pair, schema: GraphQLSchema, name: str, connection: str, reached: str
) -> None:
    below = selection(schema, composite(schema, connection), DEPTH + 1, ARGUMENTS)
    answer = pair.ask(f"query($owner: OwnerInput!) {{ inventory(owner: $owner) {{ {name} {below} }} }}", owner=owner())
    # What is not reached is not compared.
    assert {f"GuildWars2{kind}" for kind in reached.split()} <= set(typenames(answer.whole()))


def test_every_field_of_an_owner_is_answered_alike(pair: Pair, schema: GraphQLSchema) -> None:
    below = selection(schema, composite(schema, "InventoryOwner"), 3, ARGUMENTS, back=True)
    answer = pair.ask(f"query($owner: OwnerInput!) {{ inventoryOwner(owner: $owner) {below} }}", owner=owner())
    assert {"GuildWars2Account", "GuildWars2Token"} <= set(typenames(answer.data))


def test_every_field_of_every_node_is_answered_alike(pair: Pair, schema: GraphQLSchema) -> None:
    ids = pair.ask(IDS, owner=owner()).whole()
    below = selection(schema, composite(schema, "Node"), 2, ARGUMENTS, back=True)
    found = sorted(set(strings(ids)))
    for start in range(0, len(found), 50):
        answer = pair.ask(f"query($ids: [ID!]!) {{ nodes(ids: $ids) {below} }}", ids=found[start : start + 50])
        assert None not in answer.data["nodes"]


def test_every_definition_of_the_samples_is_answered_alike(pair: Pair, schema: GraphQLSchema) -> None:
    families = {"item": "items", "skin": "skins", "stat": "itemstats", "color": "colors", "material": "materials"}
    keys = [
        f"{family}:{number}"
        for family, path in families.items()
        for number in pair.local.client.get(f"/rest/guildwars2/v2/{path}").json()
    ]
    below = selection(schema, composite(schema, "ItemDefinition"), 2, ARGUMENTS)
    query = f"query($keys: [String!]!) {{ itemDefinitions(provider: {NAME}, keys: $keys) {below} }}"
    answer = pair.ask(query, keys=[*keys, WORLD.unknown_definition])
    assert answer.whole()["itemDefinitions"][-1] is None
    assert None not in answer.data["itemDefinitions"][:-1]


IDS = """query($owner: OwnerInput!) { inventory(owner: $owner) {
  id owner { id } items { nodes { id slot { id } definition { id } } }
  containers { nodes { id slots { id } containers { nodes { id slots { id } } } } }
} }"""
