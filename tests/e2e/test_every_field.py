"""Over sockets an upstream answers every field of every type that the samples reach as the local store does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest
from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    build_schema,
    get_named_type,
    is_leaf_type,
    is_required_argument,
)

from tests.e2e.conftest import NAME, WORLD, Pair, owner

Composite = GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType

DEPTH = 4
# Of every thing but the first in a query, who holds it and where it lies is left out: it leads back up.
BACK = {"inventory", "owner", "parent", "container", "slot"}
ARGUMENTS = {
    "container(key)": '"bank"',
    "owns(definitionKey)": '"item:46735"',
}


@pytest.fixture(scope="module")
def schema(pair: Pair) -> GraphQLSchema:
    return build_schema(pair.local.gateway.schema.as_str())


def selection(schema: GraphQLSchema, parent: Composite, depth: int, back: bool = False) -> str:
    """Select every leaf of a type and of the types below it, as deep as told, in every concrete type by itself."""
    if not isinstance(parent, GraphQLObjectType):
        parts = [
            f"... on {concrete.name} {selection(schema, concrete, depth, back)}"
            for concrete in concretes(schema, parent)
        ]
        return "{ __typename " + " ".join(parts) + " }"
    return "{ __typename " + " ".join(fields(schema, parent, depth, back)) + " }"


def concretes(schema: GraphQLSchema, abstract: GraphQLInterfaceType | GraphQLUnionType) -> list[GraphQLObjectType]:
    return [*schema.get_possible_types(abstract)]


def fields(schema: GraphQLSchema, parent: GraphQLObjectType, depth: int, back: bool) -> Iterator[str]:
    for name, found in parent.fields.items():
        # Types that share an interface are selected side by side: equal names with other types would clash.
        written = f"{parent.name}_{name}: {name}{arguments(name, found)}"
        below = cast("Composite", get_named_type(found.type))
        if name == "node" and parent.name.endswith("Edge"):
            # It is among the nodes beside the edges.
            continue
        if is_leaf_type(below):
            yield written
        elif depth and (back or name not in BACK):
            yield f"{written} {selection(schema, below, depth - 1)}"


def arguments(name: str, found: GraphQLField) -> str:
    required = [argument for argument, kind in found.args.items() if is_required_argument(kind)]
    given = [f"{argument}: {ARGUMENTS[f'{name}({argument})']}" for argument in required]
    return f"({', '.join(given)})" if given else ""


def composite(schema: GraphQLSchema, name: str) -> Composite:
    found: Any = schema.type_map[name]
    return found


def test_every_field_below_an_inventory_is_answered_alike(pair: Pair, schema: GraphQLSchema) -> None:
    below = selection(schema, composite(schema, "Inventory"), DEPTH, back=True)
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
    below = selection(schema, composite(schema, connection), DEPTH + 1)
    answer = pair.ask(f"query($owner: OwnerInput!) {{ inventory(owner: $owner) {{ {name} {below} }} }}", owner=owner())
    # What is not reached is not compared.
    assert {f"GuildWars2{kind}" for kind in reached.split()} <= set(typenames(answer.whole()))


def test_every_field_of_an_owner_is_answered_alike(pair: Pair, schema: GraphQLSchema) -> None:
    below = selection(schema, composite(schema, "InventoryOwner"), 3, back=True)
    answer = pair.ask(f"query($owner: OwnerInput!) {{ inventoryOwner(owner: $owner) {below} }}", owner=owner())
    assert {"GuildWars2Account", "GuildWars2Token"} <= set(typenames(answer.data))


def test_every_field_of_every_node_is_answered_alike(pair: Pair, schema: GraphQLSchema) -> None:
    ids = pair.ask(IDS, owner=owner()).whole()
    below = selection(schema, composite(schema, "Node"), 2, back=True)
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
    below = selection(schema, composite(schema, "ItemDefinition"), 2)
    query = f"query($keys: [String!]!) {{ itemDefinitions(provider: {NAME}, keys: $keys) {below} }}"
    answer = pair.ask(query, keys=[*keys, WORLD.unknown_definition])
    assert answer.whole()["itemDefinitions"][-1] is None
    assert None not in answer.data["itemDefinitions"][:-1]


IDS = """query($owner: OwnerInput!) { inventory(owner: $owner) {
  id owner { id } items { nodes { id slot { id } definition { id } } }
  containers { nodes { id slots { id } containers { nodes { id slots { id } } } } }
} }"""


def typenames(value: Any) -> Iterator[str]:
    """Give the names of the types in an answer."""
    if type(value) is dict and "__typename" in value:
        yield value["__typename"]
    for inner in within(value):
        yield from typenames(inner)


def strings(value: Any) -> Iterator[str]:
    """Give every text in an answer."""
    if type(value) is str:
        yield value
    for inner in within(value):
        yield from strings(inner)


def within(value: Any) -> list[Any]:
    kind = type(value).__name__
    return [*value.values()] if kind == "dict" else [*value] if kind == "list" else []
