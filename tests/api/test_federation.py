"""Federation: references found in batches, in order, each bad one null with an error of its own; the schema as text."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, cast

import orjson
import pytest
from graphql import GraphQLObjectType, GraphQLUnionType, build_schema, parse

from gateway.api.federation import MOST_REFERENCES
from gateway.app import schema
from gateway.registry import PROVIDERS
from gateway.settings import ServerSettings, Settings
from tests.conformance.worlds import WORLDS
from tests.gateways import Answer, Asked, copied, running, settings

PROVIDER = PROVIDERS["guildwars2"]
NAME = PROVIDER.manifest.provider.name
OWNER = {"provider": NAME, "key": WORLDS[PROVIDER.key].owner}
ENTITIES = """query($r: [_Any!]!) { _entities(representations: $r) { __typename
  ... on Node { id } ... on InventoryOwner { provider key } ... on ItemDefinition { provider key name } } }"""
IDS = """query($owner: OwnerInput!) { inventoryOwner(owner: $owner) { __typename id
  inventory { __typename id
    items(first: 20) { nodes { __typename id definition { __typename id provider key } } }
    containers { nodes { __typename id containers { nodes { __typename id } } } } } } }"""
PRINTED = Path(__file__).parents[2].joinpath("schema.graphql").read_bytes()
SUBGRAPH = build_schema(schema(Settings.model_construct()).as_str(), assume_valid_sdl=True)


@pytest.fixture
async def asked(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> AsyncGenerator[Asked]:
    url = await copied(PROVIDER, tmp_path_factory, tmp_path)
    async with running(settings(url, server=ServerSettings(max_body_bytes=8_000_000))) as asked:
        yield asked


async def entities(asked: Asked, *references: Any) -> Answer:
    return await asked.ask(ENTITIES, r=references)


def things(value: Any) -> list[dict[str, Any]]:
    """Give everything that has an id in an answer."""
    if isinstance(value, dict):
        inside = [one for part in cast("dict[str, Any]", value).values() for one in things(part)]
        return [value, *inside] if "id" in value else inside  # pyright: ignore[reportUnknownVariableType]  # an answer
    return [one for part in cast("list[Any]", value) for one in things(part)] if isinstance(value, list) else []


async def test_everything_that_is_an_entity_is_found_by_its_id_in_order(asked: Asked) -> None:
    found = things((await asked.ask(IDS, owner=OWNER)).whole())
    assert len({one["__typename"] for one in found}) >= 6
    references = [{"__typename": one["__typename"], "id": one["id"]} for one in found]
    for given in (references, references[::-1]):
        answered = (await entities(asked, *given)).whole()["_entities"]
        assert [(one["__typename"], one["id"]) for one in answered] == [(one["__typename"], one["id"]) for one in given]


async def test_owners_and_definitions_are_found_by_provider_and_key(asked: Asked) -> None:
    found = things((await asked.ask(IDS, owner=OWNER)).whole())
    definition = next(one for one in found if "Definition" in one["__typename"])
    by_key = {"provider": NAME, "key": definition["key"]}
    answered = (
        await entities(
            asked,
            {"__typename": "InventoryOwner", **OWNER},
            {"__typename": definition["__typename"], **by_key},
            # So another subgraph refers to it that knows the interface alone.
            {"__typename": "ItemDefinition", **by_key},
            {"__typename": "ItemDefinition", "id": definition["id"]},
        )
    ).whole()["_entities"]
    assert answered[0] == {"__typename": "InventoryOwner", "id": found[0]["id"], **OWNER}
    assert [one["id"] for one in answered[1:]] == [definition["id"]] * 3
    assert [one["__typename"] for one in answered[1:]] == [definition["__typename"]] * 3


GOOD = {"__typename": "InventoryOwner", **OWNER}


@pytest.mark.parametrize(
    "bad",
    [
        5,
        "text",
        None,
        [],
        {},
        {"id": "x"},
        {"__typename": 5, "id": "x"},
        {"__typename": "InventoryOwner"},
        {"__typename": "InventoryOwner", "id": 5},
        {"__typename": "InventoryOwner", "id": None, **OWNER},
        {"__typename": "InventoryOwner", "id": "x"},
        {"__typename": "InventoryOwner", "key": "Tester.1234"},
        {"__typename": "InventoryOwner", "provider": "NOBODY", "key": "x"},
        {"__typename": "InventoryOwner", "provider": "guildwars2", "key": "Tester.1234"},
        {"__typename": "InventoryOwner", "provider": NAME, "key": 5},
        {"__typename": "InventoryOwner", "provider": NAME, "key": "malformed"},
        {"__typename": "ItemDefinition", "provider": NAME, "key": "malformed"},
        {"__typename": "GuildWars2Skin", "provider": NAME, "key": "item:46735"},
        {"__typename": "GuildWars2Item", **OWNER},
        {"__typename": "NoSuchType", "id": "x"},
        {"__typename": "NoSuchType", **OWNER},
        {"__typename": "Node", **OWNER},
        {"__typename": "Query", "id": "x"},
        {"__typename": "x" * 100_000, "id": "x"},
    ],
    ids=lambda bad: str(bad)[:80],
)
async def test_a_bad_reference_is_null_with_an_error_and_its_neighbours_are_whole(asked: Asked, bad: Any) -> None:
    if bad is None:
        # Refused where the variables are read, as the list takes no null.
        assert (await entities(asked, GOOD, bad)).codes == ["INVALID_INPUT"]
        return
    answer = await entities(asked, GOOD, bad, GOOD)
    first, second, third = answer.data["_entities"]
    assert first["key"] == third["key"] == OWNER["key"]
    assert second is None
    (error,) = answer.errors
    assert error["extensions"]["code"] == "INVALID_INPUT"
    assert error["path"] == ["_entities", 1]
    assert len(error["message"]) < 500


async def test_what_does_not_exist_is_null_without_an_error(asked: Asked) -> None:
    nobody = {"__typename": "InventoryOwner", "provider": NAME, "key": WORLDS[PROVIDER.key].unknown_owner}
    nothing = {"__typename": "ItemDefinition", "provider": NAME, "key": WORLDS[PROVIDER.key].unknown_definition}
    assert (await entities(asked, nobody, nothing, GOOD)).whole()["_entities"][:2] == [None, None]


async def test_references_are_read_together_and_each_thing_once(asked: Asked) -> None:
    found = things((await asked.ask(IDS, owner=OWNER)).whole())
    items = [one for one in found if one["__typename"] == "GuildWars2Item"]
    one = await entities(asked, items[0])
    assert one.whole()["_entities"][0]
    single = len(asked.statements)
    many = [{"__typename": item["__typename"], "id": item["id"]} for item in items]
    answered = (await entities(asked, *many * 20)).whole()["_entities"]
    assert len(answered) == len(items) * 20
    assert len(asked.statements) == single
    answered = (await entities(asked, *[many[0]] * 500)).whole()["_entities"]
    assert {one["id"] for one in answered} == {many[0]["id"]}
    assert len(answered) == 500
    assert len(asked.statements) == single


@pytest.mark.parametrize("count", [MOST_REFERENCES + 1, 20_000])
async def test_too_many_references_are_refused(asked: Asked, count: int) -> None:
    answer = await entities(asked, *[5] * count)
    assert answer.codes == ["LIMIT_EXCEEDED"]
    assert f"{count:,}" in answer.errors[0]["message"]
    assert (await entities(asked, GOOD)).whole()


async def test_twenty_thousand_references_are_more_than_a_body_holds(tmp_path: Path) -> None:
    async with running(settings("sqlite://")) as asked:
        response = await asked.client.post(
            "/graphql",
            content=orjson.dumps({"query": ENTITIES, "variables": {"r": [GOOD] * 20_000}}),
            headers={"content-type": "application/json"},
        )
        assert response.status_code == 413


async def test_the_schema_is_told_as_text(asked: Asked) -> None:
    answer = await asked.ask("{ _service { sdl } }")
    sdl = answer.whole()["_service"]["sdl"]
    assert sdl.encode() + b"\n" == PRINTED
    assert 'url: "https://specs.apollo.dev/federation/v2.9"' in sdl
    assert parse(sdl)


def test_every_concrete_thing_is_an_entity() -> None:
    union = cast("GraphQLUnionType", SUBGRAPH.type_map["_Entity"])
    wanted = {"InventoryOwner", "Inventory"} | {
        name
        for name, kind in SUBGRAPH.type_map.items()
        if isinstance(kind, GraphQLObjectType)
        and {one.name for one in kind.interfaces} & {"Item", "Container", "ItemDefinition"}
    }
    assert {kind.name for kind in union.types} == wanted


def test_entities_have_the_keys_of_the_contract() -> None:
    keys: dict[str, set[str]] = {}
    for name, kind in SUBGRAPH.type_map.items():
        for directive in kind.ast_node.directives if kind.ast_node and kind.ast_node.directives else ():
            if directive.name.value == "key":
                keys.setdefault(name, set()).add(cast("Any", directive).arguments[0].value.value)
    both = {"id", "provider key"}
    assert keys["InventoryOwner"] == both
    assert keys["Inventory"] == keys["GuildWars2Bag"] == keys["RobloxAsset"] == {"id"}
    # An interface that is an entity has the same keys as each of its types.
    assert keys["ItemDefinition"] == keys["GuildWars2Skin"] == keys["CommunityItemDefinition"] == both
    assert "Item" not in keys
    assert "Container" not in keys


async def test_a_supergraph_with_a_node_of_its_own_gets_none_from_here() -> None:
    text = schema(settings("sqlite://", server=ServerSettings(node_fields=False))).as_str()
    query = cast("GraphQLObjectType", build_schema(text, assume_valid_sdl=True).query_type)
    assert not {"node", "nodes"} & set(query.fields)
    assert {"_entities", "_service"} <= set(query.fields)
